"""The data dictionary, compared with the simulated org's own truth."""

from __future__ import annotations

import csv
import gzip
import html.parser
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest
from rig import Rig, small_objects

from sfexit.archive import layout
from sfexit.export.dictionary import entries, filling, page
from sfexit.export.dictionary.filling import Filled
from sfexit.export.dictionary.meaning import Meaning
from sfexit.export.dictionary.meaning import read as read_meanings
from sfexit.export.result import ExportResult
from sfexit.simulated_org import Strange
from sfexit.simulated_org.catalogue import standard_objects
from sfexit.simulated_org.components import LEFT_OVER
from sfexit.simulated_org.schema import make

HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>"


def lines_of(result: ExportResult) -> dict[tuple[str, str], dict[str, str]]:
    assert result.bag is not None
    with (result.bag.path / layout.DICTIONARY).open(encoding="utf-8", newline="") as handle:
        return {(row["object"], row["field"]): row for row in csv.DictReader(handle)}


class Parsed(html.parser.HTMLParser):
    def __init__(self, document: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str] = []
        self.text = ""
        self.feed(document)

    def handle_starttag(self, tag: str, attributes: Any) -> None:
        self.tags.append(tag)
        self.links += [v for k, v in attributes if k in ("href", "src") or k.startswith("on")]

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.fixture
def sized(make_rig: Any) -> Rig:
    more = make(
        "Deal__c",
        "a09",
        "Name string(80) name\nStage__c picklist(generic)\nAmount__c currency(18,2)\n"
        "Twice__c double(18,2) formula=Amount__c~*~2\nItem__c ref(Item__c)\n"
        "Heat__c picklist(generic) set=Heat\n"
        "Sum__c double(18,2) "
        "rollup=sum:Part__c.Price__c:Part__c.Deal__c:Part__c.State__c~equals~Won",
        fixed=37,
    )
    account = make("Account", "001", "Industry picklist(industry)", fixed=5)
    return make_rig(objects=[*small_objects(), more, account])


def test_every_field_is_in_words_and_counted(sized: Rig):
    result = sized.run()
    lines = lines_of(result)
    for line in result.lines:
        if line.rows is None:
            continue
        truth = sized.truth(line.object)
        for column in truth[0] if truth else ():
            row = lines[line.object, column]
            assert int(row["rows_seen"]) == len(truth)
            assert int(row["filled"]) == sum(1 for one in truth if one[column])
    formula = lines["Deal__c", "Twice__c"]
    assert formula["formula"] == "Amount__c * 2"
    assert lines["Deal__c", "Item__c"]["refers_to"] == "Item__c"
    # taken out of use, so only the metadata tell of it
    assert f"{LEFT_OVER} (inactive)" in lines["Deal__c", "Stage__c"]["values"]
    assert "de: " in lines["Deal__c", "Stage__c"]["translations"]
    # of a set that is shared by several fields, and of a standard one
    for place in (("Deal__c", "Heat__c"), ("Account", "Industry")):
        assert f"{LEFT_OVER} (inactive)" in lines[place]["values"], place
        some = lines[place]["values"].split("; ")[0]
        assert f"{some} = " in lines[place]["translations"].partition("fr: ")[2], place
    rollup = "roll-up summary: sum of Part__c.Price__c by Part__c.Deal__c, where Part__c.State__c"
    assert lines["Deal__c", "Sum__c"]["formula"] == f"{rollup} equals Won"
    document = (result.bag.path / layout.DICTIONARY_PAGE).read_text("utf-8")
    parsed = Parsed(document)
    assert "script" not in parsed.tags and parsed.links == []
    assert "Content-Security-Policy" in document
    assert "Amount__c * 2" in parsed.text
    assert "Europe/Berlin" in parsed.text or "Time zone" not in parsed.text


def test_the_counts_are_there_for_programs(sized: Rig):
    result = sized.run()
    told = json.loads(gzip.decompress((result.bag.path / layout.FILLED).read_bytes()))
    assert told["objects"]["Deal__c"]["seen"] == 37


def test_currencies_and_their_rates_are_shown(make_rig: Any):
    [organization] = [one for one in standard_objects() if one.name == "Organization"]
    rig = make_rig(
        objects=[organization, *small_objects()[1:]],
        strange=Strange(currencies=("EUR", "USD"), fiscal_year_start=4),
    )
    result = rig.run()
    parsed = Parsed((result.bag.path / layout.DICTIONARY_PAGE).read_text("utf-8"))
    assert "CurrencyIsoCode" in parsed.text
    assert "USD" in parsed.text and "Currencies" in parsed.text
    assert "Fiscal year begins in month4" in parsed.text
    assert "Fiscal year is named after its first dayyes" in parsed.text


def test_a_table_of_the_org_that_shows_nothing_has_no_headline(make_rig: Any):
    hidden = make("FiscalYearSettings", "022", "Description string(80)", fixed=2)
    rig = make_rig(rows=60, objects=[*small_objects(), hidden])
    html = (rig.run().bag.path / layout.DICTIONARY_PAGE).read_text("utf-8")
    assert 'id="FiscalYearSettings"' in html and "Custom fiscal years" not in html


def test_a_page_that_is_fetched_again_is_counted_again(sized: Rig, monkeypatch: Any):
    """The dictionary is made of what the bag holds at the end."""
    from sfexit.export.dictionary import stage

    real, taken = stage.Dictionary.take, []

    def take(self: stage.Dictionary) -> None:
        real(self)
        if not taken:
            for victim in sorted(sized.root.rglob("Memo__c.g*.csv.gz"))[:1]:
                victim.write_bytes(b"damaged")
        taken.append(1)

    monkeypatch.setattr(stage.Dictionary, "take", take)
    lines = lines_of(sized.run())
    assert len(taken) > 1
    assert lines["Memo__c", "Id"]["filled"] == "48"


# ---- parts --------------------------------------------------------------------------------------


def entry_of(**field: Any) -> entries.ObjectEntry:
    described = {
        "name": "X__c",
        "label": HOSTILE,
        "fields": [{"name": "F__c", "label": HOSTILE, "type": "picklist", **field}],
        "recordTypeInfos": [
            {"name": HOSTILE, "developerName": "Big", "active": False},
            {"name": "Master", "developerName": "Master", "active": True, "master": True},
        ],
    }
    return entries.entry(described, {}, Filled(10, {"F__c": 3}), 12)


def test_hostile_text_stays_text():
    one = entry_of(
        inlineHelpText=HOSTILE,
        calculatedFormula=HOSTILE,
        picklistValues=[{"value": HOSTILE, "label": "\ud800", "active": False}],
        referenceTo=[HOSTILE],
    )
    document = b"".join(
        page.pieces(
            HOSTILE, {HOSTILE: HOSTILE}, {HOSTILE: [[HOSTILE], [HOSTILE]]}, [one], [HOSTILE]
        )
    ).decode("utf-8")
    parsed = Parsed(document)
    assert not {"script", "img", "iframe", "a"} & set(parsed.tags)
    assert parsed.links == []
    assert parsed.text.count("<script>alert(1)</script>") >= 10
    assert "Big" in parsed.text and "Master" not in parsed.text


def test_record_types_are_told_by_the_id_that_rows_hold():
    described = {
        "name": "X__c",
        "label": "X",
        "fields": [{"name": "RecordTypeId", "type": "reference", "referenceTo": ["RecordType"]}],
        "recordTypeInfos": [
            {
                "name": "Partner",
                "developerName": "Partner_X",
                "recordTypeId": "012AA",
                "active": True,
            },
            {"name": "Old", "developerName": "Old_X", "recordTypeId": "012BB", "active": False},
        ],
    }
    meaning = Meaning(values={"de": {"Partner_X": "Partnerin"}})
    one = entries.entry(described, {("X__c", "RecordTypeId"): meaning}, None, None)
    [cells] = [dict(zip(entries.COLUMNS, line, strict=True)) for line in entries.cells(one)]
    assert cells["values"] == "012AA = Partner (Partner_X); 012BB = Old (Old_X) (inactive)"
    assert cells["translations"] == "de: [Partner_X = Partnerin]"


def test_a_picklist_says_what_its_values_depend_on():
    one = entry_of(controllerName="Country__c")
    [cells] = [dict(zip(entries.COLUMNS, line, strict=True)) for line in entries.cells(one)]
    assert cells["controlled_by"] == "Country__c"
    document = b"".join(page.pieces("T", {}, {}, [one], [])).decode()
    assert "depends on Country__c" in Parsed(document).text


META = 'xmlns="http://soap.sforce.com/2006/04/metadata"'


def packed(path: Path, files: dict[str, str]) -> Path:
    """A ZIP of the metadata with these files."""
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def test_what_the_metadata_say_in_their_odder_forms(tmp_path: Path):
    """Shared sets with and without their ending, packaged objects, nouns with cases."""
    files = {
        "unpackaged/objects/Deal__c.object": f"<CustomObject {META}><fields><fullName>Heat__c"
        "</fullName><valueSet><restricted>true</restricted><valueSetName>Heat</valueSetName>"
        "</valueSet></fields><fields><fullName>Count__c</fullName><summaryForeignKey>Part__c.Deal__c"
        "</summaryForeignKey><summaryOperation>count</summaryOperation></fields></CustomObject>",
        "unpackaged/globalValueSets/Heat__gvs.globalValueSet": f"<GlobalValueSet {META}>"
        "<customValue><fullName>Tepid</fullName><isActive>false</isActive><label>Lukewarm</label>"
        "</customValue><customValue><fullName>Hot</fullName></customValue></GlobalValueSet>",
        "unpackaged/globalValueSetTranslations/Heat-pt_BR.globalValueSetTranslation":
        f"<GlobalValueSetTranslation {META}><valueTranslation><masterLabel>Hot</masterLabel>"
        "<translation>Quente</translation></valueTranslation><valueTranslation><masterLabel>Tepid"
        "</masterLabel><translation><!-- Tepid --></translation></valueTranslation>"
        "</GlobalValueSetTranslation>",
        "unpackaged/objectTranslations/Deal-Acme__c-fr.objectTranslation":
        f"<CustomObjectTranslation {META}><caseValues><plural>true</plural><value>Affaires</value>"
        "</caseValues><caseValues><plural>false</plural><value>Affaire</value></caseValues>"
        "<fields><name>AccountId</name><caseValues><plural>false</plural><value>Compte</value>"
        "</caseValues></fields><nameFieldLabel>Nom</nameFieldLabel><recordTypes><label>Grosse"
        "</label><name>Big</name></recordTypes></CustomObjectTranslation>",
    }  # fmt: skip
    found = read_meanings([packed(tmp_path / "a.zip", files)])
    heat = found["Deal__c", "Heat__c"]
    assert heat.inactive == {"Tepid": "Lukewarm"}
    assert dict(heat.values) == {"pt_BR": {"Hot": "Quente"}}
    assert found["Deal__c", "Count__c"].formula == "roll-up summary: count by Part__c.Deal__c"
    assert found["Acme__Deal__c", ""].labels == {"fr": "Affaire"}
    assert found["Acme__Deal__c", "AccountId"].labels == {"fr": "Compte"}
    assert found["Acme__Deal__c", "Name"].labels == {"fr": "Nom"}
    assert found["Acme__Deal__c", "RecordTypeId"].values["fr"] == {"Big": "Grosse"}
    one = entries.entry({"name": "Acme__Deal__c", "label": "Deal"}, found, None, 1)
    assert "fr: Affaire" in Parsed(b"".join(page.pieces("T", {}, {}, [one], [])).decode()).text


def test_the_values_that_a_record_type_allows(tmp_path: Path):
    """Its own, those of its business process, and those of people, whose rows are accounts."""
    files = {
        "unpackaged/objects/Opportunity.object": f"<CustomObject {META}><recordTypes><fullName>Big"
        "</fullName><active>true</active><businessProcess>Long</businessProcess><picklistValues>"
        "<picklist>Type</picklist><values><fullName>New %2F old</fullName><default>true</default>"
        "</values><values><fullName>50%25</fullName><default>false</default></values>"
        "</picklistValues><picklistValues><picklist>Heat__c</picklist></picklistValues>"
        "</recordTypes><businessProcesses><fullName>Long</fullName><values><fullName>Closed Won"
        "</fullName></values></businessProcesses></CustomObject>",
        "unpackaged/objects/PersonAccount.object": f"<CustomObject {META}><recordTypes><fullName>"
        "Person</fullName><picklistValues><picklist>Industry</picklist><values><fullName>Arts"
        "</fullName></values></picklistValues></recordTypes></CustomObject>",
    }  # fmt: skip
    found = read_meanings([packed(tmp_path / "a.zip", files)])
    assert found["Opportunity", "Type"].allowed == {"Big": "New / old (default), 50%"}
    assert found["Opportunity", "Heat__c"].allowed == {"Big": ""}
    assert found["Opportunity", "StageName"].allowed == {"Big": "Closed Won"}
    assert found["Account", "Industry"].allowed == {"Person": "Arts"}
    described = {"name": "Opportunity", "fields": [{"name": "Type"}, {"name": "Heat__c"}]}
    one = entries.entry(described, found, None, 1)
    told = [dict(zip(entries.COLUMNS, line, strict=True)) for line in entries.cells(one)]
    assert [cells["values_by_record_type"] for cells in told] == [
        "Big: New / old (default), 50%", "Big: ",
    ]  # fmt: skip
    shown = Parsed(b"".join(page.pieces("T", {}, {}, [one], [])).decode()).text
    assert "Record type Big: New / old (default), 50%" in shown
    assert "Record type Big: no value" in shown


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "\n"])
def test_no_cell_is_a_formula_to_a_spreadsheet(start: str):
    one = entry_of(inlineHelpText=f"{start}1+1", calculatedFormula=f"{start}HYPERLINK(1)")
    for cells in entries.cells(one):
        assert not [cell for cell in cells if cell.startswith(start)]
        "".join(cells).encode("utf-8")


def test_a_field_without_a_column_says_why():
    described = {"name": "X", "fields": [{"name": "Body", "type": "base64"}]}
    one = entries.entry(described, {}, Filled(3, {"Id": 3}), 3, {"Body": "its bytes are files"})
    [cells] = [dict(zip(entries.COLUMNS, line, strict=True)) for line in entries.cells(one)]
    assert (cells["in_archive"], cells["why_not"]) == ("false", "its bytes are files")
    document = b"".join(page.pieces("T", {}, {}, [one], [])).decode()
    assert "no column: its bytes are files" in Parsed(document).text


def test_a_long_table_is_folded_up_above_the_objects():
    def tags(lines: int) -> list[str]:
        rows = [["IsoCode", "Rate"], *([["EUR", "1.0"]] * lines)]
        return Parsed(b"".join(page.pieces("T", {}, {"Rates": rows}, [], [])).decode()).tags

    assert "details" not in tags(10) and "details" in tags(300)


def test_a_describe_without_anything_is_an_entry():
    assert entries.entry({}, {}, None, None).fields == ()
    [line] = entry_of(picklistValues="odd", referenceTo=None, length=True).fields
    assert (line.values, line.length) == ((), 0)
    assert (line.seen, line.filled) == (10, 3)


def write_page(folder: Path, name: str, rows: list[list[str]]) -> dict[str, Any]:
    with gzip.open(folder / name, "wt", encoding="utf-8", newline="") as handle:
        csv.writer(handle, quoting=csv.QUOTE_ALL, lineterminator="\n").writerows(rows)
    return {"path": name, "rows": len(rows) - 1}


def test_filled_cells_are_counted_whatever_they_hold(tmp_path: Path):
    header = ["Id", "A", "B"]
    rows = [["1", "", "x"], ["2", 'a","b', ""], ["3", "\r\n", "\0"], ["4", '""', " "]]
    pages = [write_page(tmp_path, f"p{n}", [header, *rows]) for n in range(3)]
    found = filling.count(tmp_path, pages, header)
    assert found == Filled(12, {"Id": 12, "A": 9, "B": 9})


def test_of_many_rows_evenly_spread_pages_are_counted():
    pages = [{"path": str(n), "rows": 100} for n in range(1000)]
    some = filling.chosen(pages, 500)
    assert [int(page["path"]) for page, _ in some] == list(range(0, 1000, 100))
    assert {most for _, most in some} == {50}
    assert filling.chosen(pages[:3], 300) == [(page, 100) for page in pages[:3]]
    assert len(filling.chosen(pages, 1)) == 1


def test_no_more_rows_are_counted_than_wanted(tmp_path: Path):
    header = ["Id", "A"]
    rows = [[str(n), "x" if n % 2 else ""] for n in range(5_000)]
    pages = [write_page(tmp_path, f"p{n}", [header, *rows]) for n in range(2)]
    found = filling.count(tmp_path, pages, header, most_rows=6_000)
    assert found == Filled(6_000, {"Id": 6_000, "A": 3_000})
