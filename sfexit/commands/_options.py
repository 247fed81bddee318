"""Options that many commands have, written once."""

from __future__ import annotations

from datetime import date, datetime
from pathlib import Path

import click

DAY = click.DateTime(["%Y-%m-%d"])

today = click.option(
    "--today",
    metavar="DATE",
    type=DAY,
    help="Look at it as of this day (default: the day of this computer).",
)
trusted = click.option(
    "--expect-key",
    "trusted",
    metavar="SHA256:…",
    multiple=True,
    help="Fingerprint of a key that may have signed the certificate; repeat for more.",
)
html = click.option(
    "--html", metavar="FILE", type=click.Path(path_type=Path), help="Write it as a web page."
)
as_json = click.option(
    "--json", "as_json", is_flag=True, help="Print the result as one JSON document."
)
quiet = click.option("--quiet", "-q", is_flag=True, help="No summary.")


def day(value: datetime | None) -> date:
    """The day that an option named, or today."""
    return value.date() if value else date.today()
