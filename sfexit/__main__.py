"""`python -m sfexit` and the `sfexit` command."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line and exit with one of the documented codes."""
    from sfexit.commands.main import run

    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
