"""`sfexit offboard-users apply`, `undo`, `status` as they are typed."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from sfexit.archive import layout
from sfexit.commands import _offboarding, export
from sfexit.commands._exit import code_of
from sfexit.errors import SfexitError
from sfexit.offboarding import plan as plans
from sfexit.offboarding.plan import Plan
from tests.offboarding.running import Office, office, plan_for


class Typed:
    """A home with a plan in it, and a user at a terminal."""

    def __init__(self, place: Office, home: Path, plan: Plan) -> None:
        self.place = place
        self.home = home
        self.plan = plan
        self.path = home / "offboarding" / "20311122T060000Z-plan.json"
        self.journal = self.path.with_name("20311122T060000Z-plan.journal.jsonl")

    def run(self, command: Any, *words: str, typed: str = "") -> tuple[int, str, str]:
        done = CliRunner().invoke(command, [*words, "--quiet"], input=typed, standalone_mode=False)
        error = done.exception
        if isinstance(error, SfexitError):
            return code_of(error), done.stdout, error.message
        if error is not None:
            raise error
        return int(done.return_value), done.stdout, done.stderr

    def sentence(self, verb: str = "offboard") -> str:
        return f"{verb} 2 users in {self.plan.organization_id} (Northwater)\n"


@pytest.fixture
def typed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Typed]:
    with office(tmp_path) as place:
        home = tmp_path / "exit"
        (home / "offboarding").mkdir(parents=True)
        (home / "sfexit-home.json").write_text(
            json.dumps({"schema": "sfexit-home/1", "org": place.org.organization_id})
        )
        people = place.org.employed.people  # type: ignore[union-attr]
        plan = plan_for(place, people[:2], people[-1])
        made = Typed(place, home, plan)
        made.path.write_bytes(plan.to_bytes())
        monkeypatch.setenv("SFEXIT_INSTANCE_URL", place.server.url)
        monkeypatch.setenv("SFEXIT_ACCESS_TOKEN", place.org.access_token)
        monkeypatch.setenv("SFEXIT_CONFIG_DIR", str(tmp_path / "config"))
        yield made


WORD = ("--without-proof", "Ann: a rehearsal")


def test_nothing_without_a_proof(typed: Typed) -> None:
    code, _, told = typed.run(_offboarding.apply, str(typed.path), typed=typed.sentence())
    assert code == 5
    assert told
    assert typed.place.org.writes.log == []


@pytest.mark.parametrize("answer", ["", "y\n", "offboard 3 users in elsewhere\n"])
def test_nothing_without_the_typed_sentence(typed: Typed, answer: str) -> None:
    code, _, told = typed.run(_offboarding.apply, str(typed.path), *WORD, typed=answer)
    assert code == 11
    assert "nothing was changed" in told
    assert typed.place.org.writes.log == []


@pytest.mark.parametrize("given", ["", "abc", "0" * 8])
def test_nothing_with_another_hash(typed: Typed, given: str) -> None:
    code, _, _ = typed.run(_offboarding.apply, str(typed.path), *WORD, "--confirm", given)
    assert code == 11
    assert typed.place.org.writes.log == []


def test_apply_status_undo(typed: Typed) -> None:
    assert typed.run(_offboarding.status, str(typed.path))[0] == 3
    code, out, told = typed.run(
        _offboarding.apply, str(typed.path), *WORD, "--json", "--ticket", "HR-7",
        typed=typed.sentence(),
    )  # fmt: skip
    assert code == 0, told
    document = json.loads(out)
    assert document["schema"] == "sfexit-offboarding/1" and document["complete"]
    first = json.loads(typed.journal.read_text().splitlines()[0])
    assert first["ticket"] == "HR-7" and "Ann: a rehearsal" in first["gate"]
    assert typed.run(_offboarding.status, str(typed.path))[0] == 0
    code, out, _ = typed.run(_offboarding.undo, str(typed.journal), "--dry-run")
    assert code == 6
    assert json.loads(out)["requests"]
    code, _, told = typed.run(_offboarding.undo, str(typed.journal), typed=typed.sentence("undo"))
    assert code == 0, told
    assert "sign in again" in told
    users = typed.place.truth("User")["User"]
    assert all(users[one.user_id]["IsActive"] == "true" for one in typed.plan.people)


def test_a_dry_run_sends_nothing_and_shows_no_token(typed: Typed) -> None:
    code, out, _ = typed.run(_offboarding.apply, str(typed.path), "--dry-run")
    assert code == 6
    assert "del-" not in out  # DeleteToken values of the simulated org
    told = json.loads(out)
    assert told["plan"] == typed.plan.digest
    assert typed.place.org.writes.log == []
    # Every record that would change hands stands in a request, with who gets it.
    truth = typed.place.truth(*{one.object for one in typed.plan.transfers})
    wanted = {
        (one.object, row_id, one.field, one.to)
        for one in typed.plan.transfers
        for row_id, row in truth[one.object].items()
        if row[one.field] == one.user_id and row.get("IsDeleted") != "true"
    }
    handed = [one for one in told["requests"] if one["records"]]
    sent = {
        (row["attributes"]["type"], row["id"], column, row[column])
        for one in handed
        for row in one["body"]["records"]
        for column in row
        if column not in ("attributes", "id")
    }
    assert sent == wanted and len(sent) == sum(one["records"] for one in handed)


def test_who_confirmed_containment_did_not_confirm_the_rest(typed: Typed) -> None:
    code, _, told = typed.run(
        _offboarding.apply, str(typed.path), "--freeze-only", typed=typed.sentence("freeze")
    )
    assert code == 0, told
    changed = len(typed.place.org.writes.log)
    assert changed
    code, _, told = typed.run(_offboarding.apply, str(typed.path), *WORD)
    assert (code, "nothing was changed" in told) == (11, True)
    assert len(typed.place.org.writes.log) == changed
    words = (str(typed.path), *WORD, "--ticket", "HR-8")
    code, _, told = typed.run(_offboarding.apply, *words, typed=typed.sentence())
    assert code == 0, told
    events = [json.loads(line) for line in typed.journal.read_text().splitlines()]
    begun = [one for one in events if one["event"] in ("begun", "resumed")]
    assert [(one["freeze_only"], one["ticket"]) for one in begun] == [(True, ""), (False, "HR-8")]


def test_containment_weeks_ago_is_no_leave_for_an_old_plan(
    typed: Typed, monkeypatch: pytest.MonkeyPatch
) -> None:
    frozen = (_offboarding.apply, str(typed.path), "--freeze-only")
    assert typed.run(*frozen, typed=typed.sentence())[0] == 11, "this is another sentence"
    assert typed.run(*frozen, typed=typed.sentence("freeze"))[0] == 0
    monkeypatch.setattr(plans.Plan, "expired", lambda *_: True)
    code, _, told = typed.run(_offboarding.apply, str(typed.path), *WORD, typed=typed.sentence())
    assert (code, "expired" in told) == (7, True)


def test_what_was_taken_back_is_not_applied_again(typed: Typed) -> None:
    done = (_offboarding.apply, str(typed.path), *WORD)
    assert typed.run(*done, typed=typed.sentence())[0] == 0
    code, _, told = typed.run(_offboarding.undo, str(typed.journal), typed=typed.sentence("undo"))
    assert code == 0, told
    changed = len(typed.place.org.writes.log)
    code, _, told = typed.run(*done, typed=typed.sentence())
    assert (code, "taken back" in told) == (5, True)
    assert len(typed.place.org.writes.log) == changed


def test_what_is_no_plan(typed: Typed, tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    path.write_text("{}")
    assert typed.run(_offboarding.apply, str(path), *WORD)[0] == 5
    assert typed.run(_offboarding.apply, str(tmp_path / "none.json"), *WORD)[0] == 2
    assert typed.run(_offboarding.undo, str(tmp_path / "none.jsonl"))[0] == 2
    edited = typed.path.read_bytes().replace(b'"most":', b'"most": ')
    path.write_bytes(edited)
    assert typed.run(_offboarding.apply, str(path), *WORD)[0] == 5


def test_a_second_run_at_once_is_refused(typed: Typed) -> None:
    from sfexit.archive import home
    from sfexit.archive.durable import Disk
    from sfexit.archive.layout import HomeLayout

    with home.locked(HomeLayout(typed.home), Disk()):
        code, _, _ = typed.run(_offboarding.apply, str(typed.path), *WORD, typed=typed.sentence())
    assert code == 10


# ---- the archive of after ------------------------------------------------------------------------


def archived(typed: Typed) -> Path:
    """An archive of before, of one object."""
    code, _, told = typed.run(export.command, str(typed.home), "--objects", "Account", "--no-files")
    assert code in (0, 3), told
    return typed.home / "bags"


def ends(typed: Typed) -> dict[str, Any]:
    """What the journal says of the archive."""
    event: dict[str, Any] = json.loads(typed.journal.read_text().splitlines()[-1])
    assert event["event"] == "archive"
    return event


def test_the_archive_of_after_is_made_beside_that_of_before(typed: Typed) -> None:
    bags = archived(typed)
    [before] = bags.iterdir()
    code, out, told = typed.run(
        _offboarding.apply, str(typed.path), *WORD, "--json", typed=typed.sentence()
    )
    assert code == 0, told
    archive = json.loads(out)["archive"]
    assert archive["state"] == ends(typed)["state"] == "refreshed"
    [after] = set(bags.iterdir()) - {before}
    assert archive["bag"] == str(after)
    chosen = [json.loads((bag / layout.RUN).read_text())["selection"] for bag in (before, after)]
    assert chosen[0] == chosen[1] and "files=no" in chosen[0]


def test_a_refresh_that_fails_is_told_and_undoes_nothing(typed: Typed) -> None:
    [before] = archived(typed).iterdir()
    (before / "manifest-sha256.txt").write_text("", "utf-8")
    code, out, told = typed.run(
        _offboarding.apply, str(typed.path), *WORD, "--json", typed=typed.sentence()
    )
    assert code == 3, told
    document = json.loads(out)
    assert document["complete"] and document["archive"]["state"] == "failed"
    assert "stays changed" in document["archive"]["text"] and "--refresh" in ends(typed)["text"]
    users = typed.place.truth("User")["User"]
    assert all(users[one.user_id]["IsActive"] == "false" for one in typed.plan.people)


def test_no_refresh_is_journalled(typed: Typed) -> None:
    bags = archived(typed)
    code, _, told = typed.run(
        _offboarding.apply, str(typed.path), *WORD, "--no-refresh", typed=typed.sentence()
    )
    assert code == 0, told
    assert ends(typed)["state"] == "left_out" and "--no-refresh" in ends(typed)["text"]
    assert len(list(bags.iterdir())) == 1


def test_an_undo_that_was_shown_long_ago_is_planned_anew(typed: Typed) -> None:
    assert typed.run(_offboarding.apply, str(typed.path), *WORD, typed=typed.sentence())[0] == 0
    target = typed.journal.with_name("20311122T060000Z-plan.undo.json")
    assert typed.run(_offboarding.undo, str(typed.journal))[0] == 11
    shown = plans.load(target)
    assert typed.run(_offboarding.undo, str(typed.journal))[0] == 11
    assert plans.load(target) == shown  # the hash that was shown still confirms it
    old = dataclasses.replace(shown, expires="2020-01-01T00:00:00Z")
    target.write_bytes(old.to_bytes())
    assert typed.run(_offboarding.undo, str(typed.journal))[0] == 11
    assert not plans.load(target).expired(datetime.now(UTC))
