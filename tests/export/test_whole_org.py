"""A grown org of 1,430 objects with all its refusals, through the eyes of two users.

Every object has its line, the lines add up, every row that can be seen is there as it is, and all
that is hidden is named.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from rig import MEMORY, Rig, archive_rows, ledger_of, sorted_key
from rig import problems_of_bag as problems

from sfexit.archive import layout
from sfexit.archive.ledger import LedgerLine
from sfexit.preflight import Sight
from sfexit.preflight.sight import UNKNOWN
from sfexit.simulated_org import RestrictionRule, SimulatedUser, clerk
from sfexit.simulated_org.org import shaped

HIDDEN_OBJECTS = ("Opportunity", "OpportunityLineItem", "Asset")
HIDDEN_FIELDS = {"Account": ("Industry",), "Contact": ("Email", "Phone"), "Lead": ("Company",)}
RULED = "Case"
#: Drafts and archived versions can be asked for, by those who may see them.
ARTICLES = ("KnowledgeArticleVersion", "Knowledge__kav")

USERS = {
    "administrator": SimulatedUser("Nearly", view_all_fields=False, hidden_objects=HIDDEN_OBJECTS,
                                   hidden_fields=HIDDEN_FIELDS),
    "clerk": clerk(own_rows_only=("Account", "Contact", "Task"), hidden_objects=HIDDEN_OBJECTS,
                   hidden_fields=HIDDEN_FIELDS),
}  # fmt: skip


@dataclass
class Whole:
    """One user's export of the org, and what the org itself says of it."""

    user: SimulatedUser
    rig: Rig
    bag: Path
    lines: dict[str, LedgerLine]

    def seen(self, name: str) -> list[dict[str, str]]:
        if self.user.view_archived_articles and name in ARTICLES:
            return _texts(self.rig.org.truth(name))  # a plain query shows the online ones alone
        return _texts(self.rig.org.truth(name, seen_by=self.user))

    def there(self, name: str) -> int:
        return sum(1 for _ in self.rig.org.truth(name))


def _texts(rows: Any) -> list[dict[str, str]]:
    return sorted(({k: v or "" for k, v in row.items()} for row in rows), key=sorted_key)


@pytest.fixture(scope="module", params=sorted(USERS))
def whole(request: pytest.FixtureRequest) -> Iterator[Whole]:
    with TemporaryDirectory(prefix="sfexit-", dir=MEMORY) as folder:
        rig = Rig(
            Path(folder),
            objects=shaped("full"),
            rows=3000,
            restriction_rules=[RestrictionRule(RULED, "OwnerId = $User.Id")],
            foreign_library_every=4,
        )
        user = USERS[request.param]
        rig.environment["SFEXIT_ACCESS_TOKEN"] = rig.org.sign_in(user)
        try:
            result = rig.run()
            assert rig.server.crashes == []
            assert result.bag is not None
            yield Whole(user, rig, result.bag.path, ledger_of(result.bag.path))
        finally:
            rig.close()


def test_every_object_has_its_line_and_the_lines_add_up(whole: Whole) -> None:
    assert problems(whole.bag) == []
    listed = set(whole.rig.org.view(whole.user).objects)
    defined = {row["QualifiedApiName"] for row in whole.rig.org.truth("EntityDefinition")}
    assert len(listed) > 1400 and len(defined) > 1400
    assert set(whole.lines) == listed | defined


def test_every_row_that_can_be_seen_is_there_as_it_is(whole: Whole) -> None:
    wrong, rows = [], 0
    for name, line in whole.lines.items():
        if line.outcome not in ("exported", "empty"):
            continue
        expected = whole.seen(name)
        rows += len(expected)
        found = archive_rows(whole.bag, name) if line.outcome == "exported" else []
        if found != expected:
            wrong.append(f"{name}: {line.outcome}, {len(found)} rows instead of {len(expected)}")
    assert wrong == []
    assert rows > 1000


def test_what_is_not_read_says_why_and_what_to_do(whole: Whole) -> None:
    for name, line in whole.lines.items():
        if line.outcome in ("exported", "empty"):
            continue
        assert line.outcome in ("no_data", "covered", "not_exported"), line
        assert line.reason, name
        assert line.remedy or line.outcome != "not_exported", name
        assert "report the object" not in line.remedy, line  # every refusal's road is known


def test_hidden_objects_and_fields_are_named(whole: Whole) -> None:
    for name in HIDDEN_OBJECTS:
        line = whole.lines[name]
        assert line.outcome == "not_exported" and "give the user" in line.remedy
    for name, fields in HIDDEN_FIELDS.items():
        line = whole.lines[name]
        for field in fields:
            assert line.fields_not_exported[field] == "hidden from this user"
        assert "View All Fields" in line.remedy


def test_hidden_rows_are_named(whole: Whole) -> None:
    """Wherever the org has more rows than this user sees, the line says so, at least as a doubt."""
    silent, hiding = [], 0
    for name, line in whole.lines.items():
        if line.outcome in ("exported", "empty") and len(whole.seen(name)) < whole.there(name):
            hiding += 1
            if not (line.remedy or "not checked" in line.reason):
                silent.append(name)
    assert silent == []
    assert hiding >= 1
    assert len(whole.seen(RULED)) < whole.there(RULED)
    if whole.user.view_restriction_rules:
        assert "restriction rule" in whole.lines[RULED].reason
    else:  # which objects have rules cannot be told by who may not list them
        sight = Sight.from_json(json.loads((whole.bag / layout.SIGHT).read_bytes()))
        assert [s.certainty for s in sight.blind_spots if s.kind == "restriction_rule"] == [UNKNOWN]


def test_masked_values_are_named(whole: Whole) -> None:
    """Encrypted fields come masked without View Encrypted Data, and say so."""
    contact = whole.rig.org.sobject("Contact")
    assert contact is not None
    fields = [field.name for field in contact.fields if field.type == "encryptedstring"]
    assert fields
    masked = any(
        "*" in row[field] for row in archive_rows(whole.bag, "Contact") for field in fields
    )
    assert masked != whole.user.view_encrypted
    assert masked == (f"Contact.{fields[0]} comes masked" in whole.lines["Contact"].reason)
    assert masked == ("View Encrypted Data" in whole.lines["Contact"].remedy)
