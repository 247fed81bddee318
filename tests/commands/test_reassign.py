"""`sfexit reassign` as it is typed: ownership alone, planned, confirmed, journalled, taken back."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from sfexit.commands import _offboarding, reassign
from sfexit.commands._exit import code_of
from sfexit.errors import SfexitError
from sfexit.offboarding.flags import FLAGS, OF_OWNERSHIP
from sfexit.simulated_org import Staff
from tests.offboarding.running import Office, office

STAFF = Staff(people=10, things=1, blockers=())
ACCEPTED = [FLAGS[code][0] for code in OF_OWNERSHIP]
WORD = ("--without-proof", "Ann: a rehearsal")


class Desk:
    """A home, and a user at a terminal."""

    def __init__(self, place: Office, home: Path) -> None:
        self.place = place
        self.home = home
        assert place.org.employed is not None
        people = place.org.employed.people
        self.ben, self.anna = place.user(people[0]), place.user(people[-1])

    def run(self, command: Any, *words: str, typed: str = "") -> tuple[int, str, str]:
        done = CliRunner().invoke(command, list(words), input=typed, standalone_mode=False)
        error = done.exception
        if isinstance(error, SfexitError):
            return code_of(error), done.stdout, error.message
        if error is not None:
            raise error
        return int(done.return_value), done.stdout, done.stderr

    def reassign(self, *words: str, typed: str = "", to: str = "") -> tuple[int, str, str]:
        who = (str(self.home), "--from", self.ben, "--to", to or self.anna)
        return self.run(reassign.command, *who, *words, typed=typed)

    def owned(self, name: str, by: str) -> set[str]:
        return {str(row["Id"]) for row in self.place.rows(name, OwnerId=by)}

    def sentence(self, verb: str) -> str:
        return f"{verb} 1 user in {self.place.org.organization_id} (Northwater Trading)\n"


@pytest.fixture(scope="module")
def unchanged(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    """For what changes nothing."""
    with office(tmp_path_factory.mktemp("still"), rows=600, staff=STAFF) as place:
        yield place


@pytest.fixture
def still(unchanged: Office, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    return desk_in(unchanged, tmp_path, monkeypatch)


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    with office(tmp_path, rows=1500, staff=STAFF) as place:
        yield desk_in(place, tmp_path, monkeypatch)


def desk_in(place: Office, folder: Path, patch: pytest.MonkeyPatch) -> Desk:
    place.org.metadata.polls = 0
    patch.setenv("SFEXIT_INSTANCE_URL", place.server.url)
    patch.setenv("SFEXIT_ACCESS_TOKEN", place.org.access_token)
    patch.setenv("SFEXIT_CONFIG_DIR", str(folder / "config"))
    return Desk(place, folder / "exit")


def test_records_of_some_objects_go_and_come_back(desk: Desk) -> None:
    before = {name: desk.owned(name, desk.ben) for name in ("Account", "Contact", "Lead")}
    assert before["Account"] and before["Contact"]
    theirs = desk.owned("Contact", desk.anna)
    code, out, told = desk.reassign(
        "--objects", "Account,Contact", *ACCEPTED, *WORD, "--json", "--ticket", "HR-9",
        typed=desk.sentence("reassign"),
    )  # fmt: skip
    assert code == 0, told
    document = json.loads(out)
    assert document["purpose"] == "reassign" and document["complete"]
    assert document["records_moved"] == len(before["Account"]) + len(before["Contact"])
    assert "Records that change hands" in told and "--accept-sharing: accepted" in told
    assert desk.owned("Contact", desk.anna) == theirs | before["Contact"]
    assert not desk.owned("Account", desk.ben)
    assert desk.owned("Lead", desk.ben) == before["Lead"]
    [user] = desk.place.rows("User", Id=desk.ben)
    assert user["IsActive"] == "true"
    assert {one.object for one in desk.place.org.writes.log if one.cause == "request"} <= {
        "Account", "Contact", "AccountTeamMember", "AccountShare", "ContactShare"
    }  # fmt: skip
    code, _, told = desk.run(_offboarding.undo, document["journal"], typed=desk.sentence("undo"))
    assert code == 0, told
    assert {name: desk.owned(name, desk.ben) for name in before} == before


def test_only_rows_that_fulfil_a_condition(desk: Desk) -> None:
    one, *others = sorted(desk.owned("Contact", desk.ben))
    code, _, told = desk.reassign(
        "--objects", "Contact", "--where", f"Id = '{one}' OR Name = 'nobody'", *ACCEPTED, *WORD,
        typed=desk.sentence("reassign"),
    )  # fmt: skip
    assert code == 0, told
    assert desk.owned("Contact", desk.ben) == set(others) != set()
    assert one in desk.owned("Contact", desk.anna)


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (("--objects", "Account", "--where", "Nope__c = 1"), 2, "cannot be asked of Account"),
        (("--where", "Name = 'x"), 2, "correct it"),
        (("--objects", "Account", "--where", "Id != null) OR (Id != null"), 2, "cannot be asked"),
        (("--objects", "Nope"), 5, "objects with rows are Account"),
        (("--objects", "Account", "--where", "Name = 'nobody has it'"), 5, "no record fits"),
        (("--objects", "Account"), 5, "make it again with --accept-automation"),
        (("--objects", "EmailTemplate", "--accept-sharing"), 5, "proof"),
    ],
)  # fmt: skip
def test_what_is_refused_changes_nothing(
    still: Desk, words: tuple[str, ...], code: int, told: str
) -> None:
    found = still.reassign(*words, typed=still.sentence("reassign"))
    assert (found[0], told in found[2]) == (code, True), found
    assert still.place.org.writes.log == []


def test_names_that_are_wrong(still: Desk) -> None:
    assert "same user" in still.reassign(to=still.ben)[2]
    assert "is no user of this org" in still.reassign(to="nobody@x.example")[2]
    code, out, _ = still.reassign("--objects", "Account", "--dry-run")
    shown = json.loads(out)["requests"]
    assert code == 6 and sum(one["records"] for one in shown) == len(
        still.owned("Account", still.ben)
    )
    assert still.place.org.writes.log == []
