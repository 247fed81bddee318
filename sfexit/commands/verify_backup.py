"""`sfexit verify-backup`: is the archive what was sealed, and does it hold what the org holds?"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sfexit.commands import _exit
from sfexit.commands._files import write_whole
from sfexit.commands._open import org_options
from sfexit.commands._verify_live import Wishes, verify_live
from sfexit.errors import UsageProblem

if TYPE_CHECKING:
    from sfexit.verify.offline import Options
    from sfexit.verify.whole import Whole

_UNITS = {"s": 1, "m": 60, "h": 3600}


def _part(ctx: click.Context, param: click.Parameter, value: str | None) -> tuple[int, int]:  # noqa: ARG001
    if value is None:
        return (1, 1)
    found = re.fullmatch(r"([1-9][0-9]{0,5})/([1-9][0-9]{0,5})", value)
    if not found or int(found[1]) > int(found[2]):
        raise click.BadParameter("write it as 2/7: the second of seven parts")
    return int(found[1]), int(found[2])


def _seconds(ctx: click.Context, param: click.Parameter, value: str | None) -> float | None:  # noqa: ARG001
    if value is None:
        return None
    found = re.fullmatch(r"([0-9]+)([smh])", value)
    if not found:
        raise click.BadParameter("write it as 90s, 45m or 2h")
    return float(int(found[1]) * _UNITS[found[2]])


def _output(flag: str, text: str) -> Callable[[Any], Any]:
    return click.option(flag, metavar="FILE", type=click.Path(path_type=Path), help=text)


@click.command(
    "verify-backup",
    epilog=(
        "\b\nExamples:\n"
        "  sfexit verify-backup acme-exit --org acme\n"
        "  sfexit verify-backup acme-exit --repair\n"
        "  sfexit verify-backup acme-exit --offline\n"
        "  sfexit verify-backup acme-exit --offline --deep --expect-key SHA256:afM4… --json\n"
        "\b\nExit codes: 0 SAFE (--offline: INTACT), 8 NOT SAFE (DAMAGED), 12 UNKNOWN: a check\n"
        "could not be made, 4 sign-in, 75 paused: run it again. More in docs/verify-backup.md.\n"
    ),
)
@click.argument("home", metavar="HOME", type=click.Path(path_type=Path))
@click.option("--offline", is_flag=True, help="The archive against itself, without any org.")
@click.option(
    "--sample", type=click.IntRange(min=0), default=1_000, show_default=True, metavar="N",
    help="So many records, drawn by chance, are read again and compared field by field.",
)  # fmt: skip
@click.option(
    "--full-values", multiple=True, metavar="NAMES",
    help="Compare every value of these objects (API names, commas between).",
)  # fmt: skip
@click.option(
    "--against-weekly-export", "weekly", metavar="FOLDER", type=click.Path(path_type=Path),
    help="The ZIPs of Salesforce's own Data Export, as a second witness.",
)  # fmt: skip
@click.option(
    "--waive", "waivers", metavar="FILE", type=click.Path(path_type=Path),
    help="Findings that a named person accepts, each with a reason.",
)  # fmt: skip
@click.option(
    "--repair", is_flag=True,
    help="Fetch again what failed, into the next archive of the home, and verify that.",
)  # fmt: skip
@click.option("--quick", is_flag=True, help="Names, sizes, sums and seal only: seconds.")
@click.option("--deep", is_flag=True, help="Every row, id, lookup and body as well.")
@click.option(
    "--expect-key", metavar="SHA256:…", help="Fingerprint of the key that must have signed."
)
@click.option(
    "--expect-root", metavar="DIGEST", help="Root digest that was noted when the archive was made."
)
@click.option(
    "--subset", "part", metavar="N/T", callback=_part,
    help="Only the N-th of T parts of the files, to spread a look over several days.",
)  # fmt: skip
@click.option(
    "--max-duration", "max_seconds", metavar="TIME", callback=_seconds,
    help="Stop in good order after 90s, 45m or 2h; needs --state.",
)  # fmt: skip
@click.option(
    "--state", metavar="FOLDER", type=click.Path(path_type=Path),
    help="Keep there what was looked at, so that the same line goes on after a stop.",
)  # fmt: skip
@_output("--html", "Write the result as a web page.")
@_output("--csv", "Write all findings for a spreadsheet.")
@_output("--pdf", "Write the result as a PDF (pip install 'sfexit[pdf]').")
@org_options
@click.option("--json", "as_json", is_flag=True, help="Print the result as one JSON document.")
@click.option("--quiet", "-q", is_flag=True, help="No progress, no summary.")
def command(
    home: Path,
    offline: bool,
    sample: int,
    full_values: tuple[str, ...],
    weekly: Path | None,
    waivers: Path | None,
    repair: bool,
    quick: bool,
    deep: bool,
    expect_key: str | None,
    expect_root: str | None,
    part: tuple[int, int],
    max_seconds: float | None,
    state: Path | None,
    html: Path | None,
    csv: Path | None,
    pdf: Path | None,
    api_version: str | None,
    api_budget: str | None,
    ca_bundle: str | None,
    as_json: bool,
    quiet: bool,
) -> int:
    """May we cancel? Compare the archive with the org, and prove the answer to others.

    HOME is a home (its newest archive is meant) or one archive below its folder bags. SAFE: the
    archive holds what the org holds now; NOT SAFE: something is missing, stale or altered, and
    each thing is named; UNKNOWN: a check could not be made. The signed certificate goes to
    proofs/ in the home. Nothing in the org or in the archive is changed; --repair makes a new
    archive. With --offline, without any org: is this what was sealed? INTACT or DAMAGED.
    """
    from sfexit.verify.codes import Level
    from sfexit.verify.offline import Options

    if quick and deep:
        raise UsageProblem("Give only one of --quick and --deep.")
    if max_seconds is not None and state is None:
        raise UsageProblem("--max-duration needs --state FOLDER, where the next run goes on.")
    _files(home, html, csv, pdf)
    options = Options(
        level=Level.QUICK if quick else Level.DEEP if deep else Level.NORMAL,
        expect_key=expect_key,
        expect_root=expect_root,
        part=part,
        max_seconds=max_seconds,
        state=state,
    )
    if offline:
        if full_values or weekly is not None or waivers is not None or repair:
            raise UsageProblem(
                "--full-values, --against-weekly-export, --waive and --repair are for verifying "
                "against the org: leave out --offline."
            )
        return _offline(home, options, html=html, csv=csv, pdf=pdf, as_json=as_json, quiet=quiet)
    if part != (1, 1) or max_seconds is not None:
        raise UsageProblem(
            "--subset and --max-duration are for --offline: the answer about the org is one."
        )
    wishes = Wishes(
        sample, _names(full_values), weekly, waivers, repair, deep, html, csv, pdf, as_json, quiet
    )
    whole, proof = verify_live(
        home, options, wishes,
        api_version=api_version, api_budget=api_budget, ca_bundle=ca_bundle,
    )  # fmt: skip
    return _tell(whole, proof, wishes)


def _names(values: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(name for value in values for name in value.replace(",", " ").split())


def _tell(whole: Whole, proof: Path | None, wishes: Wishes) -> int:
    """Print and write what was found; the exit code."""
    from sfexit.reports import findings
    from sfexit.reports import live as report

    if wishes.html is not None:
        write_whole(wishes.html, report.page(whole).encode())
    if wishes.csv is not None:
        write_whole(wishes.csv, findings.as_csv(whole.judgement))
    if wishes.pdf is not None:
        write_whole(wishes.pdf, report.pdf(whole))
    if wishes.as_json:
        click.echo(json.dumps(report.document(whole, proof), indent=1))
    if not wishes.quiet:
        for line in report.summary(whole):
            click.echo(line, err=True)
        if proof is not None:
            click.echo(f"Proof      {proof}", err=True)
    click.echo(report.headline(whole), err=wishes.as_json)
    return exit_code(whole.judgement.verdict)


def _offline(
    home: Path,
    options: Options,
    *,
    html: Path | None,
    csv: Path | None,
    pdf: Path | None,
    as_json: bool,
    quiet: bool,
) -> int:
    from sfexit.commands._signals import stopping
    from sfexit.commands._watching import watching
    from sfexit.reports import findings
    from sfexit.reports import offline as report
    from sfexit.verify.offline import verify_offline

    with watching(quiet=quiet) as watch, stopping(lambda text: click.echo(text, err=True)) as stop:
        told = verify_offline(home, options, watch=watch, stop=stop)
    if html is not None:
        write_whole(html, report.page(told).encode())
    if csv is not None:
        write_whole(csv, findings.as_csv(told.judgement))
    if pdf is not None:
        write_whole(pdf, report.pdf(told))
    if as_json:
        click.echo(json.dumps(report.document(told), indent=1))
    if not quiet:
        for line in report.summary(told):
            click.echo(line, err=True)
    click.echo(report.headline(told), err=as_json)
    return exit_code(told.judgement.verdict)


def exit_code(verdict: str) -> int:
    """The exit code of a verdict."""
    from sfexit.verify.verdict import Verdict

    if verdict in (Verdict.SAFE, Verdict.INTACT):
        return _exit.DONE
    return _exit.UNKNOWN if verdict == Verdict.UNKNOWN else _exit.NOT_SAFE


def _files(home: Path, html: Path | None, csv: Path | None, pdf: Path | None) -> None:
    """Refuse files that could not be written, before anything is looked at."""
    from sfexit.reports.findings import pdf_ready
    from sfexit.verify.bag import find_target

    if pdf is not None:
        pdf_ready()
    bag = find_target(home).bag.resolve()
    for path in (html, csv, pdf):
        if path is not None and bag in path.resolve().parents:
            raise UsageProblem(f"{path} lies inside the archive, which is never written to.")
