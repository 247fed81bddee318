"""Images in rich text that stand in several records, not each of which gives them."""

from __future__ import annotations

import csv
import gzip
from collections import Counter
from typing import Any

import pytest
from rig import Rig, ledger_of

from sfexit.archive import layout
from sfexit.export.files.listing import references
from sfexit.export.result import ExportResult
from sfexit.simulated_org import Doubts
from sfexit.simulated_org.catalogue import standard_objects
from sfexit.verify import images
from sfexit.verify.codes import Level
from sfexit.verify.offline import Options, verify_offline
from sfexit.verify.verdict import Verdict

NAME, FIELD = "Invoice__c", "Remark__c"
OWN = 7  # a live row; those before are read before it
GONE = 4  # of no row


def make(make_rig: Any, **doubts: bool) -> Rig:
    names = {"Organization", "User", "Profile", "Account", NAME}
    objects = [one for one in standard_objects() if one.name in names]
    rig: Rig = make_rig(rows=900, objects=objects, doubts=Doubts(**doubts))
    table = rig.org.tables.tables[NAME]
    rig.org.update_rows(NAME, list(range(table.total(table.changes))), {FIELD: None})
    return rig


def text_of(rig: Rig, row: int) -> str:
    """What the editor writes for the image that somebody put into a row."""
    return rig.org.tables.bodies.image_text(rig.org.tables.tables[NAME], FIELD, row)


def show(rig: Rig, image_of: int, rows: list[int]) -> None:
    rig.org.update_rows(NAME, rows, {FIELD: text_of(rig, image_of)})


def places(result: ExportResult) -> tuple[Counter[str], Counter[str]]:
    """How often each image is in the index, and among the exceptions by kind."""
    assert result.bag is not None
    bag = result.bag.path
    with gzip.open(bag / layout.FILES_INDEX, "rt", encoding="utf-8", newline="") as handle:
        here = [one for one in csv.DictReader(handle) if one["reference"]]
    with (bag / layout.BODY_EXCEPTIONS).open(encoding="utf-8", newline="") as handle:
        absent = [one for one in csv.DictReader(handle) if one["reference"]]
    assert len({(one["record_id"], one["reference"]) for one in here + absent}) == len(
        here + absent
    )
    return Counter(one["reference"] for one in here), Counter(one["kind"] for one in absent)


def asked(rig: Rig) -> int:
    return sum("/richTextImageFields/" in one.path for one in rig.server.requests)


def insist_on_intact(rig: Rig) -> None:
    proven = verify_offline(rig.root, Options(level=Level.DEEP, workers=1)).judgement
    assert proven.verdict is Verdict.INTACT, proven


def test_what_a_deleted_record_does_not_give_its_copy_does(make_rig: Any) -> None:
    rig = make(make_rig)
    show(rig, 3, [3, 11, 13])
    rig.org.delete_rows(NAME, [3])
    result = rig.run()
    here, absent = places(result)
    assert (list(here.values()), absent) == ([3], Counter())
    assert not result.incomplete
    assert asked(rig) == 1
    insist_on_intact(rig)


@pytest.mark.parametrize("before", [[1], [1, 3, 5, 9, 11]])
def test_a_copy_that_is_read_first_is_not_the_last_word(make_rig: Any, before: list[int]) -> None:
    rig = make(make_rig, copied_images=False)
    show(rig, OWN, [*before, OWN])
    result = rig.run()
    here, absent = places(result)
    assert (list(here.values()), absent) == ([len(before) + 1], Counter())
    assert asked(rig) == 1, "the record that the address names is asked first"
    insist_on_intact(rig)


def test_a_deleted_record_is_asked_when_its_copies_do_not_give(make_rig: Any) -> None:
    rig = make(make_rig, copied_images=False, bodies_of_deleted_records=True)
    show(rig, 3, [3, *range(11, 31)])
    rig.org.delete_rows(NAME, [3])
    here, absent = places(rig.run())
    assert (list(here.values()), absent) == ([21], Counter())
    assert asked(rig) == 4, "three of its copies, and itself"
    insist_on_intact(rig)


def test_every_place_of_an_image_that_nobody_gives_is_named(make_rig: Any) -> None:
    rig = make(make_rig, copied_images=False)
    rows = list(range(1, 40))
    show(rig, 10_000, rows)  # of another org, say
    rig.org.delete_rows(NAME, [5, 6])
    result = rig.run()
    here, absent = places(result)
    table = rig.org.tables.tables[NAME]
    bin_rows = sum(table.deleted(table.changes, row) for row in rows)
    assert not here
    assert absent == {"gone": len(rows) - bin_rows, "deleted": bin_rows}
    assert asked(rig) <= 6, "not once for each of them"
    assert result.bag is not None
    line = ledger_of(result.bag.path)[NAME]
    assert result.incomplete and "not found" in line.reason
    assert "open its record and see whether it shows" in line.remedy
    insist_on_intact(rig)


ADDRESS = "https://x.file.force.com/servlet/rtaImage?eid=0015g00000AbCdE&amp;refid=0EM5g000000AbCd"
SHOWN = {
    "as the editor writes it": f'<img alt="x" src="{ADDRESS}"></img>',
    "capitals and the other quotes": f"<IMG ALT='x' SRC='{ADDRESS}'/>",
    "no quotes": f"<img src={ADDRESS} alt=x>",
    "signs of tags in a text about it": f'<img alt="a > b < c" src="{ADDRESS}">',
    "an apostrophe in a text about it": f'<img alt="it&apos;s, it\'s" src="{ADDRESS}">',
    "numbers for signs": '<img src="{}">'.format(ADDRESS.replace("&amp;", "&#38;")),
    "behind another": f'<img src="https://example.com/logo.png"><img src="{ADDRESS}">',
    "on two lines": f'<img\n src =\n "{ADDRESS}">',
    "a path alone": '<img src="{}">'.format(ADDRESS.partition(".com")[2]),
}
NOT_SHOWN = {
    "a link": f'<a href="{ADDRESS}">here</a>',
    "a text about a tag": f'<img src="x">&lt;img src="{ADDRESS}"&gt;',
    "no id": '<img src="{}">'.format(ADDRESS.replace("0EM5g000000AbCd", "0EM5g")),
    "a word": "<img src='x'> rtaImage",
}


@pytest.mark.parametrize("how", SHOWN)
def test_an_image_is_found_however_it_is_written(how: str) -> None:
    assert list(references(SHOWN[how])) == ["0EM5g000000AbCdGAK"] == images.shown(SHOWN[how])
    assert set().union(*references(SHOWN[how]).values()) == {"0015g00000AbCdEAAV"}


@pytest.mark.parametrize("how", NOT_SHOWN)
def test_what_shows_no_image_names_none(how: str) -> None:
    assert references(NOT_SHOWN[how]) == {} and images.shown(NOT_SHOWN[how]) == []
