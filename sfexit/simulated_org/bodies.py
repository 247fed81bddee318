"""Bytes of files: what stands behind every base64 field and every image in rich text.

The bytes are arithmetic on the seed, the object and the row, so that any part of a body of any
size can be made without keeping it. Sizes and MD5 that the org tells are those of the bytes
(Object Reference: ContentVersion.ContentSize, ContentSizeLong, Checksum; Attachment.BodyLength).
"""

from __future__ import annotations

import hashlib
import random
import threading
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from .columns import Column, Value
from .ids import IdSpace

if TYPE_CHECKING:
    from .data import Table, Tables

PIECE = 1 << 16
_INT_MAX = 2**31 - 1
#: Every so many rows a body is the same as one some rows before.
_TWIN_EVERY, _TWIN_PHASE, _TWIN_BACK = 13, 7, 6

#: Base64 fields and the fields that tell the size of each.
BODY_FIELDS: dict[str, str] = {
    "ContentVersion": "VersionData",
    "ContentNote": "Content",
    "Attachment": "Body",
    "Document": "Body",
    "StaticResource": "Body",
    "MailmergeTemplate": "Body",
    "EventLogFile": "LogFile",
    "QuoteDocument": "Document",
    "Scontrol": "Binary",
}

#: File names people and their programs have made up. Titles have at most 255 characters.
TITLES = (
    "Quote 2023",
    "Quote 2023",
    "Quote 2023",
    "Contract signed",
    "photo",
    "../../../etc/passwd",
    "C:\\Windows\\System32\\evil",
    "CON",
    "nul",
    "Angebot für Müller & Söhne",
    "\u202egnp.exe",
    "..",
    "a/b:c*d?e",
    "x" * 255,
    "é" * 200,
    "with\x00nul",
    "trailing dot.",
    " leading blank",
    "line\nbreak",
    "=HYPERLINK(1)",
    "見積書",
    "-rf",
    "QUOTE 2023",
)
#: FileExtension and FileType of a document, by turns.
KINDS: tuple[tuple[str | None, str], ...] = (
    ("pdf", "PDF"),
    ("docx", "WORD_X"),
    ("png", "PNG"),
    ("pdf", "PDF"),
    ("snote", "SNOTE"),
    ("xlsx", "EXCEL_X"),
    (None, "UNKNOWN"),
    ("txt", "TEXT"),
    ("tar.gz.backup", "UNKNOWN"),
    (None, "LINK"),
    ("JPG", "JPG"),
    ("p/df", "UNKNOWN"),
    ("pdf", "PDF"),
)


class Bodies:
    """The bodies of one org. ``scale`` makes all of them larger; ``sizes`` gives single ones a
    size of their own (two gigabytes, for instance), ``ids`` of images are made here too."""

    def __init__(self, tables: Tables) -> None:
        self.tables = tables
        self.scale = 1.0
        self.sizes: dict[tuple[str, int], int] = {}
        self.images = IdSpace("0EM", tables.instance, 1000)
        self._filler = random.Random(f"{tables.seed}:filler").randbytes(4 * PIECE)
        self._md5: dict[tuple[str, int], str] = {}
        self._rich: dict[tuple[str, str], int] | None = None
        self._lock = threading.Lock()

    def _key(self, name: str, row: int) -> int:
        """Rows with the same key have the same bytes."""
        if (name, row) in self.sizes:
            return row
        twin = row - _TWIN_BACK
        same = row % _TWIN_EVERY == _TWIN_PHASE and twin >= 0 and (name, twin) not in self.sizes
        return twin if same and self.is_note(name, row) == self.is_note(name, twin) else row

    def is_note(self, name: str, row: int) -> bool:
        """The bytes are the HTML of a note."""
        return name == "ContentNote" or (
            name == "ContentVersion" and self.tables.files.kind(row)[1] == "SNOTE"
        )

    def elsewhere(self, name: str, row: int) -> bool:
        """A link, or a file in another store: it has no bytes here."""
        if name != "ContentVersion":
            return False
        files = self.tables.files
        return files.location(row) != "S" or files.kind(row)[1] == "LINK"

    def size(self, name: str, row: int) -> int:
        """Bytes of a body."""
        if self.elsewhere(name, row):
            return 0
        given = self.sizes.get((name, row))
        if given is not None:
            return given
        key = self._key(name, row)
        rng = random.Random(f"{self.tables.seed}:{name}:{key}")
        share = rng.random()
        if share < 0.04:
            return 0
        if share < 0.30:
            return rng.randint(1, 900)
        if share < 0.85:
            return int(rng.randint(2_000, 40_000) * self.scale)
        if share < 0.99:
            return int(rng.randint(40_000, 160_000) * self.scale)
        return int(rng.randint(200_000, 1_200_000) * self.scale)

    def pieces(
        self, name: str, row: int, start: int = 0, stop: int | None = None
    ) -> Iterator[bytes]:
        """The bytes from ``start`` to before ``stop``, a piece at a time."""
        size = self.size(name, row)
        stop = size if stop is None else min(stop, size)
        key = self._key(name, row)
        head = f"{self.tables.seed}:{name}:{key}\n".encode()
        note = b"&lt;p&gt;Called them; they think about it &amp;amp; will write.&lt;/p&gt;\n"
        filler = note * (PIECE // len(note)) if self.is_note(name, row) else self._filler
        shift = key * 7919 % len(filler)
        at = start
        while at < stop:
            if at < len(head):
                piece = head[at:stop]
            else:
                place = (at - len(head) + shift) % len(filler)
                piece = filler[place : place + min(PIECE, stop - at)]
            yield piece
            at += len(piece)

    def whole(self, name: str, row: int) -> bytes:
        """All bytes of a body."""
        return b"".join(self.pieces(name, row))

    def md5(self, name: str, row: int) -> str:
        """MD5 of a body in lower-case hex."""
        place = (name, self._key(name, row))
        known = self._md5.get(place)
        if known is None or place in self.sizes:
            digest = hashlib.md5(usedforsecurity=False)
            for piece in self.pieces(name, row):
                digest.update(piece)
            known = digest.hexdigest()
            with self._lock:
                self._md5[place] = known
        return known

    # -- images in rich text --------------------------------------------------------------

    def image_text(self, table: Table, field_name: str, row: int) -> str:
        """Rich text with one image in it (REST API guide, "sObject Rich Text Image Get")."""
        refid = self.images.at(self._image_number(table, field_name, row))[:15]
        eid = table.ids.at(row)[:15]
        return (
            f'<p>See &quot;this&quot;:</p><img alt="User-added image" src="https://northwater.file.'
            f"force.com/servlet/rtaImage?eid={eid}&amp;feoid=00N5g00000{len(field_name):05d}&amp;"
            f'refid={refid}"></img>'
        )

    def _image_number(self, table: Table, field_name: str, row: int) -> int:
        if self._rich is None:
            found = (o for o in self.tables.everything)
            pairs = sorted((o.name, f.name) for o in found for f in o.fields if f.gen == "rich")
            self._rich = {pair: number for number, pair in enumerate(pairs)}
        turn = self._rich[table.sobject.name, field_name]
        return row * max(len(self._rich), 1) + turn

    def image(self, table: Table, field_name: str, row: int, ref: str) -> bytes | None:
        """The image that a field of a row holds under this reference; None: there is none."""
        number = self.images.row(ref)
        text = table.value(table.changes, field_name, row)
        if number is None or text is None or f"refid={ref[:15]}" not in text:
            return None
        rng = random.Random(f"{self.tables.seed}:image:{number}")
        return b"\x89PNG\r\n\x1a\n" + rng.randbytes(rng.randint(60, 5000))

    def put_into(self, table: Table, field_name: str, row: int, ref: str) -> bool:
        """It was this field of this row that somebody put the image into; others copied it."""
        return self.images.row(ref) == self._image_number(table, field_name, row)

    def image_in(
        self, table: Table, field_name: str, row: int
    ) -> tuple[str, Callable[[], bytes]] | None:
        """Reference and bytes of the image in a rich text field, if it has one."""
        text = table.value(table.changes, field_name, row) or ""
        _, found, rest = text.partition("refid=")
        if not found:
            return None
        ref = rest[:15]
        return ref, lambda: self.image(table, field_name, row, ref) or b""


class Files:
    """Which versions a document has, and what they are called."""

    def __init__(self, tables: Tables) -> None:
        self.tables = tables
        #: Versions that came later: their row, and the row of the document they belong to.
        self.later: dict[int, int] = {}

    @property
    def _first(self) -> int:
        """Documents the org began with; each has its first version in the row of its number."""
        documents = self.tables.tables.get("ContentDocument")
        return documents.rows if documents else self.tables.tables["ContentVersion"].rows

    @property
    def _many(self) -> int:
        return max(1, (self._first + 2) // 3)  # every third document has more versions

    def document(self, version: int) -> int:
        """Row of the document that a version belongs to."""
        if version in self.later:
            return self.later[version]
        if version < self._first:
            return version
        return (version - self._first) % self._many * 3 % max(1, self._first)

    def number(self, version: int) -> int:
        """1 for the first version of a document."""
        if version in self.later:
            before = [
                k for k in self.later if k < version and self.later[k] == self.document(version)
            ]
            return self._born(self.document(version)) + len(before) + 1
        return 1 if version < self._first else 2 + (version - self._first) // self._many

    def _born(self, document: int) -> int:
        """Versions that a document had from the start."""
        if document >= self._first:
            return 0
        more = self.tables.tables["ContentVersion"].rows - self._first
        if document % 3 or more <= 0:
            return 1
        turn = document // 3
        return 1 + (more - turn + self._many - 1) // self._many if more > turn else 1

    def latest(self, document: int) -> int:
        """Row of a document's newest version."""
        after = [k for k in self.later if self.later[k] == document]
        if after:
            return max(after)
        born = self._born(document)
        return document if born <= 1 else self._first + document // 3 + (born - 2) * self._many

    def kind(self, version: int) -> tuple[str | None, str]:
        """FileExtension and FileType."""
        return KINDS[self.document(version) % len(KINDS)]

    def title(self, version: int) -> str:
        """The title; a document's title is that of its newest version."""
        name = TITLES[self.document(version) % len(TITLES)]
        return name if self.number(version) == 1 else f"{name[:240]} v{self.number(version)}"

    def location(self, version: int) -> str:
        """S: here, E: in another store (ContentLocation)."""
        return "E" if self.document(version) % 59 == 31 else "S"


class BodyColumn(Column):
    """What an object tells of the body in the same row."""

    def __init__(self, table: Table, what: str) -> None:
        self.table, self.what = table, what

    def value(self, i: int) -> Value:
        name, bodies = self.table.sobject.name, self.table.org.bodies
        if self.what == "md5":
            return None if bodies.elsewhere(name, i) else bodies.md5(name, i)
        size = bodies.size(name, i)
        if self.what == "size" and size > _INT_MAX:
            return None  # an int field cannot hold it
        return f"{size}.0" if self.what == "double" else str(size)


class FileColumn(Column):
    """What ContentDocument and ContentVersion tell of a file."""

    def __init__(self, table: Table, what: str) -> None:
        self.table, self.what = table, what
        self.of_document = table.sobject.name == "ContentDocument"

    def value(self, i: int) -> Value:
        tables = self.table.org
        files, versions = tables.files, tables.tables["ContentVersion"]
        version = files.latest(i) if self.of_document else i
        extension, kind = files.kind(version)
        if self.what == "document":
            return tables.tables["ContentDocument"].ids.at(files.document(version))
        if self.what == "latest_id":
            return versions.ids.at(version)
        if self.what == "is_latest":
            return "true" if files.latest(files.document(version)) == version else "false"
        if self.what == "number":
            return str(files.number(version))
        if self.what == "title":
            return files.title(version)
        if self.what == "extension":
            return extension
        if self.what == "type":
            return kind
        if self.what == "location":
            return files.location(version)
        if self.what == "url":
            return "https://example.com/elsewhere" if kind == "LINK" else None
        if self.what == "path":
            return f"{files.title(version)[:200]}.{extension or 'bin'}" if kind != "LINK" else None
        size = tables.bodies.size("ContentVersion", version)
        return str(size) if size <= _INT_MAX else None


class RichColumn(Column):
    """Rich text; every fifth value has an image in it."""

    def __init__(self, table: Table, field_name: str) -> None:
        self.table, self.field_name = table, field_name

    def value(self, i: int) -> Value:
        if i % 5 == 2:
            return self.table.org.bodies.image_text(self.table, self.field_name, i)
        if i % 5 == 4:
            return None
        return f"<p>Remark <b>{i}</b>,<br>\nand rtaImage as a word</p>"
