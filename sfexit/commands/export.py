"""`sfexit export`: take everything out of the org into a sealed archive."""

from __future__ import annotations

import json
import os
from pathlib import Path

import click

from sfexit.commands import _exit
from sfexit.commands._open import open_client, org_options, settings_for
from sfexit.errors import UsageProblem
from sfexit.settings import config_folder


def _names(values: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(name for value in values for name in value.replace(",", " ").split())


@click.command(
    "export",
    epilog=(
        "\b\nThe org is named by --org, by --sf-cli, or by the environment:\n"
        "  SFEXIT_INSTANCE_URL   https://mycompany.my.salesforce.com, and one of\n"
        "  SFEXIT_ACCESS_TOKEN   a session's token (short-lived; the run stops when it ends)\n"
        "  SFEXIT_ACCESS_TOKEN_FILE   a file (mode 0600) with the token, kept fresh by others\n"
        "  SFEXIT_CLIENT_ID, SFEXIT_CLIENT_SECRET   client credentials of your own app\n"
        "  SFEXIT_CLIENT_ID, SFEXIT_USERNAME, SFEXIT_PRIVATE_KEY_FILE   JWT bearer\n"
        "Without any of these: the default org stored by sfexit login.\n"
        "\b\nExamples:\n"
        "  sfexit export acme-exit --org acme\n"
        "  sfexit export acme-exit --objects Account,Contact\n"
        "  sfexit export acme-exit --api-budget 25% --json > result.json\n"
        "  sfexit export acme-exit --refresh\n"
        "  sfexit export acme-exit --strict\n"
        "  sfexit export acme-exit --notify\n"
        "\b\nExit codes: 0 complete, 3 sealed but incomplete, 4 sign-in, 5 refused before the\n"
        "start, 10 in use by another run, 75 paused (quota, disk), 130 interrupted. After 4, 75\n"
        "and 130 run the same command again.\n"
    ),
)
@click.argument("home", type=click.Path(path_type=Path))
@click.option(
    "--objects",
    multiple=True,
    metavar="NAMES",
    help="Only these objects (API names, commas between). The rest stands in the ledger as "
    "left out by choice.",
)
@click.option("--exclude", multiple=True, metavar="NAMES", help="All objects but these.")
@click.option(
    "--external",
    is_flag=True,
    help="Read external objects (__x), too: each query is a call to the system that holds them.",
)
@click.option(
    "--no-files",
    is_flag=True,
    help="Leave out the bytes of files (one API call each). The archive counts as incomplete.",
)
@click.option(
    "--report-results",
    is_flag=True,
    help="Run every report and keep what it shows, up to Salesforce's 2,000 rows (a call each).",
)
@click.option(
    "--anew",
    is_flag=True,
    help="Make the next archive of a home that already has a sealed one.",
)
@click.option(
    "--refresh",
    is_flag=True,
    help="Bring the archive up to date: the next one, in which only what changed is read anew and "
    "the rest is taken over. When nothing changed, none is made.",
)
@click.option(
    "--strict",
    is_flag=True,
    help="Do not begin when something is hidden from this user, or could not be checked.",
)
@click.option(
    "--notify",
    is_flag=True,
    help="Tell by mail or webhook when the run ends, pauses or fails ([notify] in sfexit.toml).",
)
@org_options
@click.option("--json", "as_json", is_flag=True, help="Print the result as one JSON document.")
@click.option("--quiet", "-q", is_flag=True, help="No progress, no summary.")
@click.option("--verbose", "-v", is_flag=True, help="Say every retry, fallback and finding.")
def command(
    home: Path,
    objects: tuple[str, ...],
    exclude: tuple[str, ...],
    external: bool,
    no_files: bool,
    report_results: bool,
    anew: bool,
    refresh: bool,
    strict: bool,
    notify: bool,
    api_version: str | None,
    api_budget: str | None,
    ca_bundle: str | None,
    as_json: bool,
    quiet: bool,
    verbose: bool,
) -> int:
    """Take everything out of the org into a sealed archive in the folder HOME.

    Every object ends in the archive's ledger: exported with all its rows (deleted and archived
    ones too), or named with the reason and what to do about it. Interrupted in any way, the
    same command goes on. Nothing in the org is changed.
    """
    from sfexit.archive import home as homes
    from sfexit.archive import signing
    from sfexit.archive.layout import HomeLayout
    from sfexit.commands import _notify
    from sfexit.commands._memory import keep_freed_memory
    from sfexit.commands._signals import stopping
    from sfexit.commands._terminal import progress
    from sfexit.export.plan import Selection
    from sfexit.export.run import export
    from sfexit.reports import export as report
    from sfexit.reports import notice

    if anew and refresh:
        raise UsageProblem(
            "--anew reads everything, --refresh only what changed: give one of the two"
        )
    homes.check_place(home)
    keep_freed_memory()
    settings = settings_for(
        home,
        api_version=api_version,
        api_budget=api_budget,
        ca_bundle=ca_bundle,
        objects=_names(objects),
        exclude=_names(exclude),
        strict=strict or None,
    )
    if notify:
        _notify.check(settings)
    place = HomeLayout(home)
    about = homes.work_about(place) or {}
    selection = Selection(
        frozenset(settings.objects),
        frozenset(settings.exclude),
        external=external,
        files=not no_files,
        report_results=report_results,
    )
    with (
        progress(quiet=quiet, verbose=verbose) as (watching, say),
        stopping(say) as stop,
        open_client(
            settings, progress=watching, stop=stop, api_version=about.get("api_version")
        ) as client,
    ):
        if refresh and not place.generations() and not about:
            say("There is no archive to bring up to date yet: this is a first export.")
        try:
            result = export(
                client,
                home,
                key=lambda: signing.load_or_create(config_folder(os.environ)),
                selection=selection,
                anew=anew,
                refresh=refresh,
                strict=settings.strict,
                progress=watching,
                stop=stop,
            )
        except (Exception, KeyboardInterrupt) as error:
            if notify:
                _notify.send(_notify.about(error, home), settings, home, say)
            raise
    code = _exit.DONE if result.complete else _exit.INCOMPLETE
    if notify:
        ended = notice.ended(result, code)
        _notify.send(ended, settings, home, lambda text: click.echo(text, err=True))
    if as_json:
        click.echo(json.dumps(report.document(result), indent=1))
    if not quiet:
        for line in report.summary(result):
            click.echo(line, err=True)
    return code
