"""Metadata files by one retrieve: the ZIP, when the org has made it.

Metadata API guide, retrieve(), checkRetrieveStatus().
"""

from __future__ import annotations

import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import IO

from sfexit.errors import DamagedAnswer, OrgRefused
from sfexit.salesforce import metadata_api
from sfexit.salesforce.client import Client

#: What `zipfile` raises: no ZIP, a cut one, entries that are encrypted or packed in unknown ways.
_BROKEN = (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, NotImplementedError)

_WAITS = 240  # looks at a retrieve, up to 20 s apart: more than an hour


def retrieved(client: Client, members: Sequence[tuple[str, str]]) -> IO[bytes]:
    """The ZIP of a retrieve of (type, full name or *), in a file of its own to be closed.

    Raises OrgRefused when the org does not do it.
    """
    retrieve = metadata_api.start(client, members)
    state = metadata_api.check(client, retrieve)
    wait = 0.5
    for _ in range(_WAITS):
        if state.done:
            break
        client.pause(wait)
        wait = min(wait * 2, 20.0)
        state = metadata_api.check(client, retrieve)
    if not state.done or state.status != "Succeeded":
        raise OrgRefused(0, state.error_code or "REQUEST_RUNNING_TOO_LONG", state.error_message)
    packed = tempfile.TemporaryFile()  # noqa: SIM115 - the caller closes it

    def begin() -> Callable[[bytes], None]:
        packed.seek(0)
        packed.truncate()

        def take(data: bytes) -> None:
            packed.write(data)

        return take

    try:
        metadata_api.check(client, retrieve, sink=begin)
    except BaseException:
        packed.close()
        raise
    return packed


@contextmanager
def opened(packed: IO[bytes]) -> Iterator[zipfile.ZipFile]:
    """A retrieve's ZIP. Raises DamagedAnswer, also for what breaks while an entry is read."""
    try:
        with zipfile.ZipFile(packed) as archive:
            yield archive
    except _BROKEN as error:
        raise DamagedAnswer("The ZIP of a retrieve cannot be read.") from error
