"""`sfexit demo`: the exit rehearsed on a built-in simulated org, offline."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sfexit.commands import _exit
from sfexit.errors import Blocked, SessionLost

if TYPE_CHECKING:
    from sfexit.archive.signing import SigningKey
    from sfexit.export.result import ExportResult
    from sfexit.simulated_org import SimulatedOrg
    from sfexit.verify.verdict import Waiver
    from sfexit.verify.whole import Whole

_MARK = ".made-by-sfexit-demo"
_ROWS = 12_000
_SEED = 7
_CUT_AT_REQUEST = 9


@click.command(
    "demo",
    epilog=("\b\nExamples:\n  sfexit demo\n  sfexit demo look --rows 100000\n"),
)
@click.argument("home", type=click.Path(path_type=Path), default=Path("demo-exit"))
@click.option(
    "--rows",
    type=click.IntRange(1_000, 5_000_000),
    default=_ROWS,
    show_default=True,
    metavar="NUMBER",
    help="About how many records the made-up company has.",
)
def command(home: Path, rows: int) -> int:
    """Rehearse on a built-in simulated org: no network, no Salesforce, under a minute.

    Exports about 12,000 records of a made-up company into HOME (default: demo-exit), loses its
    session on the way, goes on, seals the archive, proves it, brings it up to date, takes two
    people off and back, and lets programs that know nothing of sfexit check the archive. A folder
    made by an earlier demo is replaced, any other is refused.
    """
    began = time.monotonic()
    _make_room(home)
    from sfexit.archive import signing

    with tempfile.TemporaryDirectory() as throw_away:
        # A rehearsal must not make the key that real archives are signed with.
        key = signing.load_or_create(Path(throw_away) / "key")
        result, right = _rehearse(home, rows, key)
    assert result.bag is not None
    _say("")
    _say(f"7. Programs that know nothing of sfexit check {result.bag.path}")
    failed = not right
    for check in _checks(result.bag.path.resolve()):
        _say(f"   {check.verdict:<9} {check.name:<24} {check.told}")
        failed = failed or check.verdict == "FAILED"
    _say("")
    failed = not _verify(home, result) or failed
    _say("")
    _next_steps(result)
    _say(f"\nAll this took {time.monotonic() - began:,.1f} s.")
    return _exit.ERROR if failed else _exit.DONE


def _make_room(home: Path) -> None:
    if (home / _MARK).exists():
        shutil.rmtree(home)
    elif home.exists() and any(home.iterdir()):
        raise Blocked(f"{home} was not made by a demo: name another folder, or remove it yourself")
    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    (home / _MARK).write_text("`sfexit demo` may replace this folder.\n", "utf-8")


def _rehearse(home: Path, rows: int, key: SigningKey) -> tuple[ExportResult, bool]:
    """Export, compare with the org, offboard; the newest archive, and whether all went right."""
    from sfexit.commands._demo_people import people_leave
    from sfexit.reports import export as report
    from sfexit.reports import live
    from sfexit.simulated_org import Fault, FaultPlan, SimulatedOrg, Staff, serve

    _say("1. A made-up company starts its own Salesforce on this machine")
    org = SimulatedOrg(
        seed=_SEED,
        rows=rows,
        bulk_page_rows=500,
        query_all_files=True,
        read_only=False,
        staff=Staff(people=12, portal=1, blockers=("delegated_approver", "case_assignment")),
    )
    # Two passing faults of real life: an answer cut short in a way that HTTP libraries do not
    # notice, and a server that is busy.
    faults = FaultPlan(
        [
            Fault("gzip_short", endpoint="composite", nth=2),
            Fault("status", endpoint="composite", nth=4, status=503),
        ],
        seed=_SEED,
    )
    with serve(org, faults) as server:
        _say(f"   {len(org.objects)} objects, {rows:,} records, at {server.url}")
        _say("")
        _say(f"2. sfexit export {home}")
        faults.add(Fault("session_expired", endpoint="composite", nth=_CUT_AT_REQUEST))
        try:
            result = _export(home, server.url, org, key)
        except SessionLost as lost:
            _say(f"   Stopped, as staged for this demo: {lost.message}")
            _say("")
            _say("3. The same command again, with a new token: it goes on where it was")
            result = _export(home, server.url, org, key)
        for line in report.summary(result):
            _say(f"   {line}" if line else "")
        _say("")
        right, waivers = _may_we_cancel(home, server.url, org)
        _say("")
        _say(f"5. sfexit export {home} --refresh: the archive is brought up to date")
        newest = _export(home, server.url, org, key, refresh=True)
        for line in report.summary(newest):
            _say(f"   {line}" if line else "")
        again = _verified(home, server.url, org, waivers, key)
        _say(f"   {live.headline(again)}")
        _say("")
        left = people_leave(home, server.url, org, key, _say)
        return newest, right and again.judgement.verdict == "SAFE" and left


def _may_we_cancel(home: Path, url: str, org: SimulatedOrg) -> tuple[bool, tuple[Waiver, ...]]:
    """Verify against the org, before and after somebody works in it. Whether both answers are
    right, and what was accepted by name."""
    from sfexit.reports import live as report
    from sfexit.verify.verdict import Waiver

    _say(f"4. sfexit verify-backup {home}: may this company cancel?")
    first = _verified(home, url, org, ())
    # What nobody can export, such as rows that live in another system, a person must accept.
    waivers = tuple(
        Waiver(one.key, one.remedy, "the administrator of this demo", one.count)
        for one in first.judgement.findings
        if one.code == "object-left-out"
    )
    if waivers:
        _say(f"   {report.headline(first)}")
        for one in waivers:
            _say(f"   accepted by {one.person}: {one.finding} ({one.reason})")
    whole = _verified(home, url, org, waivers) if waivers else first
    for line in report.summary(whole):
        _say(f"   {line}" if line else "")
    _say(f"   {report.headline(whole)}")
    _say("")
    _say("   Somebody edits one account, and it is asked once more:")
    org.update_rows("Account", [5])
    after = _verified(home, url, org, waivers)
    _say(f"   {report.headline(after)}")
    right = whole.judgement.verdict == "SAFE" and after.judgement.verdict == "NOT SAFE"
    return right, waivers


def _verified(
    home: Path,
    url: str,
    org: SimulatedOrg,
    waivers: tuple[Waiver, ...],
    key: SigningKey | None = None,
) -> Whole:
    """Verify against the org; with a key, the certificate is put into the home."""
    from sfexit.commands._verify_live import publish
    from sfexit.salesforce.client import Client
    from sfexit.salesforce.login import credential_from_environment
    from sfexit.verify.whole import verify

    told = {"SFEXIT_INSTANCE_URL": url, "SFEXIT_ACCESS_TOKEN": org.new_session()}
    with Client(credential_from_environment(told)) as client:
        whole = verify(client, home, waivers=waivers)
    if key is not None:
        publish(whole, key, say_no=_say)
    return whole


def _export(
    home: Path, url: str, org: SimulatedOrg, key: SigningKey, *, refresh: bool = False
) -> ExportResult:
    from sfexit.commands._signals import stopping
    from sfexit.commands._terminal import progress
    from sfexit.export.run import export
    from sfexit.salesforce.client import Client
    from sfexit.salesforce.login import credential_from_environment

    told = {"SFEXIT_INSTANCE_URL": url, "SFEXIT_ACCESS_TOKEN": org.new_session()}
    with (
        progress(quiet=not sys.stderr.isatty(), verbose=False) as (watching, say),
        stopping(say) as stop,
        Client(credential_from_environment(told), progress=watching, stop=stop) as client,
    ):
        return export(
            client,
            home,
            key=lambda: key,
            refresh=refresh,
            progress=watching,
            stop=stop,
        )


@dataclass(frozen=True)
class _Check:
    name: str
    verdict: str  # "ok", "FAILED" or "not here"
    told: str


def _checks(bag: Path) -> Iterator[_Check]:
    """Run each outside validator that this machine has."""
    python = [sys.executable, "-I"]
    pages = [str(path) for path in sorted((bag / "data/records").glob("*/*.gz"))]
    yield _run("data/tools/verify.py", [*python, str(bag / "data/tools/verify.py")], bag)
    yield _run("sha256sum -c", ["sha256sum", "-c", "--quiet", "manifest-sha256.txt"], bag)
    yield _run("gzip -t", ["gzip", "-t", *pages], bag, note=f"{len(pages)} pages")
    signature = "seal/tagmanifest-sha256.txt.sig"
    yield _run(
        "openssl (signature)",
        [
            "openssl", "pkeyutl", "-verify", "-pubin", "-inkey", "seal/public-key.pem", "-rawin",
            "-in", "tagmanifest-sha256.txt", "-sigfile", signature,
        ],
        bag,
    )  # fmt: skip
    yield _module("bagit", "bagit.py --validate", ["--validate", "--quiet", str(bag)], bag)
    package = str(bag / "data/datapackage.json")
    tables = f"{len({Path(page).parent for page in pages})} tables"
    yield _module("frictionless", "frictionless validate", ["validate", package], bag, tables)


def _module(
    module: str, name: str, arguments: Sequence[str], folder: Path, note: str = ""
) -> _Check:
    if importlib.util.find_spec(module) is None:
        return _Check(name, "not here", f"to try it: pip install {module}")
    return _run(name, [sys.executable, "-m", module, *arguments], folder, note=note)


def _run(name: str, words: Sequence[str], folder: Path, *, note: str = "") -> _Check:
    if shutil.which(words[0]) is None:
        return _Check(name, "not here", "this machine does not have the program")
    # No byte-code and no settings of ours beside or in the archive that is being checked.
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(  # noqa: S603 - fixed words and paths of our own
        list(words), cwd=folder, capture_output=True, text=True, check=False, env=environment
    )
    lines = (done.stdout.strip() or done.stderr.strip()).splitlines()
    told = [line for line in lines if re.search(r"\w", line)]  # frictionless draws frames
    if done.returncode:
        return _Check(name, "FAILED", told[-1][:100] if told else f"exit {done.returncode}")
    return _Check(name, "ok", note or (told[-1][:60] if told else ""))


def _verify(home: Path, result: ExportResult) -> bool:
    """Verify the archive, then a damaged copy of it. True when both answers are right."""
    from sfexit.reports import findings
    from sfexit.reports import offline as report
    from sfexit.verify.codes import Level
    from sfexit.verify.offline import Options, verify_offline

    assert result.bag is not None
    _say(f"8. sfexit verify-backup {home} --offline --deep --expect-key {result.bag.fingerprint}")
    options = Options(level=Level.DEEP, expect_key=result.bag.fingerprint)
    whole = verify_offline(home, options)
    for line in report.summary(whole):
        _say(f"   {line}" if line else "")
    _say(f"   {report.headline(whole)}")
    with tempfile.TemporaryDirectory() as temp:
        copy = Path(temp) / "copy"
        shutil.copytree(result.bag.path, copy, copy_function=shutil.copyfile)
        page = max((copy / "data/records").rglob("*.gz"), key=lambda path: path.stat().st_size)
        content = bytearray(page.read_bytes())
        content[len(content) // 2] ^= 1
        page.write_bytes(content)
        _say("")
        _say(f"   One bit of a copy is turned over, in {page.relative_to(copy)}:")
        damaged = verify_offline(copy, options)
    for line in findings.lines(damaged.judgement):
        _say(f"   {line}")
    _say(f"   {report.headline(damaged)}")
    return whole.judgement.verdict == "INTACT" and damaged.judgement.verdict == "DAMAGED"


def _next_steps(result: ExportResult) -> None:
    assert result.bag is not None
    bag = result.bag.path
    _say("9. Look around")
    _say(f"   {bag / 'data/README.txt'}          how to read the archive in ten years")
    _say(f"   {bag / 'data/ledger.csv'}          what became of every object")
    _say(f"   {bag / 'data/records'}             the rows; any page opens in Excel once unzipped")
    _say("   Then your own org: set SFEXIT_INSTANCE_URL and SFEXIT_ACCESS_TOKEN, and run")
    _say("   sfexit export acme-exit")


def _say(text: str) -> None:
    click.echo(text, err=True)
