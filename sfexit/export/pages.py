"""Where a page of records lies, and its line in the journal."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from sfexit.archive import layout
from sfexit.archive.page import PageFacts
from sfexit.export.means import Means
from sfexit.export.work import Work


def page_place(means: Means, work: Work, number: int, ordinal: int) -> tuple[str, Path]:
    """The path of a page within the bag, and in full; its folder is there."""
    relative = layout.page_path(means.names[work.name], work.reading, number, ordinal)
    final = layout.within(means.bag, relative)
    means.disk.make_folder(final.parent)
    return relative, final


def record_page(
    means: Means,
    work: Work,
    number: int,
    ordinal: int,
    relative: str,
    facts: PageFacts,
    **more: Any,
) -> None:
    """Journal a page that was published: from here on it counts. `more` is told by its road."""
    arrived = facts
    facts = means.linked(work.name, layout.within(means.bag, relative), facts)
    at = means.client.server_time
    means.journal.record(
        "page",
        path=relative,
        object=work.name,
        reading=work.reading,
        slice=number,
        page=ordinal,
        rows=facts.rows,
        bytes=facts.bytes,
        sha256=facts.sha256,
        csv_bytes=facts.csv_bytes,
        csv_sha256=facts.csv_sha256,
        wire_encoding=facts.wire_encoding,
        ids=asdict(facts.ids) if facts.ids is not None else None,
        fetched=at.strftime("%Y-%m-%dT%H:%M:%SZ") if at else "",
        **more,
    )
    for remark in facts.remarks:
        means.note(work.name, "page", f"{relative}: {remark}")
    means.tally.published(work.name, facts.rows, facts.csv_bytes, arrived.bytes)
