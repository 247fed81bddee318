"""The root command. Subcommands are imported only when they are used, so that help is instant."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Sequence
from typing import Any

import click

import sfexit
from sfexit.commands import _exit
from sfexit.errors import Interrupted, OrgRefused, SfexitError

#: name → (module, one line for the list of commands)
COMMANDS = {
    "login": ("sfexit.commands.login", "Sign in to an org once and keep the sign-in."),
    "logout": ("sfexit.commands.logout", "End a stored sign-in, in the org and here."),
    "orgs": ("sfexit.commands.orgs", "List the stored sign-ins."),
    "assess": ("sfexit.commands.assess", "Look at the org before anything is taken."),
    "export": ("sfexit.commands.export", "Take everything out of the org into a sealed archive."),
    "verify-backup": (
        "sfexit.commands.verify_backup",
        "May we cancel? Compare the archive with the org, and prove it.",
    ),
    "materialize": (
        "sfexit.commands.materialize",
        "Lay out the files of an archive as a tree with readable names.",
    ),
    "offboard-users": (
        "sfexit.commands.offboard_users",
        "Take users off: see first what they hold and own, and what stands in the way.",
    ),
    "contract": (
        "sfexit.commands.contract",
        "Know the contract's deadlines and what leaving costs.",
    ),
    "licenses": (
        "sfexit.commands.licenses",
        "See which seats are bought, given out and really used.",
    ),
    "compare": (
        "sfexit.commands.compare",
        "List what is really used, and how other systems could take it in.",
    ),
    "billing": (
        "sfexit.commands.billing",
        "Check bills against the contract, line by line.",
    ),
    "reassign": ("sfexit.commands.reassign", "Hand the records of one user to another."),
    "status": ("sfexit.commands.status", "Show where the exit stands: gates and days left."),
    "cancellation": (
        "sfexit.commands.cancellation",
        "Cancel the contract: letters, records, reminders, the last gate.",
    ),
    "demo": ("sfexit.commands.demo", "Rehearse on a built-in simulated org, offline."),
    "simulate": ("sfexit.commands.simulate", "Run the built-in simulated org on its own."),
    "recover": ("sfexit.commands.recover", "Repair the journal of an interrupted export."),
}


class _Lazy(click.Group):
    """Knows its commands by name and loads the one that is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:  # noqa: ARG002
        if name not in COMMANDS:
            return None
        command: click.Command = importlib.import_module(COMMANDS[name][0]).command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        import difflib

        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            close = difflib.get_close_matches(args[0], COMMANDS, n=1)
            if not close:
                raise
            told = f"{error.message} Did you mean '{close[0]}'?"
            raise click.UsageError(told, ctx) from error

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in COMMANDS.items()])


@click.group(
    cls=_Lazy,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog=(
        "\b\nExamples:\n"
        "  sfexit demo                    see the whole thing work, offline\n"
        "  sfexit export acme-exit        take everything; run it again to go on\n"
        "  sfexit export --help           how to name the org and what can be chosen\n"
    ),
)
@click.version_option(sfexit.__version__, prog_name="sfexit")
def root() -> None:
    """Take a company out of Salesforce: export everything, prove it, leave on time.

    People read stderr, programs read stdout (--json). Reading is the default: only offboard-users
    apply and undo and reassign change the org, and they ask first. Exit codes: docs/exit-codes.md.
    """


def run(arguments: Sequence[str]) -> int:
    """Run one command line; returns the exit code. Never ends in a traceback."""
    from sfexit import redaction

    redaction.install()
    os.umask(0o077)  # archives hold the customer's data: nobody else may read what is made
    try:
        result: Any = root.main(list(arguments), prog_name="sfexit", standalone_mode=False)
        return result if isinstance(result, int) else _exit.DONE
    except click.exceptions.Exit as leaving:
        return leaving.exit_code
    except click.Abort:
        return _exit.INTERRUPTED
    except click.ClickException as error:
        error.show(file=sys.stderr)
        return _exit.USAGE
    except (Interrupted, KeyboardInterrupt):
        _say("stopped as asked; progress is kept: run the same command again to go on")
        return _exit.INTERRUPTED
    except OrgRefused as refused:
        from sfexit.salesforce.refusals import cannot_go_on

        told = cannot_go_on(refused, "what was done before is kept")
        _say(told.message)
        return _exit.code_of(told)
    except SfexitError as error:
        _say(error.message)
        return _exit.code_of(error)
    except BrokenPipeError:
        # The reader of our output went away (`sfexit … | head`); there is nobody to tell.
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115, PTH123 - lives until the exit
        return _exit.ERROR
    except Exception as error:
        if scarce := _scarce(error):
            _say(
                f"the system gives this program no more {scarce}; what was published is kept: "
                "close other programs or raise the limit, then run the same command again"
            )
            return _exit.PAUSED
        # Redacted before it is put together: a credential may reach up to the end of a text.
        _print(
            f"an error inside sfexit ({type(error).__name__}: {redaction.redact(str(error))}); "
            "what was published is kept. Please report it with the output of "
            "SFEXIT_TRACEBACK=1 and the same command"
        )
        if os.environ.get("SFEXIT_TRACEBACK"):
            import traceback

            click.echo(redaction.redact(traceback.format_exc()), err=True)
        return _exit.ERROR


def _scarce(error: Exception) -> str:
    """What of the system's own there was too little of; "" when the error is another."""
    if isinstance(error, MemoryError):
        return "memory (ulimit -v, or the container's limit)"
    # The words of `threading`; it has no class for it.
    if isinstance(error, RuntimeError) and "start new thread" in str(error):
        return "threads (ulimit -u, or the container's limit of processes)"
    return ""


def _say(sentence: str) -> None:
    from sfexit.redaction import redact

    _print(redact(sentence))


def _print(sentence: str) -> None:
    from sfexit.redaction import printable

    click.echo(f"sfexit: {printable(sentence, 2000)}", err=True)
