"""The rows of a stored page, a few columns of them, one after another."""

from __future__ import annotations

import csv
import gzip
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path

from sfexit.archive.row_starts import RowStarts
from sfexit.errors import DiskTrouble

_READ_BYTES = 1 << 18


class PageUnreadable(Exception):
    """A stored page is damaged; reading the archive back finds it, too, and mends it."""


def column_values(path: Path, names: Sequence[str]) -> Iterator[tuple[str, ...]]:
    """The values of the columns `names` in every row of a page; a column it lacks is empty.

    Raises PageUnreadable, DiskTrouble.
    """
    csv.field_size_limit(2**31 - 1)
    try:
        with gzip.open(path, "rt", encoding="utf-8-sig", newline="") as text:
            rows = csv.reader(text, strict=True)
            header = next(rows, [])
            places = [header.index(name) if name in header else None for name in names]
            for row in rows:
                yield tuple("" if at is None else row[at] for at in places)
    except (FileNotFoundError, EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise PageUnreadable(f"{path.name} is damaged") from error
    except (csv.Error, IndexError, UnicodeDecodeError) as error:
        raise PageUnreadable(f"{path.name} is damaged") from error
    except OSError as error:
        raise DiskTrouble(f"{path} cannot be read: {error.strerror}") from error


def ids(path: Path, header: Sequence[str]) -> list[str]:
    """The ids of a page whose first column is Id, found without parsing the rest.

    Raises PageUnreadable, DiskTrouble.
    """
    starts = RowStarts(header, keep_ids=True)
    try:
        with gzip.open(path, "rb") as text:
            while piece := text.read(_READ_BYTES):
                starts.feed(piece)
        starts.finish()
    except (FileNotFoundError, EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise PageUnreadable(f"{path.name} is damaged") from error
    except OSError as error:
        raise DiskTrouble(f"{path} cannot be read: {error.strerror}") from error
    return [one.decode("ascii") for one in starts.ids or []]
