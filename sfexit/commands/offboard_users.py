"""`sfexit offboard-users`: take users off, in an order that loses nothing."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from sfexit.commands import _exit
from sfexit.commands._offboarding import apply, status, undo
from sfexit.commands._open import open_client, org_options, settings_for
from sfexit.errors import ArchiveProblem, Blocked, UsageProblem
from sfexit.offboarding.flags import FLAGS, LIFTABLE

if TYPE_CHECKING:
    from sfexit.offboarding.plan import Plan
    from sfexit.offboarding.planning import Options
    from sfexit.offboarding.successors import Rules
    from sfexit.offboarding.wanted import Wanted

F = TypeVar("F", bound=Callable[..., Any])


@click.group(
    "offboard-users",
    epilog=(
        "\b\nExamples:\n"
        "  sfexit offboard-users plan acme-exit ben@acme.example\n"
        "  sfexit offboard-users plan --help   lists, queries, waves, successor rules\n"
    ),
)
def command() -> None:
    """Take users off: see first what they hold and own, and what stands in the way.

    `plan` looks only; nothing in the org is changed before `apply`, which asks, carries out
    exactly that plan and journals every change; `undo` takes back what can be.
    """


command.add_command(apply)
command.add_command(undo)
command.add_command(status)


def _who(function: F) -> F:
    """Options that say who leaves."""
    for option in reversed(
        [
            click.option(
                "--file", "files", metavar="CSV", multiple=True, type=click.Path(path_type=Path),
                help="A list with the columns user, successor and mode (full or freeze_only); only "
                "user is needed.",
            ),
            click.option(
                "--waves", metavar="TOML", type=click.Path(path_type=Path),
                help="Groups that leave one after the other, and successor rules.",
            ),
            click.option(
                "--all-except", metavar="USER", multiple=True,
                help="Everybody in the company but this user, and the successors; @FILE has one "
                "name a line. Give it again for more.",
            ),
            click.option(
                "--profile", "profiles", metavar="NAME", multiple=True,
                help="Active users of this profile.",
            ),
            click.option(
                "--inactive-days", metavar="DAYS", type=click.IntRange(1, 10_000),
                help="Active users who have not signed in for so many days.",
            ),
            click.option(
                "--freeze-only", is_flag=True,
                help="Freeze, end sessions and revoke tokens; keep everything else.",
            ),
        ]
    ):  # fmt: skip
        function = option(function)
    return function


def _heirs(function: F) -> F:
    """Options that say who inherits, and what."""
    for option in reversed(
        [
            click.option(
                "--to", "fallback", metavar="USER", default="",
                help="Who gets the records where no other rule names somebody.",
            ),
            click.option(
                "--to-manager", is_flag=True,
                help="Each leaver's manager gets the records; a manager who leaves is passed over.",
            ),
            click.option(
                "--round-robin", "pool", metavar="USER", multiple=True,
                help="Spread the leavers over these users by the records they own.",
            ),
            click.option(
                "--object-to", "objects", metavar="OBJECT=USER", multiple=True,
                help="Records of one object go to this user, or to a queue: Case=queue:Case_Queue.",
            ),
            click.option(
                "--fields", metavar="OBJECT.FIELD", multiple=True,
                help="Hand over this lookup to a user too (default: owners only).",
            ),
            click.option(
                "--open-activities", is_flag=True,
                help="Hand over open tasks and events only; closed and archived ones stay.",
            ),
            click.option(
                "--lift", metavar="KIND", type=click.Choice(LIFTABLE), multiple=True,
                help="Let a step of the plan lift blockers of this kind, or let dashboards run as "
                f"the successor: {', '.join(LIFTABLE)}. Give it again for more.",
            ),
            click.option(
                "--include-integration", metavar="USER", multiple=True,
                help="This integration user leaves too.",
            ),
            click.option(
                "--include-portal", is_flag=True, help="Portal users who are named leave too."
            ),
            click.option(
                "--min-admins", metavar="NUMBER", type=click.IntRange(min=1), default=2,
                show_default=True, help="Refuse when fewer administrators would be left.",
            ),
        ]
    ):  # fmt: skip
        function = option(function)
    return function


def accept_options(codes: Iterable[str]) -> Callable[[F], F]:
    """One flag for each of these hazards."""

    def with_flags(function: F) -> F:
        for code in reversed(tuple(codes)):
            flag, text = FLAGS[code]
            help_text = f"Accept that {text}."
            function = click.option(flag, f"accept_{code}", is_flag=True, help=help_text)(function)
        return function

    return with_flags


def accepted_flags(given: dict[str, Any]) -> tuple[str, ...]:
    """The hazards' flags that were given."""
    return tuple(flag for code, (flag, _) in FLAGS.items() if given.get(f"accept_{code}"))


@command.command(
    "plan",
    epilog=(
        "\b\nExamples:\n"
        "  sfexit offboard-users plan acme-exit ben@acme.example --to anna@acme.example\n"
        "  sfexit offboard-users plan acme-exit --file leavers.csv --to-manager --html plan.html\n"
        "  sfexit offboard-users plan acme-exit --inactive-days 180 --to anna@acme.example\n"
        "\b\nExit codes: 0 planned, 2 a name or a rule is wrong, 5 everybody was refused,\n"
        "6 something is to be done (with --detailed-exitcode).\n"
    ),
)
@click.argument("home", metavar="HOME", type=click.Path(path_type=Path))
@click.argument("users", metavar="[USER]...", nargs=-1)
@_who
@_heirs
@accept_options(FLAGS)
@click.option(
    "--out", metavar="FILE", type=click.Path(path_type=Path),
    help="Write the plan there (default: HOME/offboarding/<time>-plan.json).",
)  # fmt: skip
@click.option(
    "--html", metavar="FILE", type=click.Path(path_type=Path), help="Write it as a web page."
)
@click.option(
    "--csv", "table", metavar="FILE", type=click.Path(path_type=Path),
    help="Write who owns what, for a spreadsheet.",
)  # fmt: skip
@click.option(
    "--detailed-exitcode", is_flag=True, help="Exit with 6 when there is something to do."
)
@org_options
@click.option("--json", "as_json", is_flag=True, help="Print the result as one JSON document.")
@click.option("--quiet", "-q", is_flag=True, help="No progress, no summary.")
@click.option("--verbose", "-v", is_flag=True, help="Say every retry.")
def plan(
    home: Path,
    users: tuple[str, ...],
    out: Path | None,
    html: Path | None,
    table: Path | None,
    detailed_exitcode: bool,
    api_version: str | None,
    api_budget: str | None,
    ca_bundle: str | None,
    as_json: bool,
    quiet: bool,
    verbose: bool,
    **given: Any,
) -> int:
    """Look at who is to leave, and write down what would be done.

    Tells what each USER (a username or an id) holds and owns, who would inherit it, everything
    that stops Salesforce from deactivating them, and what goes wrong beside it. Reads only. The
    plan goes into HOME, the exit's home, and holds for 24 hours.
    """
    from sfexit.archive import home as homes
    from sfexit.archive.layout import HomeLayout
    from sfexit.commands._files import write_whole
    from sfexit.commands._signals import stopping
    from sfexit.commands._terminal import progress
    from sfexit.offboarding.planning import make
    from sfexit.reports import offboarding as report
    from sfexit.salesforce import org as orgs

    wanted, rules = _asked(users, given)
    homes.check_place(home)
    proof, missing = _proof(home)
    settings = settings_for(
        home, api_version=api_version, api_budget=api_budget, ca_bundle=ca_bundle
    )
    with (
        progress(quiet=quiet, verbose=verbose) as (watching, say),
        stopping(say) as stop,
        open_client(settings, progress=watching, stop=stop) as client,
    ):
        identity = orgs.identity(client)
        homes.check_org(HomeLayout(home), identity.organization_id)
        made = make(client, wanted, rules, _options(given, proof), identity=identity)
    path = write_plan(made, home, out) if made.people else None
    if html is not None:
        write_whole(html, report.page(made, path).encode())
    if table is not None:
        write_whole(table, report.matrix(made))
    if as_json:
        click.echo(json.dumps(report.document(made, path), indent=1, ensure_ascii=False))
    if not quiet:
        for line in report.summary(made, path, missing):
            click.echo(line, err=True)
    if not made.people:
        return _exit.BLOCKED
    return _exit.CHANGES_PENDING if detailed_exitcode and report.pending(made) else _exit.DONE


def write_plan(made: Plan, home: Path, out: Path | None) -> Path:
    """Into the file that was named, or a new one in the home."""
    from sfexit.archive import home as homes
    from sfexit.archive import layout
    from sfexit.archive.durable import Disk
    from sfexit.commands._files import write_whole

    if out is not None:
        write_whole(out, made.to_bytes())
        return out
    disk = Disk()
    homes.claim(home, made.organization_id, disk)
    folder = home / layout.OFFBOARDING
    disk.make_folder(folder)
    stamp = made.created.replace("-", "").replace(":", "")
    path, number = folder / f"{stamp}-plan.json", 1
    while path.exists():
        number += 1
        path = folder / f"{stamp}-{number}-plan.json"
    disk.write_whole(path, made.to_bytes())
    return path


def _proof(home: Path) -> tuple[str, str]:
    """The root digest of the archive that is proven SAFE; else "", and why there is none."""
    from sfexit.archive import home as homes
    from sfexit.commands._keys import own_fingerprints
    from sfexit.verify.codes import Level
    from sfexit.verify.standing import standing_certificate

    if not home.is_dir() or homes.home_org(home) is None:
        return "", f"{home} holds no archive yet"
    try:
        standing = standing_certificate(home, level=Level.QUICK, trusted=own_fingerprints())
        return standing.certificate.root_digest, ""
    except (Blocked, ArchiveProblem, UsageProblem) as problem:
        return "", problem.message


def _options(given: dict[str, Any], proof: str) -> Options:
    from sfexit.offboarding.planning import Options

    return Options(
        min_admins=given["min_admins"],
        include_integration=given["include_integration"],
        include_portal=given["include_portal"],
        fields=given["fields"],
        lift=given["lift"],
        accepted=accepted_flags(given),
        open_activities_only=given["open_activities"],
        certificate=proof,
    )


def _asked(users: Sequence[str], given: dict[str, Any]) -> tuple[Wanted, Rules]:
    """Who leaves and who inherits, from all that was given. Raises UsageProblem."""
    from sfexit.offboarding.wanted import (
        FREEZE_ONLY,
        FULL,
        Leaver,
        Query,
        Wanted,
        from_csv,
        from_toml,
        name,
        read,
    )

    mode = FREEZE_ONLY if given["freeze_only"] else FULL
    leavers = [Leaver(name(one, "USER"), mode=mode) for one in users]
    for file in given["files"]:
        leavers += from_csv(read(file), str(file))
    rules = None
    if given["waves"] is not None:
        told, rules = from_toml(read(given["waves"]), str(given["waves"]), given["waves"].parent)
        leavers += told.leavers
    staying = [one for text in given["all_except"] for one in _listed(text)]
    query = Query(bool(given["all_except"]), tuple(staying), given["profiles"],
                  given["inactive_days"])  # fmt: skip
    if mode == FREEZE_ONLY:
        from dataclasses import replace

        leavers = [replace(one, mode=mode) for one in leavers]
    leavers += [Leaver(name(one, "--include-integration"), mode=mode)
                for one in given["include_integration"]]  # fmt: skip
    return Wanted(tuple(leavers), query, mode), _rules(given, rules)


def _listed(text: str) -> list[str]:
    """A name, or the names of @FILE, one a line."""
    from sfexit.offboarding.wanted import name, read

    if not text.startswith("@"):
        return [name(text, "--all-except")]
    path = Path(text[1:])
    try:
        lines = read(path).decode("utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise UsageProblem(f"{path} is not UTF-8: save it as plain text UTF-8") from error
    found = [name(line, str(path)) for line in lines if line.strip()]
    if not found:
        raise UsageProblem(f"{path} names nobody who stays")
    return found


def _rules(given: dict[str, Any], from_file: Rules | None) -> Rules:
    """The successor rules of the options, or those of the file. Raises UsageProblem."""
    from sfexit.offboarding.successors import MANAGER, NAMED, ROUND_ROBIN, Rules

    if given["to_manager"] and given["pool"]:
        raise UsageProblem("Give only one of --to-manager and --round-robin; each is a rule.")
    objects: dict[str, str] = {}
    for one in given["objects"]:
        key, sign, to = one.partition("=")
        if not (sign and key.strip() and to.strip()):
            raise UsageProblem(
                "--object-to is written as Case=queue:Case_Queue or as Account=anna@acme.example"
            )
        objects[key.strip()] = to.strip()
    any_given = given["to_manager"] or given["pool"] or given["fallback"] or objects
    if from_file is not None:
        if any_given:
            raise UsageProblem(
                "The waves file has successor rules: give them there or as options, not both."
            )
        return from_file
    rule = MANAGER if given["to_manager"] else ROUND_ROBIN if given["pool"] else NAMED
    return Rules(rule, given["fallback"], given["pool"], objects)
