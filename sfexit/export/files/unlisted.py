"""Documents that other records name and that the org does not show to this user.

Without Query All Files a user sees the files of their own libraries and records alone, whatever
else they may see (Object Reference, ContentDocument, "Special Access Rules"). Such a document is
in no list, but folders, links and posts in the bag still name it: each one is told by its id.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import islice

from sfexit.archive import layout
from sfexit.archive.layout import id18
from sfexit.archive.ledger import LedgerLine
from sfexit.archive.stored_rows import column_values
from sfexit.catalog import Description
from sfexit.errors import OrgRefused
from sfexit.export import plan
from sfexit.export.files import index
from sfexit.export.means import Means
from sfexit.salesforce import composite, query

UNLISTED = "unlisted"
DOCUMENT = "ContentDocument"
PERMISSION = "QueryAllFiles"
_PREFIX = "069"
_LISTED_BY = ((DOCUMENT, "Id"), ("ContentVersion", "ContentDocumentId"))
# A text by type, and the id of a file for a post with an image (Object Reference, FeedAttachment).
_ALSO = {"FeedAttachment": ("RecordId",)}
_IDS_A_QUERY = 400
_AT_ONCE = 1_000


@dataclass(frozen=True)
class Source:
    """A column that may name documents."""

    object: str
    field: str


def sources(description: Description, columns: Sequence[str]) -> list[Source]:
    """The columns of an object's pages that may name documents, by its describe."""
    if description.name == DOCUMENT:
        return []
    also = _ALSO.get(description.name, ())
    return [
        Source(description.name, one.name)
        for one in description.fields
        if one.name in columns
        and one.name != "Id"
        and (DOCUMENT in one.reference_to or one.name in also)
    ]


def look(means: Means, describe: Callable[[str], Description]) -> int:
    """Journal every document that is named and not listed; returns how many there are.

    Documents that the org shows when they are asked for by id came after the list was read: they
    are noted. Raises PageDamaged, Transient.
    """
    if DOCUMENT not in means.names or means.selection.left_out(DOCUMENT) is not None:
        return 0
    known = index.Found(means.home.work, "documents-known.db")
    told = index.Found(means.home.work, "documents-told.db")
    try:
        for name, field in _LISTED_BY:
            for value in _values(means, name, [field]):
                known.add(value[0])
        found = _named(means, describe, known, told)
        count, later = 0, 0
        while some := list(islice(found, _AT_ONCE)):
            means.go_on()
            there = _shown(means, [one for one, _ in some])
            later += len(there)
            gone = [(one, source) for one, source in some if one not in there]
            count += len(gone)
            if gone:
                means.journal.record("body_exceptions", items=[_item(*one) for one in gone])
    finally:
        known.close()
        told.close()
    if later:
        means.note(DOCUMENT, "files", f"{later:,} documents came after the list of them was read")
    return count


def with_unlisted(line: LedgerLine, count: int, *, held: bool) -> LedgerLine:
    """The line of ContentDocument. `held`: this user has the permission to see all files."""
    where = layout.BODY_EXCEPTIONS.removeprefix("data/")
    if held:
        why = "shown to nobody, so deleted for good"
        remedy = ""
    else:
        why = "not shown to this user"
        remedy = "give the export user Query All Files, then export again with --anew"
    reason = f"{count:,} more named by other records and {why}; each is named in {where}"
    return replace(
        line,
        reason="; ".join(filter(None, [line.reason, reason])),
        remedy="; ".join(filter(None, [line.remedy, remedy])),
    )


def _values(means: Means, name: str, columns: Sequence[str]) -> Iterator[tuple[str, ...]]:
    rows = means.journal.rows("SELECT fields FROM object WHERE name = ?", (name,))
    there = json.loads(rows[0]["fields"] or "[]") if rows else []
    if not set(columns) <= set(there):
        return
    for page in means.journal.pages(name):
        means.go_on()
        yield from column_values(layout.within(means.bag, page["path"]), columns)


def _named(
    means: Means, describe: Callable[[str], Description], known: index.Found, told: index.Found
) -> Iterator[tuple[str, Source]]:
    """Documents that are named and not known, each once, with the first column that names it."""
    for row in means.journal.rows(
        "SELECT name, fields FROM object o WHERE EXISTS (SELECT 1 FROM page p WHERE "
        "p.object = o.name AND p.reading = o.reading) ORDER BY position"
    ):
        for source in sources(describe(row["name"]), json.loads(row["fields"])):
            for (value,) in _values(means, source.object, [source.field]):
                if not value.startswith(_PREFIX):
                    continue
                try:
                    document = id18(value)
                except ValueError:
                    continue
                if not known.has(document) and not told.has(document):
                    told.add(document)
                    yield document, source


def _shown(means: Means, documents: Sequence[str]) -> set[str]:
    """Those of the documents that the org gives when it is asked for them."""
    parts = [documents[at : at + _IDS_A_QUERY] for at in range(0, len(documents), _IDS_A_QUERY)]
    paths = [
        query.path_of(
            means.client,
            plan.soql(DOCUMENT, ["Id"], "Id IN ({})".format(",".join(f"'{o}'" for o in part))),
        )
        for part in parts
    ]
    found: set[str] = set()
    for at in range(0, len(paths), composite.MOST_QUERIES):
        some = paths[at : at + composite.MOST_QUERIES]
        for part in composite.ask(means.client, some):
            refusal = part.refusal("a query on documents")
            if isinstance(refusal, OrgRefused):
                continue  # then it shows none of them
            if refusal is not None:
                raise refusal
            page = query.parse_page(means.client, part.body)
            while True:
                found.update(str(row.get("Id")) for row in page.records)
                if page.next_path is None:
                    break
                page = query.next_page(means.client, page.next_path)
    return found


def _item(document: str, source: Source) -> dict[str, object]:
    return {
        "object": DOCUMENT,
        "record_id": document,
        "field": "",
        "reference": "",
        "title": "",
        "key": document,
        "kind": UNLISTED,
        "kept": False,
        "reason": f"named by {source.object}.{source.field}, and not shown to this user",
        "salesforce_bytes": None,
        "bytes": None,
        "salesforce_md5": "",
        "md5": "",
        "at": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}",
    }
