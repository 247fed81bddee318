"""Descriptions of objects that were read before, so that few are unpacked and parsed again."""

from __future__ import annotations

import threading

from sfexit.catalog import Description

_MOST_FIELDS = 100_000  # of all objects together, about 45 MB; few orgs have more


class Remembered:
    """Descriptions by the digest of the file that each was read from. Safe for threads.

    What comes when there is no room is not kept: an export asks for all objects in turn, and
    giving up the oldest would give up each just before it is wanted.
    """

    def __init__(self, most_fields: int = _MOST_FIELDS) -> None:
        self._room = most_fields
        self._lock = threading.Lock()
        self._kept: dict[str, Description] = {}

    def get(self, sha256: str) -> Description | None:
        """The description in the file with this digest."""
        return self._kept.get(sha256)

    def keep(self, sha256: str, description: Description) -> None:
        """Remember, if there is room."""
        with self._lock:
            if sha256 not in self._kept and len(description.fields) <= self._room:
                self._room -= len(description.fields)
                self._kept[sha256] = description
