"""A payload file on its way into the bag, in pieces: temporary name, test, final name."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from sfexit.archive import layout
from sfexit.archive.durable import Handle, close
from sfexit.errors import DiskTrouble
from sfexit.export.means import Means


class Arriving:
    """Written under a temporary name; published and journaled once it is whole."""

    def __init__(self, means: Means, relative: str) -> None:
        self._means = means
        self._relative = relative
        self._final = layout.within(means.bag, relative)
        self._part = self._final.with_name(self._final.name + layout.PART_SUFFIX)
        self._handle: Handle | None = None
        self._digest = hashlib.sha256()
        self._bytes = 0

    def begin(self) -> Callable[[bytes], None]:
        """Begin, or begin anew; what takes the bytes. Raises DiskTrouble."""
        self.discard()
        self._means.disk.make_folder(self._final.parent)
        self._handle = self._means.disk.create(self._part)
        self._digest, self._bytes = hashlib.sha256(), 0
        return self._write

    def _write(self, piece: bytes) -> None:
        assert self._handle is not None
        self._means.disk.write(self._handle, piece)
        self._digest.update(piece)
        self._bytes += len(piece)

    def written(self) -> Path:
        """All bytes came and are on the disk; where they are, for a test."""
        assert self._handle is not None
        try:
            self._means.disk.sync(self._handle)
        finally:
            close(self._handle)
            self._handle = None
        return self._part

    def publish(self) -> None:
        """Give the file its name, for good.

        Where the bag before has the same one, that gets a second name instead.
        """
        means = self._means
        if means.has(self._relative):
            # A kill between replacing the file and recording it must not look like damage.
            means.journal.record("file_lost", path=self._relative)
        sha256, size = self._digest.hexdigest(), self._bytes
        known = means.earlier and means.earlier.take_same(
            self._relative, sha256, self._part, self._final
        )
        if known:
            sha256, size = known
            self.discard()
        else:
            means.disk.publish(self._part, self._final)
        means.journal.record("file", path=self._relative, sha256=sha256, bytes=size)

    def discard(self) -> None:
        """Leave nothing behind that was not published."""
        if self._handle is not None:
            close(self._handle)
            self._handle = None
        with suppress(DiskTrouble):
            self._means.disk.remove(self._part)
