"""The two letters as blocks of text, before they become a page, a Word file or a PDF. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date

from sfexit.cancellation.wording import Run, Runs, Wording, fill
from sfexit.contract.laws import Law, switching
from sfexit.contract.terms import Contract
from sfexit.redaction import printable

NON_RENEWAL = "non-renewal"
SWITCHING = "switching-notice"
DESTINATIONS = ("provider", "on_premises", "erase")
_PARTS = {NON_RENEWAL: "non_renewal", SWITCHING: "switching"}
_LONGEST_FACT = 2000


@dataclass(frozen=True)
class Facts:
    """What a letter says besides its wording.

    `blank` names what the contract file leaves open: the letter has a marked gap there.
    """

    contract: Contract
    org_id: str
    reason: str
    written: date
    destination: str = "provider"  # one of DESTINATIONS
    destination_name: str = ""

    @property
    def blank(self) -> tuple[str, ...]:
        """The keys of contract.toml that a letter needs and that are empty."""
        told = self.contract
        keys = {
            "customer_address": told.customer_address,
            "signatory": told.signatory,
            "signatory_title": told.signatory_title,
            "contact_email": told.contact_email,
            "my_domain": told.my_domain,
            "orders": told.orders,
            "org_id": self.org_id,
            "lines": told.lines,
        }
        return tuple(key for key, value in keys.items() if not value)


@dataclass(frozen=True)
class Draft:
    """The line that must go before the letter is sent."""

    text: str


@dataclass(frozen=True)
class Address:
    """Lines that belong together, such as an address."""

    label: str
    lines: tuple[str, ...]


@dataclass(frozen=True)
class Heading:
    text: Runs
    large: bool = False


@dataclass(frozen=True)
class Paragraph:
    text: Runs


@dataclass(frozen=True)
class Requests:
    """A numbered list."""

    items: tuple[Runs, ...]


@dataclass(frozen=True)
class Grid:
    """A table; without `heads` it is one of names and values."""

    heads: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


# How the columns of a grid share its width, by their number.
SHARES = {2: (2, 3), 3: (3, 3, 2), 4: (2, 1, 1, 1)}


@dataclass(frozen=True)
class Signature:
    """Room to sign, and who does."""

    label: str
    lines: tuple[tuple[str, str], ...]


Block = Draft | Address | Heading | Paragraph | Requests | Grid | Signature


@dataclass(frozen=True)
class Letter:
    """A letter in one language. `title` is its subject."""

    kind: str
    wording: Wording
    title: str
    blocks: tuple[Block, ...] = field(default_factory=tuple)

    @property
    def stem(self) -> str:
        """Its file name without the ending."""
        return f"{self.kind}.{self.wording.code}"


def compose(kind: str, facts: Facts, words: Wording, law: Law | None = None) -> Letter:
    """The letter of a kind in a language. A switching notice needs the law's `Law`.

    Who asks for erasure only gets no transition and no time to fetch data: the contract ends with
    the notice period (Regulation (EU) 2023/2854, Art. 25(2)(c)(ii)). So its wording is another.
    """
    erase = kind == SWITCHING and facts.destination == "erase"
    part = "erasure" if erase else _PARTS[kind]
    named = _named(facts, words, law)
    middle = _middle(part, facts)
    keys = ("greeting", "opening", *middle, "separate", "closing", "regards")
    filled = {key: fill(words.text(part, key), named) for key in keys if key in words.parts[part]}
    requests = tuple(fill(one, named) for one in words.texts(part, "requests"))
    title = fill(words.text(part, "subject"), named)
    blocks: list[Block] = [Draft(words.draft), *_head(facts, words)]
    blocks.append(Heading(title, large=True))
    blocks.append(Paragraph(filled["greeting"]))
    blocks.append(Paragraph(filled["opening"]))
    blocks += [Paragraph(filled[key]) for key in middle]
    blocks += [_label(words, "facts"), _facts(facts, words)]
    if facts.contract.lines:
        blocks += [_label(words, "lines"), _lines(facts, words)]
    blocks += [_label(words, "reason"), Paragraph((Run(facts.reason, fact=True),))]
    blocks += [_label(words, "requests"), Requests(requests)]
    if part == "non_renewal" and facts.contract.separate:
        blocks += [_label(words, "separate"), Paragraph(filled["separate"])]
        blocks.append(_separate(facts, words))
    blocks += [Paragraph(filled["closing"]), Paragraph(filled["regards"])]
    blocks.append(_signature(facts, words))
    return Letter(kind, words, "".join(run.text for run in title), tuple(blocks))


def _middle(part: str, facts: Facts) -> tuple[str, ...]:
    """What stands between opening and facts."""
    own = {"non_renewal": ("caution",), "erasure": ("timing",)}
    return own.get(part, (facts.destination, "timing"))


def _named(facts: Facts, words: Wording, law: Law | None) -> dict[str, str]:
    told = facts.contract
    named = {
        "contract": told.number,
        "customer": told.customer,
        "vendor": told.vendor,
        "clause": told.notice.clause,
        "end": both(words, told.end),
        "destination": facts.destination_name or _gap(words),
    }
    if law is not None:
        days = {one.kind: one.day for one in switching(law, facts.written, facts.written)}
        named |= {
            "notice_end": both(words, days["switch_notice_ends"]),
            "transition_end": both(words, days["switched"]),
            "retrieval_end": both(words, days["retrieval_ends"]),
            "charges_end": both(words, law.charges_end),
            "transition_days": str(law.transition_days_most),
            "retrieval_days": str(law.retrieval_days_least),
        }
    return {key: safe(value) for key, value in named.items()}


def both(words: Wording, day: date) -> str:
    """A day in words and in digits, so that nobody can misread it."""
    return f"{words.day(day)} ({words.digits(day)})"


def safe(value: str) -> str:
    """A fact as plain text: no control characters, no marks that turn the line round."""
    return printable(value, _LONGEST_FACT)


def _gap(words: Wording) -> str:
    return f"________ [{words.labels['blank']}]"


def _label(words: Wording, key: str) -> Heading:
    return Heading((Run(words.labels[key]),))


def _lines_of(*texts: str) -> tuple[str, ...]:
    return tuple(safe(line) for text in texts for line in text.splitlines() if line.strip())


def _head(facts: Facts, words: Wording) -> list[Block]:
    told = facts.contract
    blocks: list[Block] = [
        Address("", _lines_of(told.customer, told.customer_address or _gap(words)))
    ]
    for one in told.notice.addressees:
        lines = _lines_of(told.vendor, one.name, one.address, one.email)
        blocks.append(Address(words.labels["to"], lines))
    blocks.append(Address(words.labels["date"], (both(words, facts.written),)))
    return blocks


def _facts(facts: Facts, words: Wording) -> Grid:
    told, labels = facts.contract, words.labels
    rows = (
        (labels["customer"], told.customer),
        (labels["vendor"], told.vendor),
        (labels["contract"], told.number),
        (labels["orders"], ", ".join(told.orders)),
        (labels["org"], facts.org_id),
        (labels["domain"], told.my_domain),
        (labels["term"], words.span(told.start, told.end)),
        (labels["last_day"], both(words, told.end)),
        (labels["clause"], told.notice.clause),
    )
    return Grid((), tuple((name, safe(value) or _gap(words)) for name, value in rows))


def _lines(facts: Facts, words: Wording) -> Grid:
    labels = words.labels
    return Grid(
        (labels["product"], labels["quantity"], labels["from"], labels["until"]),
        tuple(
            (safe(one.product), str(one.quantity), words.digits(one.start), words.digits(one.end))
            for one in facts.contract.lines
        ),
    )


def _separate(facts: Facts, words: Wording) -> Grid:
    labels = words.labels
    return Grid(
        (labels["separate_vendor"], labels["product"], labels["separate_end"]),
        tuple(
            (safe(one.vendor), safe(one.product), words.digits(one.end) if one.end else "–")
            for one in facts.contract.separate
        ),
    )


def _signature(facts: Facts, words: Wording) -> Signature:
    told, labels = facts.contract, words.labels
    return Signature(
        labels["signature"],
        (
            (labels["signatory"], safe(told.signatory) or _gap(words)),
            (labels["title"], safe(told.signatory_title) or _gap(words)),
            (labels["contact"], safe(told.contact_email) or _gap(words)),
        ),
    )
