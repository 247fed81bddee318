"""One body: asked for, checked while it arrives, and published or named as an exception."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from sfexit.archive import layout
from sfexit.archive.bodies import BodyWriter, Seen, StoredBody, look
from sfexit.archive.durable import written_anew
from sfexit.errors import (
    DamagedAnswer,
    Interrupted,
    MediumFault,
    OrgRefused,
    UsageProblem,
)
from sfexit.export.files.listing import Body, image_extension
from sfexit.export.means import Means
from sfexit.salesforce.bodies import BodyAnswer, open_body
from sfexit.salesforce.photos import open_photo

_TRIES = 3  # at a body that is not what its row says
_REFUSALS_IN_A_ROW = 100
_PHOTOS_IN_A_ROW = 10  # their host is out of reach then, or the feature is off
_SLACK_BYTES = 64 << 20  # what may come beyond a wrong size before it is taken for an attack

# Kinds of exceptions; docs/archive-format.md, section 5.1.
DELETED, GONE, FORBIDDEN, REFUSED = "deleted", "gone", "forbidden", "refused"
FAULT, SIZE, MD5, LEFT_OUT = "fault", "size", "md5", "left_out"
BROWSER = "browser"  # a photo that only browsers are given


@dataclass(frozen=True)
class Outcome:
    """What became of one body: it is stored, or `kind` and `reason` say why not, or both: it is
    stored and yet not what its row says. `bytes` and `md5` are what came. `taken_over`: from an
    earlier bag, without a call."""

    body: Body
    stored: StoredBody | None
    kind: str = ""
    reason: str = ""
    bytes: int | None = None
    md5: str = ""
    taken_over: bool = False

    def as_event(self, at: str) -> dict[str, object]:
        """The journal's form, and a line of the table of exceptions."""
        return {
            "object": self.body.object,
            "key": self.body.place,
            "record_id": self.body.record_id,
            "field": self.body.field,
            "reference": self.body.reference,
            "title": self.body.title[:255],
            "kind": self.kind,
            "kept": self.stored is not None,
            "reason": self.reason,
            "salesforce_bytes": self.body.size,
            "bytes": self.bytes,
            "salesforce_md5": self.body.md5,
            "md5": self.md5,
            "at": at,
        }


class Refusals:
    """Notices an object all of whose bodies are refused, so that no calls are spent on the rest."""

    def __init__(self) -> None:
        self._in_a_row: dict[tuple[str, bool], int] = {}
        self._lock = threading.Lock()

    def hopeless(self, body: Body) -> str:
        """Why it is not worth asking for this one; empty: it is."""
        most = _PHOTOS_IN_A_ROW if body.photo else _REFUSALS_IN_A_ROW
        if self._in_a_row.get((body.object, body.photo), 0) < most:
            return ""
        return f"not asked for: {most} before were refused"

    def note(self, outcome: Outcome) -> None:
        """A body's outcome."""
        name = (outcome.body.object, outcome.body.photo)
        with self._lock:
            if outcome.kind in (FORBIDDEN, BROWSER):
                self._in_a_row[name] = self._in_a_row.get(name, 0) + 1
            elif outcome.stored is not None:
                self._in_a_row[name] = 0


class Fetcher:
    """Fetches bodies; `fetch` may be called from several threads."""

    def __init__(self, means: Means) -> None:
        self._means = means
        self._refusals = Refusals()

    def fetch(self, body: Body) -> Outcome:
        """Bring one body into the bag, or say why not.

        What is published is durable only after `bodies.make_durable`. Raises Transient where the
        org's answers are of no use, Paused, SignInProblem, Interrupted, and what else stops a run.
        """
        hopeless = self._refusals.hopeless(body)
        if hopeless:
            return Outcome(body, None, BROWSER if body.photo else FORBIDDEN, hopeless)
        path = layout.within(self._means.bag, layout.body_path(body.key, body.extension))
        adopted = self._adopt(body, path)
        if adopted is not None:
            return adopted
        try:
            outcome = self._fetch(body, path)
        except OrgRefused as refusal:
            outcome = Outcome(body, None, _kind(refusal, body), str(refusal))
        except UsageProblem as problem:
            outcome = Outcome(body, None, REFUSED, problem.message)
        self._refusals.note(outcome)
        return outcome

    def _adopt(self, body: Body, path: Path) -> Outcome | None:
        """A body that a killed run published and could not journal, if Salesforce's own checksum
        proves it; whatever else lies in its place goes."""
        if not os.path.lexists(path):
            return None
        found = look(path)
        if found is not None and body.md5 and (found.size, found.md5) == (body.size, body.md5):
            there = StoredBody(body.object, body.key, body.extension, found.size, found.sha256)
            return Outcome(body, there, bytes=found.size, md5=found.md5)
        self._means.disk.remove(path)
        return None

    def _fetch(self, body: Body, path: Path) -> Outcome:
        writer = BodyWriter(self._means.disk, path, witnessed=bool(body.md5))
        enough = self._means.tuning.body_resume_bytes
        keep = False
        try:
            if (body.size or 0) > enough:
                writer.take_over(enough)
            return written_anew(
                lambda: self._published(body, writer, enough, path),
                lambda why: self._means.tally.note(
                    f"{body.object}: {why}; the file is fetched again"
                ),
            )
        except BaseException:
            # What came of a large file is worth keeping where a checksum will prove the whole.
            keep = bool(body.md5) and writer.size >= enough
            raise
        finally:
            writer.leave(keep=keep)

    def _published(self, body: Body, writer: BodyWriter, enough: int, path: Path) -> Outcome:
        try:
            outcome = self._insist(body, writer, enough)
            if outcome.stored is not None:
                ending = outcome.stored.extension  # an image's is known only now
                named = path.with_name(f"{body.key}.{ending}") if body.reference else path
                writer.publish(named)
            return outcome
        except MediumFault:
            writer.restart()
            raise

    def _insist(self, body: Body, writer: BodyWriter, enough: int) -> Outcome:
        """Fetch until what came is what the row says, or came twice alike."""
        before = ""
        for attempt in range(_TRIES):
            kind = self._means.client.retried(
                lambda: self._once(body, writer, enough), f"a file of {body.object}"
            )
            seen = writer.seen()
            wrong = mismatch(body, seen)
            extension = image_extension(kind) if body.reference else body.extension
            there = StoredBody(body.object, body.key, extension, seen.size, seen.sha256)
            if wrong is None:
                return Outcome(body, there, bytes=seen.size, md5=seen.md5)
            what, why = wrong
            if seen.sha256 == before or attempt == _TRIES - 1:
                # Twice the same bytes: that is what the org has, whatever its row says of it.
                kept = there if seen.sha256 == before else None
                return Outcome(body, kept, what, why, seen.size, seen.md5)
            before = seen.sha256
            self._means.tally.note(f"{body.object}: {why}; it is fetched again")
            writer.restart()
        raise AssertionError("unreachable")

    def _once(self, body: Body, writer: BodyWriter, enough: int) -> str:
        """One request; returns the content type. The next try goes on where this one broke, if it
        was a long way and either a checksum or the same ETag will prove the whole."""
        whole = body.size is not None and writer.size == body.size and writer.size >= enough
        etag = writer.etag
        on_its_way = writer.size >= enough and body.size and writer.size < body.size
        if not whole and not (on_its_way and (body.md5 or etag)):
            writer.restart()
            etag = ""
        kind = ""
        try:
            if not whole:  # else all of it was there already
                kind = self._receive(body, writer, etag)
            seen = writer.seen()
            if "html" in kind and not _proven(body, seen):
                raise DamagedAnswer("a web page came instead of a file")
            return kind
        except DamagedAnswer:
            writer.restart()
            raise
        except OrgRefused as refusal:
            if refusal.status == 416:
                writer.restart()
                raise DamagedAnswer("the org has no such part of the file") from refusal
            raise

    def _receive(self, body: Body, writer: BodyWriter, etag: str) -> str:
        with self._open(body, writer.size, etag) as got:
            if got.start != writer.size:
                writer.restart()
            writer.etag = got.etag
            self._copy(body, got.pieces(), writer)
            return got.content_type

    def _open(self, body: Body, start: int, etag: str) -> AbstractContextManager[BodyAnswer]:
        client = self._means.client
        if body.photo:
            return open_photo(client, body.object, body.record_id)
        return open_body(
            client,
            body.object,
            body.record_id,
            body.field,
            reference=body.reference,
            start=start,
            etag=etag,
            size=body.size,
            packed=body.packed,
        )

    def _copy(self, body: Body, pieces: Iterator[bytes], writer: BodyWriter) -> None:
        for piece in pieces:
            writer.feed(piece)
            if body.size is not None and writer.size > 4 * body.size + _SLACK_BYTES:
                raise DamagedAnswer(f"far more came than the {body.size:,} bytes there should be")
            if self._means.stop.is_set() and writer.size > (1 << 20):
                raise Interrupted("the run was asked to stop")


def mismatch(body: Body, seen: Seen) -> tuple[str, str] | None:
    """Kind and reason why what lies on the disk is not what the row says; None: it is. Pure."""
    if body.md5 and seen.md5 == body.md5:
        return None  # the checksum outweighs a size: a 32-bit field cannot tell one above 2 GB
    if body.size is not None and seen.size != body.size:
        return (
            SIZE,
            f"{seen.size:,} bytes came where the org says that there are {body.size:,}",
        )
    if body.md5:
        return MD5, f"its MD5 is {seen.md5} where the org says {body.md5}"
    return None


def _proven(body: Body, seen: Seen) -> bool:
    """True when size or checksum of what came are known and right."""
    return mismatch(body, seen) is None and (bool(body.md5) or body.size is not None)


def _kind(refusal: OrgRefused, body: Body) -> str:
    if body.photo:
        return BROWSER
    if body.deleted and refusal.status in (403, 404):
        return DELETED
    if refusal.status == 404:
        return GONE
    return FORBIDDEN if refusal.status == 403 else REFUSED
