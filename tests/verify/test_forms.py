"""Verifying in parts and in several runs, and the forms of the result with hostile text in it."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import damage as d
import pytest
from click.testing import CliRunner
from made import Made

from sfexit.commands import verify_backup
from sfexit.errors import ArchiveProblem, Blocked, Paused
from sfexit.reports import findings
from sfexit.verify.codes import Level
from sfexit.verify.finding import Finding
from sfexit.verify.offline import Options, verify_offline
from sfexit.verify.verdict import Verdict, judge

HOSTILE = ['=cmd|" /C calc"!A0', "+1", "-1", "@SUM(A1)", "\t=1", "＝1", "<script>alert(1)</script>"]


def test_each_damage_falls_into_exactly_one_part(made: Made) -> None:
    d.flip(d.page(made.bag))
    verdicts = [
        verify_offline(made.home, Options(part=(n, 3), workers=1)).judgement.verdict
        for n in (1, 2, 3)
    ]
    assert sorted(verdicts) == [Verdict.DAMAGED, Verdict.INTACT, Verdict.INTACT]


@pytest.mark.parametrize("level", [Level.NORMAL, Level.DEEP])
def test_a_run_that_was_cut_short_goes_on(made: Made, tmp_path: Path, level: Level) -> None:
    d.flip(d.page(made.bag))
    state = tmp_path / "state"
    with pytest.raises(Paused, match="run the same line again"):
        verify_offline(made.home, Options(level=level, max_seconds=0, state=state, workers=1))
    told = verify_offline(made.home, Options(level=level, state=state, workers=1))
    assert "file-altered" in {one.code for one in told.judgement.findings}
    assert not state.exists()


def test_the_state_of_another_verification_is_refused(made: Made, tmp_path: Path) -> None:
    state = tmp_path / "state"
    with pytest.raises(Paused):
        verify_offline(made.home, Options(max_seconds=0, state=state, workers=1))
    with pytest.raises(ArchiveProblem, match="another verification"):
        verify_offline(made.home, Options(level=Level.DEEP, state=state, workers=1))
    with pytest.raises(Blocked, match="inside the archive"):
        verify_offline(made.home, Options(state=made.bag / "state", workers=1))


def test_forms_are_harmless() -> None:
    some = [Finding("row-missing", "rows", object=text, found=text) for text in HOSTILE]
    told = judge((), some, required=(), offline=False)
    for row in csv.DictReader(io.StringIO(findings.as_csv(told).decode("utf-8-sig"))):
        assert not row["object"].startswith(("=", "+", "-", "@", "\t", "＝"))
    page = "".join(findings.section(told))
    assert "<script" not in page and "&lt;script&gt;" in page
    assert json.dumps(findings.judgement(told))


def test_the_command(made: Made, tmp_path: Path) -> None:
    def run(*words: str) -> tuple[int, str]:
        done = CliRunner().invoke(
            verify_backup.command, [str(made.home), "--offline", *words], standalone_mode=False
        )
        assert done.exception is None, done.exception
        return done.return_value, done.stdout

    code, out = run("--html", str(tmp_path / "r.html"), "--csv", str(tmp_path / "r.csv"))
    assert (code, out.splitlines()[-1][:6]) == (0, "INTACT")
    assert "INTACT" in (tmp_path / "r.html").read_text("utf-8")
    d.flip(d.page(made.bag))
    code, out = run("--json", "--quiet")
    told = json.loads(out[: out.rindex("}") + 1])
    assert (code, told["schema"], told["verdict"]) == (8, "sfexit-verify-offline/1", "DAMAGED")
    assert told["findings"][0]["code"] == "file-altered"
