"""Which bodies the rows of an object name. Pure; the rows come from the archived pages.

Found by describe (fields of type base64, rich text), not by a list of objects: "sObject Blob Get"
works for every such field. What is told of a body stands in other columns of the same row (Object
Reference: ContentVersion, Attachment, Document, StaticResource, EventLogFile).
"""

from __future__ import annotations

import contextlib
import html
import mimetypes
import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache

from sfexit.archive.layout import body_extension, id18
from sfexit.catalog import Description
from sfexit.salesforce import photos

# Bodies that stand elsewhere in the archive, or are made from what does.
COVERED = {
    ("ContentNote", "Content"): "the same bytes as VersionData of the note's ContentVersion",
    ("ContentVersionRenditionContent", ""): "previews, made from the files themselves",
}
# The image resource "doesn't work with the EmailMessage object" (REST API guide, "Get an Image
# from a Rich Text Area Field").
_NO_IMAGES = frozenset({"EmailMessage"})
IMAGE_MARK = b"rtaImage"
PHOTO_MARK = b"/profilephoto/729"
_FOR_BROWSERS = "it is a banner, which the org shows in browsers alone, at BannerPhotoUrl"

_SIZES = ("ContentSizeLong", "ContentSize", "BodyLength", "LogFileLength")
_TITLES = ("Title", "Name", "Filename", "EventType", "DeveloperName")
_PARENTS = ("ContentDocumentId", "ParentId", "FolderId", "QuoteId")
_TOLD = (
    "Checksum", "FileExtension", "PathOnClient", "Type", "FileType", "ContentType", "ContentUrl",
    "ContentLocation", "Url", "VersionNumber", "IsLatest", "IsDeleted", "SystemModstamp",
    "LastModifiedDate", "LogDate",
)  # fmt: skip
_TAG = re.compile("<img", re.IGNORECASE)
_QUOTED = re.compile(r"""=\s*("[^"]*"|'[^']*')""")
_SOURCE = re.compile(r"""\bsrc\s*=\s*["']?\s*[^\s"'<>]*\Z""", re.IGNORECASE)
_REST = re.compile(r"""[^\s"'<>]*""")
_LONGEST_TAG = 4_000  # characters of it before the mark
_ID = "([A-Za-z0-9]{15}(?:[A-Za-z0-9]{3})?)(?![A-Za-z0-9])"
_REFERENCE, _OWNER = re.compile(f"[?&]refid={_ID}"), re.compile(f"[?&]eid={_ID}")
# The turns in which the places where an image stands are asked for it: the record that its address
# names, others that show it as copied text does, and then those in the recycle bin, which the org
# may give nothing of.
OWN, COPY, BINNED, BINNED_COPY = TURNS = tuple(range(4))
COPIES = (COPY, BINNED_COPY)
_MD5 = re.compile("[0-9a-f]{32}")
# Only what Python knows by itself: the tables of the system differ between two computers.
_KINDS = mimetypes.MimeTypes(filenames=())


@dataclass(frozen=True)
class Body:
    """One body as its row tells of it. Empty texts and None: not told.

    `key` names the file. `elsewhere`, unless empty, says why the org holds no bytes of it.
    `reference` is the 18-character id of an image in rich text, which may stand in many records:
    `turn` says when this one is asked for it. Sizes in bytes, MD5 in hex.
    """

    object: str
    record_id: str
    field: str
    key: str
    title: str = ""
    extension: str = "bin"
    size: int | None = None
    md5: str = ""
    parent_id: str = ""
    version_number: str = ""
    is_latest: str = ""
    deleted: bool = False
    content_type: str = ""
    reference: str = ""
    modified: str = ""
    elsewhere: str = ""
    turn: int = OWN

    @property
    def place(self) -> str:
        """What is asked for: of an image, one of the places where it stands. For exceptions."""
        return f"{self.key}@{self.record_id}.{self.field}" if self.image else self.key

    @property
    def image(self) -> bool:
        """Whether it stands in a rich text, and so perhaps in many."""
        return bool(self.reference) and self.field not in (photos.FIELD, photos.BANNER)

    @property
    def photo(self) -> bool:
        """Whether it is somebody's picture, which comes by a road of its own."""
        return bool(self.reference) and self.field == photos.FIELD

    @property
    def banner(self) -> bool:
        """Whether it is the picture across the top of a profile, which no address gives."""
        return bool(self.elsewhere) and self.field == photos.BANNER

    @property
    def packed(self) -> bool:
        """Whether gzip is worth asking for: "event log files can be large" (REST API guide)."""
        return self.object == "EventLogFile"


@dataclass(frozen=True)
class Recipe:
    """How to read an object's bodies: the columns wanted of its pages, and what they mean."""

    object: str
    blobs: tuple[str, ...]
    rich: tuple[str, ...]
    columns: tuple[str, ...]
    photo: bool = False
    banner: bool = False
    covered: dict[str, str] = field(default_factory=dict)

    def bodies(self, row: Sequence[str]) -> Iterator[Body]:
        """The bodies of one row, its values in the order of `columns`."""
        told = dict(zip(self.columns, row, strict=True))
        try:
            record_id = id18(told["Id"])
        except ValueError:
            return  # no such row can be asked for; the records' own checks speak of it
        for name in self.blobs:
            yield self._blob(told, record_id, name)
        binned = told.get("IsDeleted") == "true"
        for name in self.rich:
            for reference, owners in references(told[name]).items():
                turn = (BINNED if binned else OWN) + (record_id not in owners)
                yield replace(self._image(told, record_id, name, reference), turn=turn)
        if self.photo and (version := photos.version_of(told[photos.FIELD])):
            yield self._image(told, record_id, photos.FIELD, version)
        if self.banner and (version := photos.version_of(told[photos.BANNER])):
            yield replace(
                self._image(told, record_id, photos.BANNER, version), elsewhere=_FOR_BROWSERS
            )

    @property
    def marks(self) -> tuple[bytes, ...]:
        """Words without one of which a page names no body; empty: it always may."""
        if self.blobs:
            return ()
        return (
            *((IMAGE_MARK,) if self.rich else ()),
            *((PHOTO_MARK,) if self.photo or self.banner else ()),
        )

    def _image(self, told: dict[str, str], record_id: str, name: str, reference: str) -> Body:
        return Body(
            self.object,
            record_id,
            name,
            reference,
            title=_first(told, _TITLES),
            parent_id=record_id,
            deleted=told.get("IsDeleted") == "true",
            reference=reference,
        )

    def _blob(self, told: dict[str, str], record_id: str, name: str) -> Body:
        stem = name.removesuffix("__Body__s") if name.endswith("__Body__s") else ""
        size = told.get(f"{stem}__Length__s") if stem else _first(told, _SIZES)
        title = told.get(f"{stem}__Name__s", "") if stem else _first(told, _TITLES)
        kind = told.get(f"{stem}__ContentType__s", "") if stem else told.get("ContentType", "")
        extension = _extension(self.object, told, title, kind)
        return Body(
            self.object,
            record_id,
            name,
            record_id if len(self.blobs) == 1 else f"{record_id}~{name}",
            title=f"{title} {told['LogDate'][:10]}" if told.get("LogDate") else title,
            extension=extension,
            size=_number(size or ""),
            md5=_md5(told.get("Checksum", "")),
            parent_id=_first(told, _PARENTS),
            version_number=told.get("VersionNumber", ""),
            is_latest=told.get("IsLatest", ""),
            deleted=told.get("IsDeleted") == "true",
            content_type=kind or _guessed(told, extension),
            modified=_first(told, ("SystemModstamp", "LastModifiedDate")),
            elsewhere=_elsewhere(told),
        )


def recipe(description: Description, columns: Sequence[str]) -> Recipe | None:
    """How to read the bodies of an object whose pages have these columns; None: it has none."""
    name = description.name
    if "Id" not in columns or (name, "") in COVERED:
        return None
    blobs, covered = [], {}
    for one in description.fields:
        if one.type != "base64":
            continue
        if (name, one.name) in COVERED:
            covered[one.name] = COVERED[name, one.name]
        else:
            blobs.append(one.name)
    rich = [
        one.name
        for one in description.fields
        if one.extra_type_info == "richtextarea" and one.name in columns and name not in _NO_IMAGES
    ]
    photo = name in photos.RESOURCES and photos.FIELD in columns
    banner = name in photos.RESOURCES and photos.BANNER in columns
    if not (blobs or rich or covered or photo or banner):
        return None
    wanted = [
        "Id",
        *rich,
        *((photos.FIELD,) if photo else ()),
        *((photos.BANNER,) if banner else ()),
        *_SIZES,
        *_TITLES,
        *_PARENTS,
        *_TOLD,
    ]
    for blob in blobs:
        stem = blob.removesuffix("__Body__s")
        wanted += [f"{stem}__Length__s", f"{stem}__Name__s", f"{stem}__ContentType__s"]
    there = set(columns)
    return Recipe(
        name,
        tuple(blobs),
        tuple(rich),
        tuple(dict.fromkeys(one for one in wanted if one in there)),
        photo,
        banner,
        covered,
    )


def references(text: str) -> dict[str, set[str]]:
    """Ids of the images that a rich text shows, in order, each with the ids of the records that
    its addresses name as its own (none, where they name none). 18 characters each.

    The text is anybody's HTML; only ids are taken from it, never an address.
    """
    mark = IMAGE_MARK.decode()
    at = text.find(mark)
    if at < 0:
        return {}
    found: dict[str, set[str]] = {}
    tags = [one.end() for one in _TAG.finditer(text)]
    while at >= 0:
        rest = _REST.match(text, at)
        assert rest is not None
        tag = bisect_right(tags, at) - 1
        if tag >= 0 and at - tags[tag] <= _LONGEST_TAG and _is_source(text[tags[tag] : at]):
            address = html.unescape(rest[0])
            reference, owner = _REFERENCE.search(address), _OWNER.search(address)
            if reference:
                with contextlib.suppress(ValueError):
                    owners = found.setdefault(id18(reference[1]), set())
                    owners.update({id18(owner[1])} if owner else ())
        at = text.find(mark, rest.end())
    return found


def _is_source(before: str) -> bool:
    """True when `before`, from a tag's name on, ends inside the value of its `src`."""
    source = _SOURCE.search(before)
    if source is None:
        return False
    attributes = _QUOTED.sub("", before[: source.start()])  # any text may stand in quotes
    return "<" not in attributes and ">" not in attributes


def image_extension(content_type: str) -> str:
    """What an image is called after, by what the org says that it is."""
    return {"image/png": "png", "image/jpeg": "jpg", "image/gif": "gif"}.get(content_type, "bin")


def _first(told: dict[str, str], names: Sequence[str]) -> str:
    for name in names:
        value = told.get(name)
        if value:
            return value
    return ""


def _number(text: str) -> int | None:
    """A size; a double is written `1234.0` or `1.39E8`."""
    try:
        size = int(text)
        return size if size >= 0 else None
    except ValueError:
        pass
    try:
        value = float(text)
        return int(value) if value >= 0 and value == int(value) else None
    except (ValueError, OverflowError):
        return None


def _md5(text: str) -> str:
    lower = text.strip().lower()
    return lower if _MD5.fullmatch(lower) else ""


def _extension(name: str, told: dict[str, str], title: str, kind: str) -> str:
    if name == "EventLogFile":
        return "csv"
    named = told.get("FileExtension", "") or (told.get("Type", "") if name == "Document" else "")
    if not named:
        path = told.get("PathOnClient") or title
        named = path.rpartition(".")[2] if "." in path else ""
    if not named and kind:
        named = _ending_of(kind)
    return body_extension(named)


def _guessed(told: dict[str, str], extension: str) -> str:
    if told.get("FileType") == "SNOTE":
        return "text/html"  # ContentNote: the text of a note is HTML
    return _kind_of(extension)


@lru_cache(maxsize=1024)
def _ending_of(kind: str) -> str:
    return (_KINDS.guess_extension(kind.partition(";")[0].strip()) or "").lstrip(".")


@lru_cache(maxsize=1024)
def _kind_of(extension: str) -> str:
    return _KINDS.guess_type(f"x.{extension}")[0] or ""


def _elsewhere(told: dict[str, str]) -> str:
    """Why the org has no bytes of a body (Object Reference, ContentVersion and Document)."""
    if told.get("ContentLocation") == "E":
        return "it lies in another store that the org only points at (ContentLocation E)"
    if told.get("ContentLocation") == "L":
        return "it lies on a social network (ContentLocation L)"
    if told.get("FileType") == "LINK" or told.get("ContentUrl"):
        return "it is a link, not a file"
    if told.get("Url") and "FolderId" in told:
        return "it is a link, not a file"
    return ""
