"""Files that a command writes where the user named them."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from sfexit.errors import UsageProblem


def write_whole(path: Path, content: bytes) -> None:
    """Write a file whole or not at all. Raises UsageProblem."""
    beside = path.with_name(f".{path.name}.new")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        beside.write_bytes(content)
        beside.replace(path)
    except OSError as error:
        with suppress(OSError):  # where a file stands in place of the folder
            beside.unlink()
        raise UsageProblem(f"{path} cannot be written: {error.strerror}") from error
