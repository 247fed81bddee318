"""`sfexit cancellation`: the letters, the record of what was sent, the last gate."""

from __future__ import annotations

import click

from sfexit.commands._closing import close
from sfexit.commands._notice import notice
from sfexit.commands._recording import record, status


@click.group(
    "cancellation",
    epilog=(
        "\b\nExamples:\n"
        "  sfexit cancellation notice --help   the letters, once the backup is proven\n"
        "  sfexit cancellation status acme-exit\n"
    ),
)
def command() -> None:
    """Cancel the contract: letters, records, reminders, the last gate.

    Nothing is sent from here and nothing is changed in the org.
    """


for one in (notice, record, status, close):
    command.add_command(one)
