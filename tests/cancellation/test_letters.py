"""Letters in three formats: every fact in every language, direction right, hostile names text."""

from __future__ import annotations

import email
import email.policy
import io
import re
import tomllib
import zipfile
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from html.parser import HTMLParser
from xml.etree import ElementTree

import pytest

from sfexit.cancellation.letters import (
    NON_RENEWAL,
    SWITCHING,
    Facts,
    Grid,
    Heading,
    Letter,
    Paragraph,
    Signature,
    compose,
)
from sfexit.cancellation.mail import cover
from sfexit.cancellation.wording import LANGUAGES, Run, wording
from sfexit.contract import questions, terms
from sfexit.contract.laws import laws
from sfexit.contract.terms import Contract
from sfexit.reports import letter_docx, letter_html, letter_pdf
from sfexit.reports.fonts import find_font

ORG = "00D5g0000000001EAA"
LAW = laws()["eu-data-act"]
W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"


def contract(**changes: str) -> Contract:
    text = questions.example()
    for old, new in changes.items():
        text = text.replace(old, new)
    made, problems = terms.read(tomllib.loads(text, parse_float=Decimal))
    assert made is not None, problems
    return made


def facts(told: Contract | None = None) -> Facts:
    return Facts(told or contract(), ORG, "Another system fits better.", date(2026, 11, 22),
                 "provider", "Other CRM")  # fmt: skip


def letter(kind: str, code: str, told: Facts | None = None) -> Letter:
    return compose(kind, told or facts(), wording(code), LAW)


class _Text(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.text, self.tags = "", []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        if self.tags and self.tags[-1][0] != "style":
            self.text += data


def page_of(one: Letter) -> _Text:
    parser = _Text()
    parser.feed(letter_html.page(one).decode())
    return parser


def word_xml(one: Letter) -> ElementTree.Element:
    content = letter_docx.document(one, datetime(2026, 11, 22, tzinfo=UTC))
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return ElementTree.fromstring(archive.read("word/document.xml"))


def word_text(root: ElementTree.Element) -> str:
    return "\n".join("".join(p.itertext()) for p in root.iter(f"{W}p"))


FACTS = ("01234567", "Q-0987654", ORG, "acme.my.salesforce.com", "Acme GmbH", "Erika Mustermann",
         "Managing Director", "salesforce.com Germany GmbH", "MSA 11.2", "Sales Cloud Enterprise",
         "40", "Legal Department", "the address for notices in your MSA", "it@acme.example",
         "Another system fits better.", "ae@vendor.example", "Beispielweg 1, 10115 Berlin, Germany",
         )  # fmt: skip


@pytest.mark.parametrize("code", LANGUAGES)
@pytest.mark.parametrize("kind", [NON_RENEWAL, SWITCHING])
def test_every_fact_stands_in_every_language(kind: str, code: str) -> None:
    one = letter(kind, code)
    words = wording(code)
    days = [date(2026, 11, 22), date(2031, 3, 31)]
    own: tuple[str, ...] = ("Example Sign", "Example Apps Inc.")
    if kind == SWITCHING:
        days += [date(2027, 1, 22), date(2027, 2, 21), date(2027, 3, 23), date(2027, 1, 12)]
        own = ("Other CRM",)
    for text in (page_of(one).text, word_text(word_xml(one))):
        for fact in (*FACTS, *own):
            assert fact in text, fact
        for day in days:
            assert words.day(day) in text and words.digits(day) in text
        assert words.draft in text
        assert "{" not in text and "________ [" not in text


@pytest.mark.parametrize("code", LANGUAGES)
def test_direction(code: str) -> None:
    one = letter(NON_RENEWAL, code)
    page = page_of(one)
    assert page.tags[0] == ("html", {"lang": code, "dir": "rtl" if code == "ar" else "ltr"})
    root = word_xml(one)
    rtl = code == "ar"
    paragraphs = [p for p in root.iter(f"{W}p") if "".join(p.itertext()).strip()]
    assert all((p.find(f"{W}pPr/{W}bidi") is not None) is rtl for p in paragraphs)
    assert (root.find(f".//{W}sectPr/{W}bidi") is not None) is rtl
    assert all((t.find(f"{W}tblPr/{W}bidiVisual") is not None) is rtl for t in root.iter(f"{W}tbl"))
    for run in root.iter(f"{W}r"):
        text = "".join(run.itertext())
        if re.search(r"[\u0600-\u06ff]", text):
            assert run.find(f"{W}rPr/{W}rtl") is not None, text
        elif text == "Acme GmbH":  # a Latin name keeps its own order
            assert run.find(f"{W}rPr/{W}rtl") is None


def test_elements_stand_in_the_order_of_the_schema() -> None:
    # ECMA-376, part 1, 17.3.1.26 and 17.4.60: Word calls a file with another order damaged.
    order = ["keepNext", "bidi", "spacing", "jc"]
    for properties in word_xml(letter(NON_RENEWAL, "ar")).iter(f"{W}pPr"):
        names = [one.tag.removeprefix(W) for one in properties]
        known = [name for name in order if name in names]
        assert [name for name in names if name in order] == known, names
    for properties in word_xml(letter(NON_RENEWAL, "ar")).iter(f"{W}rPr"):
        names = [one.tag.removeprefix(W) for one in properties]
        order = ["b", "bCs", "sz", "szCs", "rtl", "lang"]
        assert names == [name for name in order if name in names]


def test_a_number_in_an_arabic_heading_is_as_heavy_as_its_words() -> None:
    title = next(one for one in word_xml(letter(NON_RENEWAL, "ar")).iter(f"{W}p")
                 if "01234567" in "".join(one.itertext()))  # fmt: skip
    for run in title.iter(f"{W}r"):
        assert run.find(f"{W}rPr/{W}bCs") is not None
        assert run.find(f"{W}rPr/{W}szCs") is not None


def test_word_tables_go_on_over_pages() -> None:
    """Heads come again on each page, no row is broken, the product has the widest column."""
    _, lines, *_ = word_xml(letter(NON_RENEWAL, "en")).iter(f"{W}tbl")
    head, *rest = lines.iter(f"{W}tr")
    assert head.find(f"{W}trPr/{W}tblHeader") is not None
    assert rest and all(row.find(f"{W}trPr/{W}tblHeader") is None for row in rest)
    assert all(row.find(f"{W}trPr/{W}cantSplit") is not None for row in (head, *rest))
    widths = [int(one.get(f"{W}w", "0")) for one in lines.iter(f"{W}gridCol")]
    assert widths[0] == max(widths) and sum(widths) < 9500  # twentieths of a point: 167 mm


HOSTILE = "<script>alert(1)</script>{contract}\u202eevil & Söhne"


@pytest.mark.parametrize("code", ["en", "ar"])
def test_hostile_names_stay_text(code: str) -> None:
    told = contract(
        **{"Acme GmbH": HOSTILE.replace("\u202e", ""), "MSA 11.2": "<img src=x onerror=a>"}
    )
    one = letter(NON_RENEWAL, code, Facts(told, ORG, HOSTILE, date(2026, 11, 22)))
    page = page_of(one)
    assert not {"script", "img"} & {tag for tag, _ in page.tags}
    assert "<script>alert(1)</script>{contract}evil & Söhne" in page.text
    assert "\u202e" not in page.text
    assert "<img src=x onerror=a>" in word_text(word_xml(one))


def test_a_page_asks_nothing_of_the_network() -> None:
    text = letter_html.page(letter(NON_RENEWAL, "ar")).decode()
    assert "default-src 'none'" in text
    assert not re.search(r"(?:src|href)=", text)


def test_what_the_contract_leaves_open_is_a_marked_gap() -> None:
    told = contract(**{'signatory = "Erika Mustermann"': 'signatory = ""'})
    one = Facts(told, "", "Why", date(2026, 11, 22))
    assert one.blank == ("signatory", "org_id")
    assert page_of(letter(NON_RENEWAL, "de", one)).text.count("________ [noch auszufüllen]") == 2


@pytest.mark.parametrize("destination", ["provider", "on_premises", "erase"])
def test_switching_asks_for_what_was_chosen(destination: str) -> None:
    one = Facts(contract(), ORG, "Why", date(2026, 11, 22), destination, "Elsewhere")
    text = page_of(letter(SWITCHING, "en", one)).text
    wanted = {"provider": "different provider (Article 25(3)(a)): Elsewhere",
              "erase": "Article 25(3)(c) of",
              "on_premises": "ICT infrastructure (Article 25(3)(b)): Elsewhere"}  # fmt: skip
    assert [key for key, said in wanted.items() if said in text] == [destination]


@pytest.mark.parametrize("code", LANGUAGES)
def test_erasure_ends_the_contract_with_the_notice(code: str) -> None:
    # Regulation (EU) 2023/2854, Art. 25(2)(c)(ii): no transition, no time to fetch data.
    one = Facts(contract(), ORG, "Why", date(2026, 11, 22), "erase")
    text = page_of(letter(SWITCHING, code, one)).text
    words = wording(code)
    assert words.digits(date(2027, 1, 22)) in text
    for day in (date(2027, 2, 21), date(2027, 3, 23)):
        assert words.digits(day) not in text
    assert "{" not in text and "________ [" not in text


def test_french_blanks_do_not_break() -> None:
    one = letter(NON_RENEWAL, "fr")
    for text in (page_of(one).text, word_text(word_xml(one))):
        assert "«\u00a0MSA 11.2\u00a0»" in text
        assert "contrat n°\u00a001234567" in text
        assert "Nom\u00a0: Erika Mustermann" in text


def test_a_number_keeps_its_order_in_arabic_words() -> None:
    one = letter(NON_RENEWAL, "ar", facts(contract(**{"01234567": "12-34/5"})))
    assert word_text(word_xml(one)).count("\u200e12-34/5\u200e") == 3  # subject, opening, table
    raw = cover(facts(contract(**{"01234567": "12-34/5"})), wording("ar"), {})
    mail = email.message_from_bytes(raw, policy=email.policy.default)
    assert "\u200e12-34/5\u200e" in mail["Subject"]


@pytest.mark.parametrize("code", ["pl", "ar", "fr"])
def test_pdf(code: str) -> None:
    pytest.importorskip("uharfbuzz")
    font = find_font()
    if font is None:
        pytest.skip("no font with Arabic letters on this system")
    content = letter_pdf.document(letter(NON_RENEWAL, code), font)
    assert content.startswith(b"%PDF-")
    assert f"({code})".encode() in content.replace(b"/Lang ", b"")


def test_pdf_pages_stand_by_themselves() -> None:
    """Heads are on each page of a long table, no heading ends a page, a signature is not alone."""
    pdfplumber = pytest.importorskip("pdfplumber")
    font = find_font()
    if font is None:
        pytest.skip("no font with Arabic letters on this system")
    grid = Grid(("Product", "Quantity", "From", "Until"), (("Seats", "1", "a", "b"),) * 50)
    name = (Run("Subscriptions"),)
    for lines in (44, 46, 48):
        said = Paragraph((Run("\n".join(["text"] * lines)),))
        end = (
            Paragraph((Run("Yours faithfully,"),)),
            Signature("Signature", (("Name", "E."),) * 3),
        )
        made = replace(letter(NON_RENEWAL, "en"), blocks=(said, Heading(name, False), grid, *end))
        with pdfplumber.open(io.BytesIO(letter_pdf.document(made, font))) as paper:
            pages = [page.extract_text().splitlines() for page in paper.pages]
        head = "Product Quantity From Until"
        assert all(head in page for page in pages if "Seats 1 a b" in page)
        assert pages[0][-1] != "Subscriptions"
        assert {"Yours faithfully,", "Name: E."} <= set(pages[-1])


def test_a_character_that_the_font_lacks_is_refused() -> None:
    font = find_font()
    if font is None:
        pytest.skip("no font with Arabic letters on this system")
    told = Facts(contract(), ORG, "漢", date(2026, 11, 22))
    with pytest.raises(Exception, match="lacks the character '漢'"):
        letter_pdf.document(letter(NON_RENEWAL, "en", told), font)


@pytest.mark.parametrize("code", LANGUAGES)
def test_cover_mail(code: str) -> None:
    raw = cover(facts(), wording(code), {"a.docx": b"PK"})
    mail = email.message_from_bytes(raw, policy=email.policy.default)
    assert mail["To"] == "ae@vendor.example" and mail["From"] == "it@acme.example"
    assert "01234567" in mail["Subject"] and ORG in mail["Subject"]
    body = mail.get_body()
    assert body is not None
    assert wording(code).day(date(2031, 3, 31)) in body.get_content()
    assert [one.get_filename() for one in mail.iter_attachments()] == ["a.docx"]
    assert "  " not in mail["Subject"] and "2023/2854" not in body.get_content()


@pytest.mark.parametrize("code", LANGUAGES)
def test_cover_mail_names_the_switching_notice_that_it_brings(code: str) -> None:
    raw = cover(facts(), wording(code), {f"switching-notice.{code}.docx": b"PK"})
    body = email.message_from_bytes(raw, policy=email.policy.default).get_body()
    assert body is not None
    text = body.get_content()
    said = [text.index(wording(code).text("mail", key)) for key in ("greeting", "switching",
            "form", "confirm", "regards")]  # fmt: skip
    assert said == sorted(said) and text.split("\r\n")[-3:-1] == ["Erika Mustermann", "Acme GmbH"]


def test_a_mail_takes_no_header_from_a_name() -> None:
    told = contract(**{'number = "01234567"': 'number = "1\\nBcc: all@example.com"'})
    raw = cover(facts(told), wording("en"), {})
    assert email.message_from_bytes(raw)["Bcc"] is None
