"""What the ledger says of an object's files."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from sfexit.archive import layout
from sfexit.archive.ledger import LedgerLine
from sfexit.export import plan
from sfexit.export.files.fetching import (
    BROWSER,
    DELETED,
    FAULT,
    FORBIDDEN,
    GONE,
    LEFT_OUT,
    MD5,
    REFUSED,
    SIZE,
)


@dataclass
class Counts:
    """Bodies of one object: named by its rows, in the bag, without bytes in the org, banners,
    exceptions by kind and whether what came was kept."""

    listed: int = 0
    stored: int = 0
    bytes: int = 0
    elsewhere: int = 0
    banners: int = 0
    exceptions: dict[tuple[str, bool], int] = field(default_factory=dict)


_TABLE = layout.BODY_EXCEPTIONS.removeprefix("data/")
_WORDS = {
    DELETED: "{n} are in the recycle bin and the org does not give files from there (to have them, "
    "restore their records and export again)",
    BROWSER: "{n} are photos that only browsers are given (to have them, open the addresses in "
    "FullPhotoUrl in one)",
    GONE: "{n} were not found when they were fetched (deleted meanwhile, or no longer to be seen)",
    FORBIDDEN: "{n} were refused for lack of a permission",
    REFUSED: "{n} were refused",
    FAULT: "{n} could not be fetched in many tries",
    SIZE: "{n} do not have the size that the org states",
    MD5: "{n} do not have the checksum that the org states",
    LEFT_OUT: "{n} were left out by --no-files",
}
_REMEDIES = {
    GONE: f"{plan.RUN_AGAIN}; what is not found then either is not in the org any more (an image: "
    "open its record and see whether it shows; take it out of the text where it does not)",
    FORBIDDEN: "give the exporting user View All Data and Query All Files (Modify All Data for "
    "private attachments)",
    LEFT_OUT: "export again without --no-files",
    SIZE: "open these files in Salesforce and upload them anew where they are damaged",
    MD5: "open these files in Salesforce and upload them anew where they are damaged",
}


def with_files(line: LedgerLine, counts: Counts) -> LedgerLine:
    """The line with what is to be told of files; a remedy makes it incomplete."""
    if not counts.listed:
        return line
    witnesses = {**line.witnesses, "bodies_listed": counts.listed, "bodies": counts.stored}
    told, remedies = [], []
    if counts.elsewhere:
        told.append(f"{counts.elsewhere:,} are links or lie outside of the org")
    if counts.banners:
        told.append(
            f"{counts.banners:,} are banners that only browsers are given, at the addresses in "
            "BannerPhotoUrl"
        )
    for (kind, kept), count in sorted(counts.exceptions.items()):
        if count:
            words = _WORDS[kind].format(n=f"{count:,}")
            told.append(words + (" (what the org gave is kept)" if kept else ""))
            if kind not in (DELETED, BROWSER):
                remedies.append(_REMEDIES.get(kind, plan.RUN_AGAIN))
    if told:
        told[0] = f"of its {counts.listed:,} files " + told[0]
        if counts.exceptions:
            told.append(f"each is named in {_TABLE}")
    return replace(
        line,
        witnesses=witnesses,
        reason=_joined([line.reason, *told]),
        remedy=_joined([line.remedy, *dict.fromkeys(remedies)]),
    )


def _joined(parts: Iterable[str]) -> str:
    return "; ".join(part for part in parts if part)
