"""`sfexit cancellation` as it is typed."""

from __future__ import annotations

import json
import shutil
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from sfexit.cancellation import records
from sfexit.verify.verdict import Verdict

from .samples import DESPITE, RIGHT, notice, only_package, proven, run, with_contract


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home with a contract and nothing else."""
    return with_contract(tmp_path / "acme-exit")


def flat(text: str) -> str:
    """Wrapped lines as one."""
    return " ".join(text.split())


def nothing_written(home: Path) -> bool:
    return not (home / "cancellation").exists()


def test_without_a_proven_backup_it_refuses_and_lists_what_is_open(home: Path) -> None:
    code, out, err = notice(home, "--today", "2031-02-10")
    assert code == 5 and out == "" and nothing_written(home)
    assert err.startswith("2 gates open before a notice may be given")
    assert "Everything exported" in err and "sfexit verify-backup" in err
    assert "by Fri 2031-02-21, 11 days left" in err
    assert "must arrive by Fri 2031-02-28 (18 days left)" in err


@pytest.mark.parametrize("verdict", [Verdict.NOT_SAFE, Verdict.UNKNOWN])
def test_a_certificate_that_does_not_say_safe_opens_nothing(home: Path, verdict: Verdict) -> None:
    proven(home, verdict=verdict)
    code, out, err = notice(home, "--confirm", RIGHT, "--json")
    assert code == 5 and nothing_written(home)
    [gate] = json.loads(out)["refused"]
    assert gate["gate"] == "verify" and verdict.value in gate["evidence"] and verdict.value in err


def test_an_expired_certificate_opens_nothing(home: Path) -> None:
    proven(home, made=datetime.now(UTC).replace(microsecond=0) - timedelta(days=8))
    code, _, err = notice(home, "--confirm", RIGHT)
    assert code == 5 and "held until" in err and nothing_written(home)


def test_another_ones_key_opens_nothing(home: Path) -> None:
    proven(home)
    code, _, err = notice(home, "--confirm", RIGHT, "--expect-key", "SHA256:other")
    assert code == 5 and "which is not your key" in flat(err)


def test_with_a_standing_certificate_the_package_is_written(home: Path) -> None:
    proven(home)
    code, out, err = notice(home, "--confirm", RIGHT, "--json", "--language", "de")
    assert code == 0, err
    assert "Please check. The letters will say:" in err and "00D5g0000000001EAA" in err
    folder = only_package(home)
    assert json.loads(out)["package"] == str(folder)
    assert {one.name for one in folder.iterdir()} == {
        "SHA256SUMS", "non-renewal.de.html", "non-renewal.de.docx", "switching-notice.de.html",
        "switching-notice.de.docx", "cover-mail.de.eml", "guide.html", "package.json",
        "certificate.json", "certificate.json.sig", "public-key.pem",
    }  # fmt: skip
    told = json.loads((folder / "package.json").read_bytes())
    assert told["despite_open_gates"] is None and "root digest" in told["proof"]
    assert told["org_id"] == "00D5g0000000001EAA" and told["reason"] == "We move."
    guide = (folder / "guide.html").read_text()
    assert "Example Sign" in guide and "Backup proven complete" in guide
    assert guide.index("account executive has no cancel button") < guide.index("Manage Renewals")
    if shutil.which("sha256sum"):
        done = subprocess.run(["sha256sum", "-c", "--strict", "SHA256SUMS"], cwd=folder,
                              capture_output=True, check=False)  # fmt: skip
        assert done.returncode == 0
    assert [one.event for one in records.read(home)] == ["prepared"]
    assert not list((home / "cancellation").glob(".*"))


def test_the_choice_to_go_on_without_proof_is_kept_and_told(home: Path) -> None:
    words = ("--despite-open-gates", "Last day <today>")
    assert notice(home, *words)[0] == 11
    code, _, err = notice(home, *words, "--confirm", RIGHT)
    assert code == 11 and DESPITE in err and nothing_written(home)
    code, _, err = notice(home, *words, "--confirm", DESPITE)
    assert code == 0 and "WITHOUT A PROVEN BACKUP" in err
    folder = only_package(home)
    assert "Last day &lt;today&gt;" in (folder / "guide.html").read_text()
    assert json.loads((folder / "package.json").read_bytes())["despite_open_gates"] == words[1]
    override, prepared = records.read(home)
    assert override.data == {"reason": words[1], "open": ["export", "verify"]}
    assert prepared.data["override"] == words[1]
    _, _, err = run("cancellation", "status", home, "--today", "2030-11-22")
    assert "without a proven backup: Last day <today>" in flat(err)


def test_nothing_asks_for_erasure_without_a_proven_backup(home: Path) -> None:
    words = ("--despite-open-gates", "hurry", "--confirm", DESPITE, "-q")
    code, _, err = notice(home, "--switch-to", "erase", *words)
    assert code == 5 and "the backup is not proven" in err and nothing_written(home)
    proven(home)
    code, _, _ = notice(home, "--switch-to", "erase", "--confirm", RIGHT, "-q")
    assert code == 0
    page = (only_package(home) / "switching-notice.en.html").read_text("utf-8")
    assert "Article 25(3)(c)" in page


def test_an_override_that_is_not_needed_is_none(home: Path) -> None:
    proven(home)
    code, _, _ = notice(home, "--despite-open-gates", "hurry", "--confirm", RIGHT, "-q")
    assert code == 0
    assert [one.event for one in records.read(home)] == ["prepared"]


@pytest.mark.parametrize(
    ("words", "why"),
    [(("--reason", " "), "--reason is empty"),
     (("--despite-open-gates", ""), "--despite-open-gates is empty")],
)  # fmt: skip
def test_a_reason_is_never_empty(home: Path, words: tuple[str, ...], why: str) -> None:
    code, _, err = notice(home, *words)
    assert code == 2 and why in err and nothing_written(home)


def test_a_missing_contract_is_named(tmp_path: Path) -> None:
    code, _, err = notice(tmp_path)
    assert code == 2 and "contract.toml is not there" in err


def test_a_contract_of_another_org_is_refused(home: Path) -> None:
    proven(with_contract(home, **{'# org_id = "00D…"': 'org_id = "00D000000000001EAA"'}))
    code, _, err = notice(home, "--confirm", RIGHT)
    assert code == 2 and "is of org 00D000000000001EAA" in err


def test_after_the_last_day_the_letters_are_written_and_it_is_said(home: Path) -> None:
    proven(home)
    code, _, _ = notice(home, "--confirm", RIGHT, "--today", "2031-03-10", "-q")
    assert code == 9 and only_package(home)


def test_without_the_law_no_switching_notice(home: Path) -> None:
    proven(with_contract(home, **{'packs = ["eu-data-act"]': "packs = []"}))
    code, _, err = notice(home, "--confirm", RIGHT)
    assert code == 0 and "No switching notice" in err
    assert not list(only_package(home).glob("switching*"))


# ---- record, status ------------------------------------------------------------------------------


def record(home: Path, *words: object) -> tuple[int, str, str]:
    return run("cancellation", "record", home, *words, "--today", "2030-12-20")


def test_sent_then_refused_then_confirmed(home: Path, tmp_path: Path) -> None:
    receipt = tmp_path / "re\u202eceipt .PDF"
    receipt.write_bytes(b"%PDF-1.7")
    code, out, _ = record(home, "sent", "--date", "2030-12-01", "--channel", "courier",
                          "--tracking", "1Z\n9", "--document", receipt, "--json")  # fmt: skip
    told = json.loads(out)
    assert code == 0 and told["tracking"] == "1Z 9"
    assert (home / "cancellation" / told["document"]["stored"]).read_bytes() == b"%PDF-1.7"

    code, out, err = run("cancellation", "status", home, "--today", "2030-12-05", "--json")
    told = json.loads(out)
    assert code == 0 and [one["due"] for one in told["reminders"]] == [True, False, False, False]
    assert "write to the account executive" in err and told["damage"] == []

    code, _, err = record(home, "refused", "--because", "backup-incomplete")
    assert code == 0 and f"sfexit verify-backup {home} --repair" in err
    _, out, _ = run("cancellation", "status", home, "--json", "-q", "--today", "2030-12-21")
    told = json.loads(out)
    assert told["reminders"] == []
    [confirm] = [one for one in told["gates"] if one["gate"] == "confirm"]
    assert confirm["state"] == "open" and "verify-backup" in confirm["next_action"]

    code, _, err = record(home, "confirmed", "--end-date", "2030-03-31")
    assert code == 8 and "names 2030-03-31, the contract 2031-03-31" in err
    code, _, err = record(home, "confirmed", "--end-date", "2031-03-31", "--document", receipt)
    assert code == 0
    _, out, _ = run("cancellation", "status", home, "--json", "-q", "--today", "2030-12-21")
    told = json.loads(out)
    assert {one["gate"]: one["state"] for one in told["gates"]}["confirm"] == "closed"
    stored = home / "cancellation" / told["records"][0]["document"]["stored"]
    stored.write_bytes(b"forged")
    _, _, err = run("cancellation", "status", home)
    assert err.count("missing or changed") == 2


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("confirmed",), "nothing was sent yet"),
        (("refused", "--because", "other"), "nothing was sent yet"),
        (("sent",), "--channel is missing"),
        (("sent", "--channel", "letter", "--date", "2031-01-01"), "lies ahead"),
        (("sent", "--channel", "letter", "--end-date", "2031-01-01"), "is for a confirmation"),
        (("sent", "--channel", "letter", "--because", "other"), "is for a refusal"),
        (("refused",), "--because is missing"),
    ],
)
def test_records_that_cannot_be(home: Path, words: tuple[str, ...], why: str) -> None:
    code, _, err = record(home, *words)
    assert code == 2 and why in err and records.read(home) == ()


def test_changed_records_are_told(home: Path) -> None:
    record(home, "sent", "--channel", "letter")
    path = records.path_of(home)
    path.write_bytes(path.read_bytes().replace(b"letter", b"portal") * 2)
    code, _, err = run("cancellation", "status", home)
    assert code == 1 and "was changed after it was written" in err
