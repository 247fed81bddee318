"""What other exporters were seen to let pass: one test each, in which it is noticed live.

Every digest, count and list of the bag agrees again: only the org can tell. Tests are named by
what happened; the same defects, as an archive shows them by itself, are in verify/test_peers.py.
"""

from __future__ import annotations

import csv
import gzip
import hashlib
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from live_rig import Forger, LiveRig, Row, chosen, custom

from sfexit.errors import Paused
from sfexit.simulated_org.visibility import SimulatedUser, clerk
from sfexit.verify.verdict import Judgement, Verdict

INDEX = "data/files/index.csv.gz"
#: What people type, in the order of the rows that get it.
DIRTY = {
    "line breaks": "first\nsecond\rthird\r\nfourth",
    "zeros": "01234",
    "no value": "NA",
    "no value either": "N/A",
    "none": "None",
    "null": "null",
    "nul": "before\0after",
    "back slash": "C:\\new\\table",
    "quotes": 'he said "no", twice',
    "large": "001234567890123456789",
    # One character more than a cell of a spreadsheet holds (Microsoft, "Excel specifications and
    # limits": 32,767 characters, 1,048,576 rows).
    "long": "Grüße " + "x" * 32_762,
}


@pytest.fixture(scope="module")
def rig() -> Iterator[LiveRig]:
    memory = Path("/dev/shm")
    folder = Path(tempfile.mkdtemp(prefix="sfexit-", dir=memory if memory.is_dir() else None))
    objects = [
        *chosen("Account", "Contact", "Task", "Attachment", "ContentDocument", "ContentVersion",
                "ContentDocumentLink", "EmailMessage"),
        custom("Thing__c", "a01", rows=300),
    ]  # fmt: skip
    made = LiveRig(folder, objects=objects, rows=1_200, seed=11, query_all_files=True)
    for number, text in enumerate(DIRTY.values()):
        made.org.give_values("Thing__c", [number], {"Text__c": text})
    made.org.insert_rows("Thing__c", 5)  # in one moment
    made.export()
    yield made
    made.close()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def forger(rig: LiveRig, fast_folder: Path) -> Forger:
    return Forger(Path(shutil.copytree(rig.bag, fast_folder / "bag")))


def keys(judged: Judgement) -> set[str]:
    return {one.key for one in judged.findings if one.severity != "note"}


def noticed(rig: LiveRig, forger: Forger, key: str, **options: object) -> None:
    """Verifying the forged bag says NOT SAFE, and names it."""
    judged = rig.judge(forger.done(), **options)
    assert judged.verdict is Verdict.NOT_SAFE
    assert any(one.startswith(key) for one in keys(judged)), (key, keys(judged))


def test_as_it_is_it_is_safe(rig: LiveRig) -> None:
    judged = rig.judge(sample=100_000, deep=True)
    assert judged.verdict is Verdict.SAFE, keys(judged)
    assert {text for row in rig.org.truth("Thing__c") for text in row.values()} >= {*DIRTY.values()}


# --- rows or objects missing, and nobody said so

Keep = Callable[[list[Row]], list[Row]]


def created(row: Row) -> str:
    return row["CreatedDate"]


def one_of_each_moment(rows: list[Row]) -> list[Row]:
    """Of rows that were created in one moment, one is kept: a cursor that asks for later ones."""
    return list({row["CreatedDate"]: row for row in rows}.values())


def first_half(rows: list[Row]) -> set[str]:
    """The parents that stood in the part of an IN list that was sent."""
    parents = sorted({row["ContentDocumentId"] for row in rows})
    return set(parents[: len(parents) // 2])


ROWS: dict[str, tuple[str, Keep, str]] = {
    "only_the_first_result_page_came": ("Thing__c", lambda rows: rows[:60], "row-missing:Thing__c"),
    "a_ceiling_of_200_rows": ("Thing__c", lambda rows: rows[:200], "row-missing:Thing__c"),
    "one_sixth_of_the_rows": ("Thing__c", lambda rows: rows[::6], "row-missing:Thing__c"),
    "half_an_object_kept_after_page_two_failed": (
        "Account", lambda rows: rows[: len(rows) // 2], "row-missing:Account",
    ),
    "zero_records_read_and_green": ("Thing__c", lambda rows: rows[:0], "row-missing:Thing__c"),
    "one_row_less_in_the_file_than_on_the_screen": (
        "Thing__c", lambda rows: rows[:-1], "row-missing:Thing__c:a01",
    ),
    "archived_tasks_invisible": (
        "Task", lambda rows: [row for row in rows if row["IsArchived"] == "false"],
        "row-missing:Task:00T",
    ),
    "deleted_rows_not_included": (
        "Thing__c", lambda rows: [row for row in rows if row["IsDeleted"] == "false"],
        "row-missing:Thing__c:a01",
    ),
    "rows_older_than_a_default_start_date": (
        "Thing__c",
        lambda rows: sorted(rows, key=created)[len(rows) // 2 :],
        "row-missing:Thing__c",
    ),
    "weeks_of_rows_missing_in_the_middle": (
        "Thing__c",
        lambda rows: sorted(rows, key=created)[:100] + sorted(rows, key=created)[140:],
        "row-missing:Thing__c",
    ),
    "rows_of_one_time_stamp_partly_missing": (
        "Thing__c", one_of_each_moment, "row-missing:Thing__c",
    ),
    "rows_beyond_the_last_one_of_a_spreadsheet": (
        # 1,048,576 of them would do; what counts is that the end is missing, in any object.
        "Thing__c", lambda rows: rows[:256], "row-missing:Thing__c",
    ),
    "children_of_parents_behind_the_end_of_a_list_that_was_cut": (
        "ContentDocumentLink",
        lambda rows: [row for row in rows if row["ContentDocumentId"] in first_half(rows)],
        "row-missing:ContentDocumentLink",
    ),
    "more_there_than_expected": (
        "Account",
        lambda rows: [*rows, {**rows[0], "Id": rows[0]["Id"][:12] + "zzzAAA"}],
        "row-extra:Account",
    ),
    "links_of_a_file_to_several_records_lost": (
        "ContentDocumentLink", lambda rows: rows[::2], "row-missing:ContentDocumentLink",
    ),
    "attachments_of_mails_not_moved": (
        "Attachment", lambda rows: rows[1:], "row-missing:Attachment",
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", ROWS)
def test_rows(what: str, rig: LiveRig, forger: Forger) -> None:
    name, keep, key = ROWS[what]
    counts: list[tuple[int, int]] = []

    def edit(rows: list[Row]) -> list[Row]:
        kept = keep(rows)
        counts.append((len(rows), len(kept)))
        return kept

    forger.rows(name, edit)
    assert counts[0][0] != counts[0][1], "else nothing was done"
    noticed(rig, forger, key)


def test_rows_that_moved_during_the_run_are_lost(fast_folder: Path) -> None:
    """Rows whose time stamp moves between two pages of a cursor over it never come."""
    rig = LiveRig(fast_folder / "org", objects=[*chosen("Account"), custom("Thing__c", "a01")])
    try:
        rig.export()
        moved = rig.org.update_rows("Thing__c", [3, 4])
        forger = Forger(Path(shutil.copytree(rig.bag, fast_folder / "bag")))
        forger.rows("Thing__c", lambda rows: [row for row in rows if row["Id"] not in moved])
        found = keys(rig.judge(forger.done()))
        assert {f"row-missing:Thing__c:{one}" for one in moved} <= found
    finally:
        rig.close()


def test_an_object_that_no_list_of_tables_has(rig: LiveRig, forger: Forger) -> None:
    forger.without_object("Thing__c", line=True)
    noticed(rig, forger, "object-unknown:Thing__c")


def test_an_object_that_failed_told_as_empty(rig: LiveRig, forger: Forger) -> None:
    forger.without_object("Contact")
    forger.ledger("Contact", outcome="empty", rows="0", deleted_rows="0", witnesses="")
    noticed(rig, forger, "row-missing:Contact")


def test_a_field_missing_since_the_first_rows_were_empty(rig: LiveRig, forger: Forger) -> None:
    forger.rows("Thing__c", lambda rows: [{k: v for k, v in row.items() if k != "Price__c"}
                                          for row in rows])  # fmt: skip
    noticed(rig, forger, "field-left-out:Thing__c::Price__c")


def test_out_of_quota_is_a_pause_and_never_a_success(rig: LiveRig) -> None:
    rig.org.spend_quota()
    try:
        with pytest.raises(Paused):
            rig.look()
    finally:
        rig.org.restore_quota()


# --- values damaged

VALUES: dict[str, tuple[str, Callable[[str], str]]] = {
    "line_breaks_vanish": ("line breaks", lambda text: text.replace("\n", " ")),
    "carriage_returns_vanish": ("line breaks", lambda text: text.replace("\r", "")),
    "a_value_with_a_line_break_is_cut_there": ("line breaks", lambda text: text.split("\n")[0]),
    "leading_zeros_go": ("zeros", lambda text: text.lstrip("0")),
    "a_text_becomes_a_number": ("zeros", lambda text: f"{float(text)}"),
    "a_long_number_becomes_a_power": ("large", lambda text: f"{float(text):.1e}"),
    "NA_becomes_null": ("no value", lambda _: ""),
    "N/A_becomes_null": ("no value either", lambda _: ""),
    "None_becomes_null": ("none", lambda _: ""),
    "the_word_null_becomes_null": ("null", lambda _: ""),
    "a_cell_cut_where_a_spreadsheet_ends": ("long", lambda text: text[:32_767]),
    "nul_is_dropped": ("nul", lambda text: text.replace("\0", "")),
    "back_slashes_doubled": ("back slash", lambda text: text.replace("\\", "\\\\")),
    "back_slashes_read_as_escapes": ("back slash", lambda text: text.replace("\\n", "\n")),
    "quotes_doubled": ("quotes", lambda text: text.replace('"', '""')),
    "a_stray_quote_ends_the_value": ("quotes", lambda text: text.split('"')[0]),
}


@pytest.mark.parametrize("what", VALUES)
def test_values(what: str, rig: LiveRig, forger: Forger) -> None:
    name, change = VALUES[what]
    touched: list[str] = []

    def edit(rows: list[Row]) -> list[Row]:
        for row in rows:
            if row["Text__c"] == DIRTY[name]:
                row["Text__c"] = change(row["Text__c"])
                touched.append(row["Id"])
        return rows

    forger.rows("Thing__c", edit)
    judged = rig.judge(forger.done(), full_values=frozenset({"Thing__c"}), sample=0)
    assert judged.verdict is Verdict.NOT_SAFE
    found = [one for one in judged.findings if one.record_id == touched[0]]
    assert found and all("Text__c" in (one.field, *one.detail.split()) for one in found), found


def test_a_cut_cell_is_among_the_few_that_are_looked_for(rig: LiveRig, forger: Forger) -> None:
    """The longest text of an object is read again, though no row is drawn."""
    forger.rows("Thing__c", lambda rows: [{**row, "Text__c": row["Text__c"][:32_767]}
                                          for row in rows])  # fmt: skip
    noticed(rig, forger, "value-differs:Thing__c", sample=0)


def test_columns_shifted_by_one(rig: LiveRig, forger: Forger) -> None:
    def shift(rows: list[Row]) -> list[Row]:
        rows[5]["Text__c"], rows[5]["Name"] = rows[5]["Name"], rows[5]["Text__c"]
        return rows

    forger.rows("Thing__c", shift)
    noticed(rig, forger, "row-stale:Thing__c", full_values=frozenset({"Thing__c"}))


def test_ids_that_became_numbers(rig: LiveRig, forger: Forger) -> None:
    forger.rows("Thing__c", lambda rows: [{**rows[0], "Id": "8.2e+17"}, *rows[1:]])
    judged = rig.judge(forger.done())
    assert judged.verdict is Verdict.NOT_SAFE


# --- permissions hide data in silence


def test_a_column_that_is_all_null_since_nobody_could_read_it(rig: LiveRig, forger: Forger) -> None:
    forger.rows("Thing__c", lambda rows: [{**row, "Price__c": ""} for row in rows])
    noticed(rig, forger, "value-differs:Thing__c", sample=200)


@pytest.mark.parametrize(
    ("what", "user", "key"),
    [
        ("a field without access disappears",
         SimulatedUser("E", view_all_fields=False, hidden_fields={"Thing__c": ("Price__c",)}),
         "field-left-out:Thing__c::Price__c"),
        ("an object without access disappears", SimulatedUser("E", hidden_objects=("Thing__c",)),
         "object-left-out:Thing__c"),
        ("rows of others are hidden by sharing", clerk(own_rows_only=("Thing__c",)),
         "row-missing:Thing__c"),
    ],
    ids=lambda one: one.replace(" ", "-") if isinstance(one, str) and " " in one else "",
)  # fmt: skip
def test_what_the_exporter_could_not_see_is_missed_by_one_who_can(
    what: str, user: SimulatedUser, key: str, fast_folder: Path
) -> None:
    rig = LiveRig(fast_folder / "org", objects=[*chosen("Account"), custom("Thing__c", "a01")])
    try:
        rig.token = rig.org.sign_in(user)
        rig.export()
        rig.token = rig.org.access_token
        judged = rig.judge()
        assert judged.verdict is Verdict.NOT_SAFE
        [reason, *_] = [one for one in judged.findings if one.key.startswith(key)]
        assert reason.remedy, "and what to do about it"
    finally:
        rig.close()


def test_values_of_a_field_that_nobody_reads_any_more_do_not_linger(fast_folder: Path) -> None:
    """A refresh by a user who lost a field must not pass its old values for today's."""
    rig = LiveRig(fast_folder / "org", objects=[*chosen("Account"), custom("Thing__c", "a01")])
    try:
        rig.export()
        rig.token = rig.org.sign_in(
            SimulatedUser("E", view_all_fields=False, hidden_fields={"Thing__c": ("Price__c",)})
        )
        rig.org.give_values("Thing__c", [3], {"Price__c": "77.77"})
        rig.export(refresh=True)
        rig.token = rig.org.access_token
        judged = rig.judge(sample=0)
        assert judged.verdict is Verdict.NOT_SAFE
        assert "field-left-out:Thing__c::Price__c" in keys(judged)
    finally:
        rig.close()


@pytest.mark.parametrize(
    ("permission", "user"),
    [
        ("Query All Files", SimulatedUser("V", query_all_files=False)),
        ("View Setup and Configuration", SimulatedUser("V", view_setup=False)),
        ("View Encrypted Data", SimulatedUser("V", view_encrypted=False)),
        ("Query Non Vetoed Files", SimulatedUser("V", holds=("QueryNonVetoedFiles",))),
    ],
)
def test_a_permission_that_administrators_lack_is_named(
    permission: str, user: SimulatedUser, fast_folder: Path
) -> None:
    rig = LiveRig(
        fast_folder / "org",
        objects=chosen("Account", "Contact", "ContentDocument", "ContentVersion"),
        rows=90,
    )
    try:
        rig.export()
        rig.token = rig.org.sign_in(user)
        judged = rig.judge()
        assert judged.verdict is not Verdict.SAFE
        assert f"blind-spot:{permission}" in keys(judged)
    finally:
        rig.close()


# --- files

Line = dict[str, str]


def index(forger: Forger, edit: Callable[[list[Line]], list[Line]]) -> list[Line]:
    """Change the lines of the index of files; those before."""
    path = forger.bag / INDEX
    text = gzip.decompress(path.read_bytes()).decode()
    old = list(csv.DictReader(text.splitlines()))
    before = [dict(one) for one in old]
    rows = [list(before[0]), *([row[name] for name in before[0]] for row in edit(old))]
    text = "".join(",".join(f'"{cell}"' for cell in row) + "\n" for row in rows)
    path.write_bytes(gzip.compress(text.encode()))
    return before


def of(name: str, lines: list[Line]) -> list[Line]:
    return [one for one in lines if one["object"] == name]


def test_versions_of_one_title_overwrite_each_other(rig: LiveRig, forger: Forger) -> None:
    def edit(lines: list[Line]) -> list[Line]:
        first, second = of("ContentVersion", lines)[:2]
        for column in ("path", "bytes", "sha256", "salesforce_md5", "salesforce_bytes"):
            first[column] = second[column]
        return lines

    before = index(forger, edit)
    record = of("ContentVersion", before)[0]["record_id"]
    noticed(rig, forger, f"body-differs:ContentVersion:{record}")


def test_only_the_latest_version_is_kept(rig: LiveRig, forger: Forger) -> None:
    before = index(forger, lambda ls: [x for x in ls if x["is_latest"] != "false"])
    gone = [x["record_id"] for x in before if x["is_latest"] == "false"]
    noticed(rig, forger, f"body-left-out:ContentVersion:{min(gone)}")


@pytest.mark.parametrize(
    ("what", "name", "keep"),
    [
        ("no classic attachments", "Attachment", lambda lines: []),
        ("a script that stops after some", "Attachment", lambda lines: lines[:2]),
        ("one broken file blocks its folder", "ContentVersion", lambda lines: lines[:-3]),
    ],
    ids=lambda one: one.replace(" ", "-") if isinstance(one, str) else "",
)
def test_bodies_that_never_came(
    what: str, name: str, keep: Callable[[list[Line]], list[Line]], rig: LiveRig, forger: Forger
) -> None:
    kept: list[Line] = []

    def edit(lines: list[Line]) -> list[Line]:
        kept[:] = keep(of(name, lines))
        return [one for one in lines if one["object"] != name] + kept

    before = index(forger, edit)
    gone = [x for x in of(name, before) if x not in kept]
    assert gone
    noticed(rig, forger, f"body-left-out:{name}:{min(x['record_id'] for x in gone)}")


def with_body(forger: Forger, name: str, change: Callable[[bytes], bytes], *, told: bool) -> str:
    """Change the body of an object's first line; with `told` the index fits the new bytes."""
    changed: list[str] = []

    def edit(lines: list[Line]) -> list[Line]:
        one = next(x for x in of(name, lines) if int(x["bytes"]) > 10)
        path = forger.bag / "data" / one["path"]
        path.write_bytes(change(path.read_bytes()))
        if told:
            one["bytes"] = one["salesforce_bytes"] = str(path.stat().st_size)
            one["sha256"] = hashlib.sha256(path.read_bytes()).hexdigest()
            if one["salesforce_md5"]:
                one["salesforce_md5"] = hashlib.md5(path.read_bytes()).hexdigest()
        changed.append(one["record_id"])
        return lines

    index(forger, edit)
    return changed[0]


@pytest.mark.parametrize("name", ["Attachment", "ContentVersion"])
def test_a_stump_of_a_download_blessed_by_its_own_digest(
    name: str, rig: LiveRig, forger: Forger
) -> None:
    record = with_body(forger, name, lambda data: data[: len(data) // 2], told=True)
    noticed(rig, forger, f"body-differs:{name}:{record}")


def test_two_downloads_interleaved_in_one_file(rig: LiveRig, forger: Forger) -> None:
    record = with_body(forger, "ContentVersion", lambda data: data[::-1], told=True)
    noticed(rig, forger, f"body-differs:ContentVersion:{record}")


def test_attachments_of_one_name_overwritten_at_the_same_size(rig: LiveRig, forger: Forger) -> None:
    record = with_body(forger, "Attachment", lambda data: bytes(len(data)), told=True)
    noticed(rig, forger, f"body-differs:Attachment:{record}", deep=True)


def test_an_error_page_saved_as_a_file(rig: LiveRig, forger: Forger) -> None:
    record = with_body(
        forger, "ContentVersion", lambda _: b"<html>Service unavailable</html>", told=True
    )
    noticed(rig, forger, f"body-differs:ContentVersion:{record}")


def test_a_file_of_no_bytes_is_not_missing(rig: LiveRig) -> None:
    text = gzip.decompress((rig.bag / INDEX).read_bytes()).decode()
    assert any(one["bytes"] == "0" for one in csv.DictReader(text.splitlines()))
    judged = rig.judge(deep=True)
    assert judged.verdict is Verdict.SAFE, keys(judged)
