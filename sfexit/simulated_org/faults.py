"""Planned faults: which request goes wrong, and how. Carrying them out is ``mishaps``' work.

Kinds and their details (with defaults):

Instead of the answer
    ``status`` code=503, error_code, message, body, content_type, headers={}, retry_after=seconds,
    retry_after_date=seconds from now · ``html`` body, code=200 · ``redirect`` location, code=302 ·
    ``session_expired`` and ``quota`` really=True (False: this answer only) · ``token_rotated`` ·
    ``concurrent`` · ``query_timeout`` · ``operation_too_large`` · ``invalid_field`` field ·
    ``bulk_unsupported`` · ``wrong_version`` (these six: message) · ``job_gone`` ·
    ``locator_lost`` · ``hang`` seconds=30, then="answer" or "close" · ``refuse`` seconds=1
On the content of Bulk pages
    ``empty`` · ``header_only`` · ``no_header`` · ``wrong_count`` delta=1 · ``drop_rows``,
    ``extra_rows`` count=1 · ``swap_columns`` columns=(0, 1) · ``extra_column`` name ·
    ``open_quote`` · ``crlf`` · ``bom`` · ``no_final_newline`` · ``duplicate_id`` ·
    ``locator_loop`` · ``locator_skip`` rows=1
On REST query pages
    ``empty`` · ``drop_rows``, ``extra_rows``, ``short_done`` count=1 · ``wrong_count`` delta=1 ·
    ``duplicate_id`` · ``locator_loop`` · ``locator_skip`` rows=1
On jobs and links
    ``job_failed`` message · ``job_aborted`` · ``job_stuck`` · ``job_unknown_state`` state="Paused"
    · ``total_mismatch`` delta=1 · ``evil_url`` style="at", "double_slash", "absolute" or "dot",
    host="evil.example"
On the bodies of files
    ``body_short`` missing=1, ``body_long`` extra=1 (bytes; framing stays clean) · ``body_changed``
    (one bit; the size stays) · ``body_range`` shift=1 (Content-Range names another part)
On the Metadata API (endpoints ``metadata.describe``, ``.list``, ``.retrieve``, ``.status``,
``.zip``)
    ``zip_truncated`` · ``zip_bad_crc`` · ``zip_dotdot`` · ``zip_symlink`` · ``zip_duplicate`` ·
    ``zip_bomb`` · ``xml_dtd`` · ``xml_entities``
On the way
    ``reset`` after=bytes (half) · ``lost_answer`` · ``close_short`` missing=1000 · ``chunk_cut``
    where="inside" or "border", after=bytes (half) · ``gzip_short`` share=0.5 ·
    ``gzip_no_trailer`` · ``gzip_bad_crc`` · ``bit_flip`` share=0.5 or at, bit=2 · ``junk_after``
    what="text" or "member", text · ``identity`` · ``slow_drip`` rate=bytes a second ·
    ``bomb`` size=2**30, letter="A"
"""

from __future__ import annotations

import random
import threading
import tomllib
from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, NamedTuple

from .metadata_mishaps import KINDS as METADATA

#: Instead of handling the request.
BEFORE = frozenset(
    {
        "status",
        "html",
        "session_expired",
        "token_rotated",
        "quota",
        "concurrent",
        "query_timeout",
        "operation_too_large",
        "invalid_field",
        "bulk_unsupported",
        "job_gone",
        "wrong_version",
        "locator_lost",
        "hang",
        "redirect",
        "refuse",
    }
)
#: On the answer's content.
CONTENT = frozenset(
    {
        "empty",
        "header_only",
        "wrong_count",
        "drop_rows",
        "extra_rows",
        "no_header",
        "swap_columns",
        "extra_column",
        "open_quote",
        "crlf",
        "bom",
        "no_final_newline",
        "locator_loop",
        "locator_skip",
        "total_mismatch",
        "duplicate_id",
        "job_failed",
        "job_aborted",
        "job_unknown_state",
        "job_stuck",
        "short_done",
        "evil_url",
        "body_short",
        "body_long",
        "body_changed",
        "body_range",
    }
)
#: On its way through gzip, framing and the socket.
TRANSPORT = frozenset(
    {
        "reset",
        "close_short",
        "chunk_cut",
        "gzip_short",
        "gzip_no_trailer",
        "gzip_bad_crc",
        "bit_flip",
        "junk_after",
        "identity",
        "slow_drip",
        "bomb",
        "lost_answer",
    }
)
CONTENT |= METADATA
KINDS = BEFORE | CONTENT | TRANSPORT
SELECTORS = ("endpoint", "nth", "every", "times", "probability", "object")


class Fired(NamedTuple):
    """A fault that happened."""

    kind: str
    endpoint: str
    object: str
    call: int


class Fault:
    """One planned fault.

    ``endpoint`` is a name such as ``bulk.results`` or a pattern (``bulk.*``, ``*``); ``query``
    covers the next pages too. Of the calls that fit, the fault hits call number ``nth`` and the
    ``times - 1`` calls after it, or each ``every``-th, or each with ``probability``; at most
    ``times`` in all (``None``: without end).
    """

    def __init__(
        self,
        kind: str,
        endpoint: str = "*",
        *,
        nth: int | None = None,
        every: int | None = None,
        times: int | None = 1,
        probability: float | None = None,
        object: str | None = None,
        **details: Any,
    ) -> None:
        if kind not in KINDS:
            raise ValueError(f"unknown fault kind: {kind}")
        self.kind = kind
        self.endpoint = endpoint
        self.nth = nth
        self.every = every
        self.times = times
        self.probability = probability
        self.object = object
        self.details = details
        self.seen = 0
        self.hits = 0

    def __repr__(self) -> str:
        return f"Fault({self.kind!r}, {self.endpoint!r}, object={self.object!r}, {self.details})"

    def fits(self, endpoint: str, object_name: str) -> bool:
        """The request is one this fault counts."""
        if self.object is not None and self.object.lower() != object_name.lower():
            return False
        if fnmatchcase(endpoint, self.endpoint):
            return True
        return self.endpoint == "query" and endpoint == "query.more"

    def strikes(self, rng: random.Random) -> bool:
        """Count one fitting request and say whether it goes wrong."""
        self.seen += 1
        if self.times is not None and self.hits >= self.times:
            return False
        if self.nth is not None and self.seen < self.nth:
            return False
        if self.every is not None and self.seen % self.every:
            return False
        if self.probability is not None and rng.random() >= self.probability:
            return False
        self.hits += 1
        return True

    def get(self, name: str, default: Any) -> Any:
        """A detail, or its default."""
        return self.details.get(name, default)


class FaultPlan:
    """Faults to happen; the same seed and the same requests give the same faults."""

    def __init__(self, faults: Iterable[Fault] = (), seed: int = 0) -> None:
        self._lock = threading.Lock()
        self._faults: list[tuple[Fault, random.Random]] = []
        self._seed = seed
        self._made = 0
        self.fired: list[Fired] = []
        self.add(*faults)

    @property
    def faults(self) -> list[Fault]:
        """The faults planned now."""
        with self._lock:
            return [fault for fault, _ in self._faults]

    def add(self, *faults: Fault) -> None:
        """Plan more faults, also while the server runs."""
        with self._lock:
            for fault in faults:
                self._made += 1
                self._faults.append((fault, random.Random(f"{self._seed}:{self._made}")))

    def remove(self, fault: Fault) -> None:
        """Take one fault back."""
        with self._lock:
            self._faults = [(f, r) for f, r in self._faults if f is not fault]

    def clear(self) -> None:
        """No more faults."""
        with self._lock:
            self._faults = []

    def strike(self, endpoint: str, object_name: str) -> list[Fault]:
        """The faults that hit this request."""
        out = []
        with self._lock:
            for fault, rng in self._faults:
                if fault.fits(endpoint, object_name) and fault.strikes(rng):
                    out.append(fault)
                    self.fired.append(Fired(fault.kind, endpoint, object_name, fault.seen))
        return out

    @classmethod
    def from_mapping(cls, plan: Mapping[str, Any]) -> FaultPlan:
        """A plan from parsed TOML: ``seed`` and a list of ``[[fault]]`` tables."""
        faults = []
        for entry in plan.get("fault", []):
            given = dict(entry)
            if given.get("times") in (0, "always"):
                given["times"] = None  # TOML has no null
            faults.append(Fault(given.pop("kind"), **given))
        return cls(faults, int(plan.get("seed", 0)))

    @classmethod
    def from_toml(cls, path: str | Path) -> FaultPlan:
        """A plan from a TOML file."""
        return cls.from_mapping(tomllib.loads(Path(path).read_text(encoding="utf-8")))
