"""`sfexit assess`: what is in the org, what this user cannot see, what an export will take."""

from __future__ import annotations

import json
import zipfile
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sfexit.commands import _exit
from sfexit.commands._files import write_whole
from sfexit.commands._open import open_client, org_options, settings_for
from sfexit.errors import UsageProblem

if TYPE_CHECKING:
    from sfexit.export.assess import Assessment


@click.command(
    "assess",
    epilog=(
        "\b\nExamples:\n"
        "  sfexit assess\n"
        "  sfexit assess acme-exit --line-speed 100 --contract-end 2027-03-31\n"
        "  sfexit assess --html acme.html --permission-set sfexit-permissions\n"
        "\b\nExit codes: 0 looked (blind spots or not), 4 sign-in, 5 blind spots with --strict,\n"
        "75 API calls spent. docs/assess.md tells how each figure is made.\n"
    ),
)
@click.argument("home", type=click.Path(path_type=Path), required=False)
@click.option(
    "--line-speed",
    metavar="MBIT",
    type=click.FloatRange(min=0, min_open=True),
    help="Speed of your line in Mbit/s, for the hours needed (default: 20 is assumed).",
)
@click.option(
    "--contract-end",
    metavar="DATE",
    type=click.DateTime(["%Y-%m-%d"]),
    help="Last day of the contract, as 2027-03-31: is there time enough?",
)
@click.option(
    "--permission-set",
    "permission_set",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Write a permission set that shows an export everything and gives no right to change "
    "records: a folder to deploy, a .zip of it, or one .permissionset-meta.xml.",
)
@click.option(
    "--modify-all-data",
    is_flag=True,
    help="Put Modify All Data into that permission set, for private notes and attachments of "
    "others. Its holder can change everything.",
)
@click.option(
    "--html", metavar="FILE", type=click.Path(path_type=Path), help="Write the look as a web page."
)
@click.option(
    "--strict", is_flag=True, help="Exit with 5 when something is hidden or could not be checked."
)
@org_options
@click.option("--json", "as_json", is_flag=True, help="Print the result as one JSON document.")
@click.option("--quiet", "-q", is_flag=True, help="No progress, no summary.")
@click.option("--verbose", "-v", is_flag=True, help="Say every retry and finding.")
def command(
    home: Path | None,
    line_speed: float | None,
    contract_end: datetime | None,
    permission_set: Path | None,
    modify_all_data: bool,
    html: Path | None,
    strict: bool,
    api_version: str | None,
    api_budget: str | None,
    ca_bundle: str | None,
    as_json: bool,
    quiet: bool,
    verbose: bool,
) -> int:
    """Look at the org before anything is taken.

    Tells what is in there, what this user cannot see and which permission lifts it, how many API
    calls, hours and bytes an export needs, and which data lives outside the org. It takes few
    calls and changes nothing. HOME is where the archive would go (default: this folder).
    """
    from sfexit.commands._signals import stopping
    from sfexit.commands._terminal import progress
    from sfexit.export.assess import assess
    from sfexit.export.plan import Selection
    from sfexit.reports import assess as report

    if modify_all_data and permission_set is None:
        raise UsageProblem(
            "--modify-all-data says what a permission set holds: name its file with "
            "--permission-set FILE."
        )
    settings = settings_for(
        home, api_version=api_version, api_budget=api_budget, ca_bundle=ca_bundle
    )
    with (
        progress(quiet=quiet, verbose=verbose) as (watching, say),
        stopping(say) as stop,
        open_client(settings, progress=watching, stop=stop) as client,
    ):
        told = assess(
            client,
            place=home or Path(),
            share=settings.api_budget,
            selection=Selection(frozenset(settings.objects), frozenset(settings.exclude)),
            line_mbit=line_speed,
            contract_end=_day(contract_end),
            progress=watching,
        )
    written = []
    if html is not None:
        write_whole(html, report.page(told).encode())
        written.append(f"Page written to {html}")
    if permission_set is not None:
        written.append(_permission_set(told, permission_set, modify_all_data=modify_all_data))
    if as_json:
        click.echo(json.dumps(report.document(told), indent=1))
    if not quiet:
        for line in (*report.summary(told), *written):
            click.echo(line, err=True)
    return _exit.BLOCKED if strict and told.sight.blind_spots else _exit.DONE


def _day(moment: datetime | None) -> date | None:
    return moment.date() if moment is not None else None


def _permission_set(told: Assessment, target: Path, *, modify_all_data: bool) -> str:
    """Write the permission set in the form that the name asks for; how to use it."""
    from sfexit.preflight import package_xml, permission_set_xml
    from sfexit.preflight.permission_set import name_of

    name = name_of(modify_all_data=modify_all_data)
    document = permission_set_xml(told.sight, told.entries, modify_all_data=modify_all_data)
    manifest = package_xml(told.api_version, modify_all_data=modify_all_data)
    members = {f"permissionsets/{name}.permissionset": document, "package.xml": manifest}
    if target.suffix in (".xml", ".permissionset"):
        write_whole(target, document)
        return f"Permission set {name} written to {target}; put it into your project and deploy it"
    if target.suffix == ".zip":
        import io

        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
            for member, content in members.items():
                archive.writestr(member, content)
        write_whole(target, packed.getvalue())
    else:
        for member, content in members.items():
            write_whole(target / member, content)
    return (
        f"Permission set {name} written to {target}: sf project deploy start --metadata-dir "
        f"{target}, then assign it to the export user (docs/permissions.md)"
    )
