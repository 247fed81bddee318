"""`sfexit export` as an administrator meets it: exit codes, sentences, files."""

from __future__ import annotations

import gzip
import json
import os
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sfexit.salesforce import refusals
from sfexit.simulated_org import Fault, FaultPlan, serve
from sfexit.simulated_org.visibility import SimulatedUser

from .conftest import COMPLETE, Company, Ran, small_org

Sfexit = Callable[..., Ran]

posix = pytest.mark.skipif(os.name == "nt", reason="Windows has neither modes nor these signals")


def all_bytes(folder: Path) -> Iterator[tuple[Path, bytes]]:
    """Every file below a folder, packed ones unpacked too."""
    for path in folder.rglob("*"):
        if path.is_file():
            data = path.read_bytes()
            yield path, data
            if path.suffix == ".gz":
                yield path, gzip.decompress(data)


def rewrite(path: Path, old: str, new: str) -> None:
    """Change a text of a sealed bag, whatever its mode."""
    text = path.read_text("utf-8")
    assert old in text
    path.chmod(0o600)
    path.write_text(text.replace(old, new), "utf-8")


def wait_for(condition: Callable[[], object], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.01)


# ---- the good end --------------------------------------------------------------------------------


def test_document(sfexit: Sfexit, company: Company, home: Path) -> None:
    ran = sfexit("export", home, "--json", "--quiet")
    assert (ran.code, ran.err) == (0, "")
    told = json.loads(ran.out)
    assert set(told) == {
        "schema", "home", "organization_id", "organization", "complete", "already_sealed",
        "resumed", "bag", "objects", "outcomes", "rows", "files", "this_run", "refresh",
        "set_aside", "incomplete", "sight", "metadata",
    }  # fmt: skip
    assert told["schema"] == "sfexit-export/1"
    assert told["home"] == str(home)
    assert told["organization_id"] == company.org.organization_id
    assert told["complete"] is True
    assert told["already_sealed"] is False
    assert told["resumed"] is False
    assert told["incomplete"] == []
    assert told["objects"] == sum(told["outcomes"].values()) == 8
    assert told["outcomes"] == {"exported": 5, "empty": 1, "no_data": 2}
    assert told["rows"] == told["this_run"]["rows_read"] > 250
    assert told["this_run"]["api_calls"] > 0
    assert set(told["bag"]) == {
        "path", "generation", "root_digest", "signing_key", "files", "bytes",
    }  # fmt: skip
    assert told["bag"]["generation"] == 1
    assert Path(told["bag"]["path"]) == home / "bags/0001"
    assert told["bag"]["signing_key"].startswith("SHA256:")


def test_summary_goes_to_stderr_and_stdout_stays_empty(sfexit: Sfexit, home: Path) -> None:
    ran = sfexit("export", home)
    assert ran.code == 0
    assert ran.out == ""
    assert ran.sentences[0].startswith("COMPLETE: ")
    assert "\x1b" not in ran.err


def test_quiet_says_nothing(sfexit: Sfexit, home: Path) -> None:
    assert sfexit("export", home, "--quiet") == Ran(0, "", "")


def test_incomplete_is_3_and_says_what_to_do(sfexit: Sfexit, home: Path) -> None:
    ran = sfexit("export", home, "--objects", "Account,Contact", "--json")
    assert ran.code == 3
    assert ran.sentences[0].startswith("INCOMPLETE: ")
    assert "--objects" in ran.err
    told = json.loads(ran.out)
    assert told["complete"] is False
    assert told["outcomes"]["exported"] == 2
    gap = next(line for line in told["incomplete"] if line["object"] == "User")
    assert set(gap) == {"object", "outcome", "rows", "reason", "evidence", "remedy"}
    assert gap["remedy"]


def test_exclude(sfexit: Sfexit, home: Path) -> None:
    told = json.loads(sfexit("export", home, "--exclude", "Contact", "-q", "--json").out)
    assert [line["object"] for line in told["incomplete"]] == ["Contact"]


def test_verbose_says_notes(sfexit: Sfexit, company: Company, home: Path) -> None:
    company.faults.add(Fault("gzip_short", endpoint="queryall", nth=3))
    ran = sfexit("export", home, "--verbose")
    assert ran.code == 0
    assert "note: " in ran.err


def test_sealed_home_has_nothing_to_do(sfexit: Sfexit, company: Company, home: Path) -> None:
    first = json.loads(sfexit("export", home, "-q", "--json").out)
    ran = sfexit("export", home, "--json")
    assert ran.code == 0
    assert "nothing to do" in ran.err
    assert "--anew" in ran.err
    again = json.loads(ran.out)
    assert again["already_sealed"] is True
    assert again["bag"] == first["bag"]
    assert again["outcomes"] == first["outcomes"]
    assert again["this_run"]["rows_read"] == 0


def test_sealed_incomplete_home_stays_3(sfexit: Sfexit, home: Path) -> None:
    assert sfexit("export", home, "--exclude", "Contact", "-q").code == 3
    assert sfexit("export", home, "--exclude", "Contact", "-q").code == 3


def test_anew_makes_the_next_generation(sfexit: Sfexit, home: Path) -> None:
    first = json.loads(sfexit("export", home, "-q", "--json").out)
    second = json.loads(sfexit("export", home, "--anew", "-q", "--json").out)
    assert (first["bag"]["generation"], second["bag"]["generation"]) == (1, 2)
    assert second["rows"] == first["rows"]
    labels = (home / "bags/0002/bag-info.txt").read_text("utf-8")
    assert f"Sfexit-Previous-Root: {first['bag']['root_digest']}" in labels


def test_options_beat_the_environment(sfexit: Sfexit, home: Path) -> None:
    ran = sfexit("export", home, "--api-version", "66.0", "-q", SFEXIT_API_VERSION="65.0")
    assert ran.code == 0
    assert "Sfexit-Api-Version: 66.0" in (home / "bags/0001/bag-info.txt").read_text("utf-8")


def test_settings_of_the_home(sfexit: Sfexit, home: Path) -> None:
    home.mkdir(mode=0o700)
    (home / "sfexit.toml").write_text('[export]\nobjects = ["Account"]\n', "utf-8")
    told = json.loads(sfexit("export", home, "-q", "--json").out)
    assert told["outcomes"]["exported"] == 1


def test_client_credentials(sfexit: Sfexit, company: Company, home: Path) -> None:
    ran = sfexit(
        "export",
        home,
        "-q",
        SFEXIT_ACCESS_TOKEN="",
        SFEXIT_CLIENT_ID=company.org.client_id,
        SFEXIT_CLIENT_SECRET=company.org.client_secret,
    )
    assert ran == Ran(0, "", "")


def test_names_with_blanks_and_umlauts(sfexit: Sfexit, tmp_path: Path) -> None:
    assert sfexit("export", tmp_path / "Müller & Söhne", "-q").code == 0


def test_refresh(sfexit: Sfexit, company: Company, home: Path) -> None:
    first = sfexit("export", home, "--refresh")
    assert first.code == 0
    assert "no archive to bring up to date yet" in first.err
    quiet = sfexit("export", home, "--refresh", "--json")
    assert quiet.code == 0
    assert quiet.err.splitlines()[-1].startswith("This run")
    assert "UNCHANGED: since " in quiet.err
    assert "COMPLETE" not in quiet.err
    told = json.loads(quiet.out)
    assert told["refresh"]["unchanged"] is True
    assert told["bag"]["generation"] == 1
    assert "unchanged since" in " ".join(sfexit("assess", home).err.split())
    company.org.update_rows("Contact", [1])
    company.org.purge_rows("Contact", [2])
    changed = sfexit("export", home, "--refresh", "--json")
    assert changed.code == 0
    told = json.loads(changed.out)
    assert told["bag"]["generation"] == 2
    assert told["refresh"]["objects"]["Contact"]["gone"] == 1
    assert "Since     archive 0001: 1 changed, 1 gone" in changed.err
    both = sfexit("export", home, "--refresh", "--anew")
    assert both.code == 2
    assert "give one of the two" in both.err


# ---- secrets and modes ---------------------------------------------------------------------------


def test_no_credential_is_ever_written(company: Company, home: Path) -> None:
    token, secret = company.org.access_token, company.org.client_secret
    company.faults.add(Fault("gzip_short", endpoint="queryall", nth=4))  # so that notes are said
    given = {
        "SFEXIT_ACCESS_TOKEN": "",
        "SFEXIT_CLIENT_ID": company.org.client_id,
        "SFEXIT_CLIENT_SECRET": secret,
    }
    with_secret = company.finish("export", home, "--verbose", "--json", **given)
    with_token = company.finish("export", home, "--verbose", "--json", "--anew")
    assert (with_secret.code, with_token.code) == (0, 0)
    after = token.rpartition("!")[2]  # the part that opens the door
    assert len(after) > 20
    hidden = [text.encode() for text in (token, after, secret)]
    for ran in (with_secret, with_token):
        assert not any(text in (ran.out + ran.err).encode() for text in hidden)
    for path, data in all_bytes(home):
        assert not any(text in data for text in hidden), path


@posix
def test_nobody_else_can_read_the_home(sfexit: Sfexit, home: Path) -> None:
    assert sfexit("export", home, "-q").code == 0
    assert stat.S_IMODE(home.stat().st_mode) == 0o700
    for path in home.rglob("*"):
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path
    sealed = [path for path in (home / "bags/0001").rglob("*") if path.is_file()]
    assert all(stat.S_IMODE(path.stat().st_mode) == 0o400 for path in sealed)


# ---- signing in ----------------------------------------------------------------------------------


def test_wrong_token_is_4(sfexit: Sfexit, home: Path) -> None:
    ran = sfexit("export", home, SFEXIT_ACCESS_TOKEN="00D000000000001!wrongwrongwrong")
    assert (ran.code, ran.out) == (4, "")
    assert "SFEXIT_ACCESS_TOKEN" in ran.sentence
    assert "wrongwrong" not in ran.err
    assert not home.exists()


def test_no_credential_is_4(sfexit: Sfexit, home: Path) -> None:
    ran = sfexit("export", home, SFEXIT_ACCESS_TOKEN="", SFEXIT_INSTANCE_URL="")
    assert ran.code == 4
    assert "SFEXIT_INSTANCE_URL" in ran.sentence
    assert not home.exists()


def test_two_credentials_are_4(sfexit: Sfexit, company: Company, home: Path) -> None:
    ran = sfexit("export", home, SFEXIT_CLIENT_SECRET="something")
    assert ran.code == 4
    assert "only one" in ran.sentence


def test_wrong_client_secret_is_4(sfexit: Sfexit, company: Company, home: Path) -> None:
    ran = sfexit(
        "export",
        home,
        SFEXIT_ACCESS_TOKEN="",
        SFEXIT_CLIENT_ID=company.org.client_id,
        SFEXIT_CLIENT_SECRET="not-the-secret",
    )
    assert ran.code == 4
    assert "not-the-secret" not in ran.err
    assert ran.sentence
    assert not home.exists()


@posix
def test_token_file_that_others_can_read_is_4(
    sfexit: Sfexit, company: Company, home: Path, tmp_path: Path
) -> None:
    path = tmp_path / "token"
    path.write_text(company.org.access_token)
    path.chmod(0o644)
    given = {"SFEXIT_ACCESS_TOKEN": "", "SFEXIT_ACCESS_TOKEN_FILE": str(path)}
    assert "chmod 600" in sfexit("export", home, **given).sentence
    path.chmod(0o600)
    assert sfexit("export", home, "-q", **given) == Ran(0, "", "")


def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    known = refusals.NETWORK
    quick = refusals.Patience(known.kind, tries=2, first_wait=0.01, longest_wait=0.01)
    monkeypatch.setattr(refusals, "NETWORK", quick)


def test_refused_connection_is_4_and_names_the_host(
    sfexit: Sfexit, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _impatient(monkeypatch)
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}"
        ran = sfexit("export", home, SFEXIT_INSTANCE_URL=url)
    assert (ran.code, ran.out) == (4, "")
    assert "127.0.0.1" in ran.sentence
    assert not home.exists()


def test_plain_http_elsewhere_is_2(sfexit: Sfexit, home: Path) -> None:
    ran = sfexit("export", home, SFEXIT_INSTANCE_URL="http://acme.my.salesforce.com")
    assert ran.code == 2
    assert "https://" in ran.sentence
    assert not home.exists()


def test_host_that_is_not_salesforces_is_2(sfexit: Sfexit, home: Path) -> None:
    ran = sfexit("export", home, SFEXIT_INSTANCE_URL="https://acme.example.com")
    assert ran.code == 2
    assert "SFEXIT_ALLOW_HOST" in ran.sentence


def test_session_lost_midway_is_4_and_goes_on(sfexit: Sfexit, company: Company, home: Path) -> None:
    company.faults.add(Fault("session_expired", endpoint="queryall", nth=5))
    ran = sfexit("export", home)
    assert (ran.code, ran.out) == (4, "")
    assert "Progress is kept" in ran.sentence
    told = json.loads(
        sfexit("export", home, "-q", "--json", SFEXIT_ACCESS_TOKEN=company.org.new_session()).out
    )
    assert told["complete"] is True
    assert told["resumed"] is True


# ---- what is asked for ---------------------------------------------------------------------------


def test_unknown_object_is_2_and_names_the_nearest(sfexit: Sfexit, home: Path) -> None:
    ran = sfexit("export", home, "--objects", "Acount")
    assert ran.code == 2
    assert "'Acount'" in ran.sentence
    assert "did you mean Account?" in ran.sentence


def test_misspelled_object_can_be_put_right(sfexit: Sfexit, home: Path) -> None:
    assert sfexit("export", home, "--objects", "Acount", "-q").code == 2
    assert not home.exists()
    assert sfexit("export", home, "--objects", "Account", "-q").code == 3


def test_other_choice_midway_is_2(sfexit: Sfexit, company: Company, home: Path) -> None:
    company.faults.add(Fault("session_expired", endpoint="queryall", nth=3))
    assert sfexit("export", home, "-q").code == 4
    again = {"SFEXIT_ACCESS_TOKEN": company.org.new_session()}
    ran = sfexit("export", home, "--objects", "Account", **again)
    assert ran.code == 2
    assert "another choice" in ran.sentence
    assert sfexit("export", home, "-q", **again).code == 0


@pytest.mark.parametrize(
    ("option", "value", "word"),
    [
        ("--api-budget", "0", "100%"),
        ("--api-budget", "lots", "50%"),
        ("--api-version", "abc", "66.0"),
        ("--api-version", "99.0", "offers 31.0 to"),
    ],
)
def test_wrong_values_are_2(sfexit: Sfexit, home: Path, option: str, value: str, word: str) -> None:
    ran = sfexit("export", home, option, value)
    assert ran.code == 2
    assert word in ran.sentence
    assert not home.exists()


def test_other_version_midway_is_5(sfexit: Sfexit, company: Company, home: Path) -> None:
    company.faults.add(Fault("session_expired", endpoint="queryall", nth=3))
    assert sfexit("export", home, "-q", "--api-version", "66.0").code == 4
    again = {"SFEXIT_ACCESS_TOKEN": company.org.new_session()}
    ran = sfexit("export", home, "--api-version", "65.0", **again)
    assert ran.code == 5
    assert "--api-version 66.0" in ran.sentence
    assert sfexit("export", home, "-q", **again).code == 0  # keeps the version without being told


def test_toml_typo_is_2_and_names_the_nearest(sfexit: Sfexit, home: Path) -> None:
    home.mkdir()
    (home / "sfexit.toml").write_text('[export]\nobject = ["Account"]\n', "utf-8")
    ran = sfexit("export", home)
    assert ran.code == 2
    assert "did you mean objects?" in ran.sentence
    assert [path.name for path in home.iterdir()] == ["sfexit.toml"]


def test_broken_toml_is_2(sfexit: Sfexit, home: Path) -> None:
    home.mkdir()
    (home / "sfexit.toml").write_text("[export\n", "utf-8")
    ran = sfexit("export", home)
    assert ran.code == 2
    assert "not valid TOML" in ran.sentence
    assert "line 1" in ran.sentence


# ---- where it goes -------------------------------------------------------------------------------


def test_file_in_place_of_the_home_is_5(sfexit: Sfexit, home: Path) -> None:
    home.write_text("a file")
    ran = sfexit("export", home)
    assert ran.code == 5
    assert "is a file" in ran.sentence
    assert home.read_text() == "a file"


def test_home_below_a_file_is_5(sfexit: Sfexit, home: Path) -> None:
    home.write_text("a file")
    ran = sfexit("export", home / "below")
    assert ran.code == 5
    assert ran.sentence


@posix
@pytest.mark.skipif(os.name != "nt" and os.geteuid() == 0, reason="root may write everywhere")
def test_folder_that_cannot_be_written_is_5(sfexit: Sfexit, home: Path) -> None:
    home.mkdir(mode=0o500)
    ran = sfexit("export", home)
    assert ran.code == 5
    assert ran.sentence


def test_folder_of_others_is_5(sfexit: Sfexit, home: Path) -> None:
    home.mkdir()
    (home / "letter.txt").write_text("mine")
    ran = sfexit("export", home)
    assert ran.code == 5
    assert "holds other files" in ran.sentence
    assert [path.name for path in home.iterdir()] == ["letter.txt"]


def test_bag_in_place_of_the_home_is_5(sfexit: Sfexit, home: Path) -> None:
    assert sfexit("export", home, "-q").code == 0
    assert "not a home" in sfexit("export", home / "bags/0001").sentence


@posix
def test_link_is_5(sfexit: Sfexit, home: Path, tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    home.symlink_to(tmp_path / "real")
    ran = sfexit("export", home)
    assert ran.code == 5
    assert "is a link" in ran.sentence


def test_home_of_another_org_is_5(sfexit: Sfexit, company: Company, home: Path) -> None:
    assert sfexit("export", home, "-q").code == 0
    other = "00D000000000001EAA"
    rewrite(home / "bags/0001/bag-info.txt", company.org.organization_id, other)
    ran = sfexit("export", home, "--anew")
    assert ran.code == 5
    assert other in ran.sentence
    assert company.org.organization_id in ran.sentence


def test_running_export_of_another_org_is_5(sfexit: Sfexit, company: Company, home: Path) -> None:
    company.faults.add(Fault("session_expired", endpoint="queryall", nth=3))
    assert sfexit("export", home, "-q").code == 4
    other = "00D000000000001EAA"
    rewrite(home / "work/home.json", company.org.organization_id, other)
    ran = sfexit("export", home, SFEXIT_ACCESS_TOKEN=company.org.new_session())
    assert ran.code == 5
    assert other in ran.sentence


def test_newer_archive_format_is_5(sfexit: Sfexit, home: Path) -> None:
    assert sfexit("export", home, "-q").code == 0
    rewrite(home / "bags/0001/bag-info.txt", "sfexit-archive/1", "sfexit-archive/2")
    ran = sfexit("export", home, "--anew")
    assert ran.code == 5
    assert "sfexit-archive/2" in ran.sentence
    assert not (home / "bags/0002").exists()


def test_newer_work_format_is_5(sfexit: Sfexit, company: Company, home: Path) -> None:
    company.faults.add(Fault("session_expired", endpoint="queryall", nth=3))
    assert sfexit("export", home, "-q").code == 4
    rewrite(home / "work/home.json", "sfexit-work/1", "sfexit-work/2")
    ran = sfexit("export", home, SFEXIT_ACCESS_TOKEN=company.org.new_session())
    assert ran.code == 5
    assert "sfexit-work/2" in ran.sentence


def test_missing_index_is_1_and_names_recover(sfexit: Sfexit, company: Company, home: Path) -> None:
    company.faults.add(Fault("session_expired", endpoint="queryall", nth=3))
    assert sfexit("export", home, "-q").code == 4
    (home / "work/state.db").unlink()
    ran = sfexit("export", home, SFEXIT_ACCESS_TOKEN=company.org.new_session())
    assert ran.code == 1
    assert "sfexit recover" in ran.sentence


# ---- quota ---------------------------------------------------------------------------------------


def test_quota_pauses_with_75_and_goes_on(sfexit: Sfexit, company: Company, home: Path) -> None:
    company.faults.add(Fault("quota", endpoint="queryall", nth=4))
    ran = sfexit("export", home)
    assert (ran.code, ran.out) == (75, "")
    assert "run the same command again" in ran.sentence
    company.org.api_daily_limit = company.org.used() + 10_000  # a day later
    assert json.loads(sfexit("export", home, "-q", "--json").out)["complete"] is True


def test_budget_pauses_with_75(home: Path, tmp_path: Path) -> None:
    with serve(small_org(api_daily_limit=120), FaultPlan()) as server:
        company = Company(server, FaultPlan(), tmp_path)
        ran = company.finish("export", home, "--api-budget", "20%")
        assert ran.code == 75
        assert "20%" in ran.sentence
        assert "--api-budget" in ran.sentence
        assert company.finish("export", home, "--api-budget", "100%", "-q") == Ran(0, "", "")


# ---- two at once, and signals --------------------------------------------------------------------


class _Held:
    """An export that is caught while the org keeps it waiting."""

    def __init__(self, company: Company, home: Path, seconds: float) -> None:
        fault = Fault("hang", endpoint="queryall", nth=4, seconds=seconds)
        company.faults.add(fault)
        self.process = company.start("export", home)
        wait_for(lambda: fault.hits or self.process.poll() is not None)
        assert self.process.poll() is None, self.process.communicate()

    def send(self, number: int) -> None:
        self.process.send_signal(number)

    def hear(self, words: str) -> str:
        """Read stderr up to a line that holds these words."""
        assert self.process.stderr is not None
        heard = ""
        for line in self.process.stderr:
            heard += line
            if words in line:
                return heard
        raise AssertionError(heard)

    def end(self) -> Ran:
        out, err = self.process.communicate(timeout=30)
        return Ran(self.process.returncode, out, err)


def test_second_run_on_one_home_is_10(sfexit: Sfexit, company: Company, home: Path) -> None:
    held = _Held(company, home, seconds=60)
    try:
        ran = sfexit("export", home)
        assert ran.code == 10
        assert str(held.process.pid) in ran.sentence
    finally:
        held.process.kill()
        held.end()
    # A killed run leaves no lock behind, and its work goes on.
    assert json.loads(sfexit("export", home, "-q", "--json").out)["resumed"] is True


@posix
@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_one_signal_is_130_and_the_same_command_goes_on(
    sfexit: Sfexit, company: Company, home: Path, name: str
) -> None:
    held = _Held(company, home, seconds=0.7)
    held.send(getattr(signal, name))
    ran = held.end()
    assert (ran.code, ran.out) == (130, "")
    assert "stopping: " in ran.err
    assert "run the same command again" in ran.sentence
    assert not (home / "bags").exists()
    told = json.loads(sfexit("export", home, "-q", "--json").out)
    assert told["complete"] is True
    assert told["resumed"] is True
    checked = subprocess.run(
        [sys.executable, "-I", home / "bags/0001/data/tools/verify.py"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr


@posix
def test_two_signals_stop_at_once(sfexit: Sfexit, company: Company, home: Path) -> None:
    held = _Held(company, home, seconds=60)
    held.send(signal.SIGINT)
    held.hear("stopping: ")
    held.send(signal.SIGINT)
    ran = held.end()
    assert (ran.code, ran.out, ran.err) == (130, "", "")
    assert sfexit("export", home, "-q") == Ran(0, "", "")


# ---- the look of it ------------------------------------------------------------------------------


@posix
@pytest.mark.parametrize("plain", [False, True])
def test_terminal_and_no_color(company: Company, home: Path, plain: bool) -> None:
    pty = pytest.importorskip("pty")
    master, slave = pty.openpty()
    given = {"TERM": "xterm-256color", **({"NO_COLOR": "1"} if plain else {})}
    process = subprocess.Popen(
        [sys.executable, "-m", "sfexit", "export", str(home)],
        env={**os.environ, **company.credentials(), **given},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=slave,
    )
    os.close(slave)
    drawn = b""
    while True:
        try:
            part = os.read(master, 65536)
        except OSError:  # Linux says so when the other side is closed
            break
        if not part:
            break
        drawn += part
    os.close(master)
    out, _ = process.communicate(timeout=30)
    assert process.returncode == 0
    assert out == b""
    assert b"COMPLETE" in drawn
    colours = [b"\x1b[3%dm" % n for n in range(8)] + [b"\x1b[38;", b"\x1b[1;3"]
    assert not (plain and any(code in drawn for code in colours)), drawn
    assert process.wait() == 0


def test_closed_pipe_is_no_traceback(company: Company, home: Path) -> None:
    process = company.start("export", home, "--json", "-q")
    assert process.stdout is not None
    process.stdout.close()
    process.wait(timeout=60)
    assert process.stderr is not None
    assert "Traceback" not in process.stderr.read()
    process.stderr.close()


# ---- --strict ------------------------------------------------------------------------------------

LISTED = (
    *COMPLETE, "EntityDefinition", "FieldDefinition", "EntityParticle", "PermissionSet",
    "PermissionSetAssignment", "UserPermissionAccess", "ObjectPermissions", "FieldPermissions",
    "TransactionSecurityPolicy",
)  # fmt: skip


def test_strict_begins_when_everything_is_seen(sfexit: Sfexit, tmp_path: Path, home: Path) -> None:
    with serve(small_org(names=LISTED), FaultPlan(seed=1)) as server:
        company = Company(server, FaultPlan(seed=1), tmp_path)
        assert sfexit("export", home, "--strict", "-q", **company.credentials()) == Ran(0, "", "")


@pytest.mark.parametrize("way", ["option", "variable", "file"])
def test_strict_refuses_and_creates_nothing(
    sfexit: Sfexit, tmp_path: Path, home: Path, clean_environment: Path, way: str
) -> None:
    if way == "file":
        (clean_environment / "sfexit.toml").write_text("[export]\nstrict = true\n", "utf-8")
    options = ["--strict"] if way == "option" else []
    variables = {"SFEXIT_STRICT": "1"} if way == "variable" else {}
    with serve(small_org(names=LISTED), FaultPlan(seed=1)) as server:
        user = SimulatedUser("Nearly", view_all_data=False)
        token = {
            "SFEXIT_INSTANCE_URL": server.url, "SFEXIT_ACCESS_TOKEN": server.org.sign_in(user),
        }  # fmt: skip
        ran = sfexit("export", home, *options, **token, **variables)
    assert ran.code == 5
    assert "View All Data" in ran.sentence
    assert "sfexit assess" in ran.sentence
    assert not home.exists()
