"""A home with a sealed archive made by hand, its certificate, and a contract."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

from click.testing import CliRunner

from sfexit.archive.signing import SigningKey
from sfexit.commands import main
from sfexit.contract import questions
from sfexit.verify.bag import labels, root_digest
from sfexit.verify.certificate import Certificate, issue
from sfexit.verify.verdict import Verdict

sys.path.insert(0, str(Path(__file__).parents[1] / "archive"))
import sample_bag

NUMBER = "01234567"
RIGHT = f"the facts of contract {NUMBER} are right"
DESPITE = f"send notice of contract {NUMBER} without a proven backup"


def run(*words: object, typed: str = "") -> tuple[int, str, str]:
    """A command line in this process: exit code, stdout, stderr."""
    runner = CliRunner()
    with runner.isolation(input=typed) as (out, err, _):
        code = main.run([*map(str, words)])
        return code, out.getvalue().decode(), err.getvalue().decode()


def notice(home: Path, *words: object) -> tuple[int, str, str]:
    """`sfexit cancellation notice` without PDFs, on a day that is in time."""
    return run("cancellation", "notice", home, "--reason", "We move.", "--no-pdf",
               "--today", "2030-11-22", *words)  # fmt: skip


def with_contract(home: Path, **changes: str) -> Path:
    """Write contract.toml; `changes` replace texts of the example."""
    text = questions.example()
    for old, new in changes.items():
        assert old in text
        text = text.replace(old, new)
    home.mkdir(parents=True, exist_ok=True)
    (home / "contract.toml").write_text(text, "utf-8")
    return home


def proven(home: Path, *, made: datetime | None = None, verdict: Verdict = Verdict.SAFE) -> Path:
    """A home whose archive has a certificate that stands now."""
    key = SigningKey(sample_bag.KEY, sample_bag.KEY.public_key().public_bytes_raw())
    bag = home / "bags" / "0001"
    if not bag.exists():
        sample_bag.make(bag)
        mark = {"schema": "sfexit-home/1", "org": labels(bag)["External-Identifier"]}
        (home / "sfexit-home.json").write_text(json.dumps(mark))
    made = made or datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=5)
    told = Certificate(
        verdict=verdict, title=verdict.value, made=made, expires=made + timedelta(days=7),
        organization_id=labels(bag)["External-Identifier"], organization="Acme", user_id="005",
        username="leaving@example.com", permissions=("ViewAllData",), api_version="66.0",
        snapshot_started=made, snapshot_finished=made, root_digest=root_digest(bag), generation=1,
        signing_key=key.fingerprint, made_by="test",
    )  # fmt: skip
    issue(home, told, key, {})
    return home


def only_package(home: Path, kind: str = "notice") -> Path:
    """The one package of a home."""
    [folder] = (home / "cancellation").glob(f"2*-{kind}")
    return folder
