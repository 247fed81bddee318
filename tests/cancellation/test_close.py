"""`sfexit cancellation close`: refused with the list until each point is met, then whole."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from sfexit.cancellation import closing, package, records
from sfexit.errors import UsageProblem
from sfexit.preflight.elsewhere import PLACES
from sfexit.simulated_org import SimulatedOrg, serve
from sfexit.simulated_org.catalogue import standard_objects

from .samples import only_package, proven, run, with_contract

ITEMS = [one.key for one in closing.items()]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return proven(with_contract(tmp_path / "acme-exit"))


def answers(path: Path, **changes: str) -> Path:
    """A file that answers for all, with changes by item; an empty one leaves it open."""
    said = dict.fromkeys(ITEMS, "R. Roe: done on 3 May") | changes
    lines = ["[attest]", *(f'{key} = "{text}"' for key, text in said.items() if key in ITEMS)]
    lines += ["[waive]", f'offboarding = "{said.get("offboarding", "B. Boss: all leave at once")}"']
    lines += ["[custody]", 'copies = ["Safe of <b>Acme</b>, R. Roe"]', 'successor = "B. Boss"']
    path.write_text("\n".join(lines))
    return path


def close(home: Path, *words: object) -> tuple[int, str, str]:
    return run("cancellation", "close", home, "--today", "2030-11-22", *words)


def still_open(out: str) -> list[str]:
    told: list[str] = json.loads(out)["open"]
    return told


def test_it_lists_everything_that_is_open(home: Path) -> None:
    code, out, err = close(home, "--offline", "--json")
    assert code == 5 and still_open(out) == ["offboarding", *ITEMS]
    assert "Data that lives elsewhere" in err and "--attest slack 'NAME: …'" in err
    assert not list((home / "cancellation").glob("*final*"))


def test_every_place_of_data_is_asked_for() -> None:
    assert len(set(ITEMS)) == len(ITEMS) == len(PLACES) + 2 + 5
    assert {"slack", "sandboxes", "identity-provider", "connected-apps"} < set(ITEMS)


def test_the_template_is_a_file_of_answers_with_nothing_answered(tmp_path: Path) -> None:
    code, out, _ = run("cancellation", "close", tmp_path, "--template")
    assert code == 0 and closing.parse_answers(out) == closing.Answers()
    assert all(f'{key} = ""' in out for key in ITEMS)


@pytest.mark.parametrize("key", ["slack", "identity-provider", "offboarding"])
def test_one_open_point_keeps_it_open(home: Path, tmp_path: Path, key: str) -> None:
    file = answers(tmp_path / "a.toml", **{key: ""})
    code, out, _ = close(home, "--answers", file, "--offline", "--json", "-q")
    assert code == 5 and still_open(out) == [key]
    assert not list((home / "cancellation").glob("*final*"))
    # Answers are kept: the missing one is enough the next time.
    how = "--waive" if key == "offboarding" else "--attest"
    assert close(home, how, key, "R. Roe: done", "--offline", "-q")[0] == 0


def test_the_final_package(home: Path, tmp_path: Path) -> None:
    file = answers(tmp_path / "a.toml", slack="R. Roe: <script>alert(1)</script>")
    code, out, _ = close(home, "--answers", file, "--offline", "--json")
    assert code == 0
    folder = only_package(home, "final")
    told = json.loads(out)
    assert told["package"] == str(folder) and told["open"] == []
    assert {one.name for one in folder.iterdir()} >= {
        "SHA256SUMS", "final.html", "final.json", "custody.html", "freeze-runbook.html",
        "ledger-summary.csv", "journals.sha256", "certificate.json", "public-key.pem",
    }  # fmt: skip
    assert package.damage(folder) == ()
    page = (folder / "final.html").read_text()
    assert told["root_digest"] in page and "&lt;script&gt;alert(1)" in page
    assert "<script" not in page and "No confirmation of the cancellation is on file" in page
    custody = (folder / "custody.html").read_text()
    assert "Safe of &lt;b&gt;Acme" in custody and "B. Boss" in custody
    assert told["signing_key"] in custody and "to be filled in by hand" in custody
    summary = (folder / "ledger-summary.csv").read_text()
    assert "failed,1," in summary and "Broken__c,failed,because" in summary
    journals = (folder / "journals.sha256").read_text()
    assert "cancellation/records.jsonl" in journals
    assert "bags/0001/data/evidence/journal.jsonl" in journals
    assert records.read(home)[-1].event == "closed"
    assert records.read(home)[-1].data["package"] == folder.name


def test_custody_is_kept_between_runs(home: Path, tmp_path: Path) -> None:
    file = answers(tmp_path / "a.toml", slack="")
    assert close(home, "--answers", file, "--offline", "-q")[0] == 5
    more = tmp_path / "more.toml"
    more.write_text('[custody]\nsuccessor = "C. Next"\nretention = "ten years"')
    assert close(home, "--answers", more, "--offline", "-q")[0] == 5
    before = len(records.read(home))
    assert close(home, "--answers", more, "--offline", "-q")[0] == 5
    assert len(records.read(home)) == before  # said already
    assert close(home, "--attest", "slack", "R. Roe: done", "--offline", "-q")[0] == 0
    custody = (only_package(home, "final") / "custody.html").read_text()
    assert "Safe of &lt;b&gt;Acme" in custody and "ten years" in custody
    assert "C. Next" in custody and "B. Boss" not in custody


def test_an_old_proof_is_not_fresh(home: Path, tmp_path: Path) -> None:
    file = answers(tmp_path / "a.toml")
    old = proven(with_contract(tmp_path / "old"),
                 made=datetime.now(UTC).replace(microsecond=0) - timedelta(hours=30))  # fmt: skip
    code, out, err = close(old, "--answers", file, "--offline", "--json")
    assert code == 5 and still_open(out) == ["verification"]
    assert "older than 24 hours" in " ".join(err.split())
    assert close(old, "--fresh-hours", "48", "--offline", "-q")[0] == 0
    none = with_contract(tmp_path / "none")
    code, out, _ = close(none, "--answers", file, "--offline", "--json")
    assert code == 5 and still_open(out) == ["verification"]


@pytest.mark.parametrize(
    ("item", "said"),
    [("nothing", "R. Roe: done"), ("slack", "done"), ("slack", ": done"), ("slack", "R. Roe: "),
     ("offboarding", "R. Roe: done")],
)  # fmt: skip
def test_answers_that_are_none(home: Path, item: str, said: str) -> None:
    code, _, err = close(home, "--attest", item, said, "--offline")
    assert code == 2 and item in err
    assert records.read(home) == ()


@pytest.mark.parametrize(
    "text", ["[other]\na = 1", "attest = 1", "[attest]\nslack = 1", "[custody]\ncopies = 1",
             "[custody]\nmore = 1", "not toml"],
)  # fmt: skip
def test_files_of_answers_that_are_none(text: str) -> None:
    with pytest.raises(UsageProblem):
        closing.parse_answers(text)


def test_the_org_tells_what_leads_into_it(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = {"Organization", "User", "Case", "OauthToken", "LoginHistory"}
    org = SimulatedOrg(rows=50, objects=[one for one in standard_objects() if one.name in names])
    with serve(org) as server:
        monkeypatch.setenv("SFEXIT_INSTANCE_URL", server.url)
        monkeypatch.setenv("SFEXIT_ACCESS_TOKEN", org.access_token)
        code, _, err = close(home, "--json")
        assert code == 5 and "you are signed in to org" in err  # the home is of another one
        mark = json.loads((home / "sfexit-home.json").read_text())
        (home / "sfexit-home.json").unlink()
        code, out, err = close(home, "--json")
        (home / "sfexit-home.json").write_text(json.dumps(mark))
    told = {one["key"]: one["evidence"] for one in json.loads(out)["requirements"]}
    assert code == 5
    assert any("could not be read" in one for one in told["sites-domains"])
    assert told["connected-apps"]
    assert not any("Case could not be read" in one for one in told["web-forms"])
