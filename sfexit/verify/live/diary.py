"""What a live verification has found so far, so that a stopped one goes on.

Each line carries a code that only the holder of `secret` can make: somebody who holds the whole
folder cannot put a good result in before the question was asked. A line without a right code, or
too old, is as if it were not there.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import threading
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

GOOD_FOR = timedelta(hours=12)
_NAME = "live.jsonl"


class Diary:
    """One verification of one bag, below `folder`. Safe for threads."""

    def __init__(
        self,
        folder: Path,
        about: Mapping[str, Any],
        secret: bytes | None,
        *,
        now: datetime | None = None,
    ) -> None:
        """`about` says what is verified and how; lines of another verification do not count.

        Without a `secret` nothing is taken over from an earlier run.
        """
        self._path = folder / _NAME
        self._secret = secret or os.urandom(32)
        self._lock = threading.Lock()
        self._about = json.dumps(about, sort_keys=True)
        self._now = now
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.seed, self._known = self._load()
        fresh = not self._known
        self._handle = self._path.open("wb" if fresh else "ab")
        if fresh:
            self.seed = int.from_bytes(os.urandom(8), "big")
            self._write("", {"seed": self.seed})

    def _load(self) -> tuple[int, dict[str, dict[str, Any]]]:
        found: dict[str, dict[str, Any]] = {}
        seed = None
        try:
            lines = self._path.read_bytes().splitlines()
        except OSError:
            return 0, {}
        for line in lines:
            code, _, text = line.partition(b" ")
            if not hmac.compare_digest(code, self._code(text)):
                continue
            told = json.loads(text)
            if told["about"] != self._about or not self._fresh(told["at"]):
                continue
            if not told["name"]:
                seed = told["result"]["seed"]
            elif seed is not None:
                found[told["name"]] = told
        return (seed, found) if seed is not None else (0, {})

    def _fresh(self, at: str) -> bool:
        moment = datetime.fromisoformat(at)
        now = self._now or datetime.now(UTC)
        return now - GOOD_FOR <= moment <= now + timedelta(minutes=5)

    def _code(self, text: bytes) -> bytes:
        return hmac.new(self._secret, text, hashlib.sha256).hexdigest().encode()

    def _write(self, name: str, result: Mapping[str, Any]) -> None:
        at = (self._now or datetime.now(UTC)).isoformat(timespec="seconds")
        text = json.dumps({"name": name, "at": at, "about": self._about, "result": result}).encode()
        with self._lock:
            self._handle.write(self._code(text) + b" " + text + b"\n")
            self._handle.flush()  # a power cut costs some questions, so nothing waits for the disk

    @property
    def taken_over(self) -> int:
        """Objects that an earlier run had done."""
        return len(self._known)

    @property
    def oldest(self) -> datetime | None:
        """When the earliest of those was done."""
        return min(
            (datetime.fromisoformat(one["at"]) for one in self._known.values()), default=None
        )

    def known(self, name: str) -> dict[str, Any] | None:
        """What an earlier run found of an object."""
        told = self._known.get(name)
        return None if told is None else told["result"]

    def add(self, name: str, result: Mapping[str, Any]) -> None:
        """An object is done."""
        self._write(name, result)

    def close(self) -> None:
        """Keep what there is."""
        self._handle.close()

    def forget(self) -> None:
        """The verification came to its end."""
        self.close()
        self._path.unlink(missing_ok=True)
