"""Which filter, and whose values: conditions, chunks, guesses."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sfexit.archive.durable import Disk
from sfexit.catalog import Description, Field, ObjectEntry
from sfexit.errors import ArchiveProblem
from sfexit.export import parents, walks
from sfexit.export.walks import Stretch, Walk
from sfexit.salesforce.object_rules import rule_for

LINKS = Walk("ContentDocumentId", "IN", ("ContentDocument.Id",))


@given(st.integers(0, 50), st.integers(0, 900), st.integers(1, 97), st.sampled_from(["IN", "="]))
def test_stretches_ask_for_each_value_once(start: int, more: int, most: int, how: str) -> None:
    walk = Walk("ParentId", how, ("A.Id",), "IsLatestVersion = false")
    found = [walks.stretch(text) for text in walks.stretches(walk, start, start + more, most)]
    asked = [n for one in found if one is not None for n in range(one.start, one.end)]
    assert asked == list(range(start, start + more))
    assert all(one.end - one.start <= (1 if how == "=" else most) for one in found if one)
    assert all(one.condition == walk.condition for one in found if one)


@given(st.integers(0, 1000), st.integers(2, 1000))
def test_halves_hold_the_whole(start: int, size: int) -> None:
    whole = Stretch("A.B", "IN", start, start + size)
    both = walks.halves(whole.text)
    assert both is not None
    assert walks.asked(both) == size
    assert walks.stretch(both[0]).end == walks.stretch(both[1]).start  # type: ignore[union-attr]


@pytest.mark.parametrize(
    "text",
    ["", "CreatedDate < 2020-01-01T00:00:00Z", "USING SCOPE allPrivate", "A IN parents[3:4]",
     "A = parents[3:4] AND B = true"],
)  # fmt: skip
def test_what_cannot_be_halved(text: str) -> None:
    assert walks.halves(text) is None


@given(st.text())
def test_a_value_stays_inside_its_quotes(value: str) -> None:
    soql = Stretch("A", "=", 0, 1).soql([value])
    assert soql.startswith("A = '") and soql.endswith("'")
    inner = soql[5:-1]
    assert not re.search(r"(?<!\\)(?:\\\\)*'", inner)
    assert inner.replace("\\'", "'").replace("\\\\", "\\") == value or "\\" in value


def reference(
    name: str, *targets: str, nillable: bool = False, picklist: tuple[str, ...] = ()
) -> Field:
    kind = "reference" if targets else "picklist" if picklist else "string"
    return Field(
        name, name, kind, reference_to=targets, filterable=True, nillable=nillable,
        picklist_values=picklist,
    )  # fmt: skip


def described(*fields: Field) -> Description:
    return Description(
        "ZephyrLink", "Z", fields=(Field("Id", "Id", "id", filterable=True), *fields)
    )


@pytest.mark.parametrize(
    ("refusal", "fields", "sources", "doubtful"),
    [
        ("requires a filter by Id or ParentId", [reference("ParentId", "Account")],
         ("Account.Id",), False),
        ("you must filter: RecordId = [single ID] or ParentId", [
            reference("RecordId", "Account", "Case"), reference("ParentId", "Case")],
         ("Case.Id",), False),
        ("you must filter by ParentId, RecordId", [
            reference("ParentId", "Case", nillable=True), reference("RecordId", "Account", "Case")],
         ("Account.Id", "Case.Id"), False),
        ("Where clauses should contain StatType", [reference("StatType", picklist=("A", "B"))],
         ("listed values of StatType",), True),
        ("requires a filter by ParentId", [reference("ParentId", "Case", "Secret")],
         ("Case.Id",), True),
    ],
)  # fmt: skip
def test_a_walk_is_guessed_from_the_words_of_a_refusal(
    refusal: str, fields: list[Field], sources: tuple[str, ...], doubtful: bool
) -> None:
    walk = walks.guessed(described(*fields), refusal, {"Account", "Case"}.__contains__)
    assert walk is not None
    assert walk.sources == sources
    assert bool(walk.doubt) == doubtful


@pytest.mark.parametrize(
    ("refusal", "fields"),
    [
        ("Getting all Zephyrs is unsupported", [reference("ParentId", "Account")]),
        ("requires a filter by Id", [reference("ParentId", "Account")]),
        ("requires a filter by Label", [reference("Label")]),
        ("requires a filter by ParentId", [reference("ParentId", "Secret", "ZephyrLink")]),
    ],
)
def test_no_walk_is_guessed_where_no_values_are_known(refusal: str, fields: list[Field]) -> None:
    assert walks.guessed(described(*fields), refusal, {"Account"}.__contains__) is None


def test_a_field_is_not_tried_twice() -> None:
    both = described(reference("ParentId", "Account"), reference("RecordId", "Account", "Case"))
    words = "filter by ParentId or RecordId"
    readable = {"Account", "Case"}.__contains__
    first = walks.guessed(both, words, readable)
    assert first is not None and first.field == "ParentId"
    second = walks.guessed(both, words, readable, tried={"ParentId"})
    assert second is not None and second.field == "RecordId"
    assert walks.guessed(both, words, readable, tried={"ParentId", "RecordId"}) is None


def test_every_rule_by_parent_is_a_walk() -> None:
    for name in ("ContentDocumentLink", "Vote", "ContentFolderMember", "FeedAttachment"):
        walk = walks.known(rule_for(ObjectEntry(name, name, queryable=True)))
        assert walk is not None and walk.sources
        for source in walk.sources:
            known = source == walks.OBJECTS or source.startswith("types of ")
            assert known or walks.parted(source) is not None, source


# ---- lists on the disk ---------------------------------------------------------------------------

TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\n\r\x1c\x1d\x1e\x85\u2028\u2029 "),
               min_size=1, max_size=20)  # fmt: skip


@settings(max_examples=40, deadline=None)
@given(values=st.lists(TEXT), more=st.lists(TEXT))
def test_a_list_holds_each_value_once(
    tmp_path_factory: pytest.TempPathFactory, values: list[str], more: list[str]
) -> None:
    path = parents.place(tmp_path_factory.mktemp("work"), "Account")
    made = parents.make(Disk(), path, iter(values))
    assert made.read(0, made.count) == sorted(set(values))
    assert parents.find(path, made.sha256) == made
    grown = parents.make(Disk(), path, iter(more), made)
    got = grown.read(0, grown.count)
    assert got[: made.count] == sorted(set(values))
    assert sorted(got) == sorted({*values, *more})


def test_runs_are_merged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parents, "_RUN", 7)
    values = [f"{n * 7919 % 1000:04d}" for n in range(500)]
    made = parents.make(Disk(), parents.place(tmp_path, "A"), iter(values + values[:60]))
    assert made.read(0, made.count) == sorted(set(values))
    assert made.read(100, 103) == sorted(set(values))[100:103]
    assert list(tmp_path.glob("**/*.runs")) == []


def test_a_list_that_changed_is_not_taken(tmp_path: Path) -> None:
    path = parents.place(tmp_path, "A")
    made = parents.make(Disk(), path, ["a", "b"])
    path.write_bytes(b"a\nc\n")
    assert parents.find(path, made.sha256) is None
    assert parents.find(tmp_path / "none", made.sha256) is None
    path.write_bytes(b"a\n")
    with pytest.raises(ArchiveProblem, match="shorter"):
        made.read(0, 2)
