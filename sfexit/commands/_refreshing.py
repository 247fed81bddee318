"""The archive after a change of the org: what `offboard-users apply` ends with.

The bag of before and the bag of after then both exist. A refresh that fails takes nothing of the
change back: it is told, journalled, and can be made up for by `sfexit export HOME --refresh`.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sfexit.commands import _exit
from sfexit.errors import SfexitError

if TYPE_CHECKING:
    import threading

    from sfexit.export.plan import Selection
    from sfexit.progress import Progress
    from sfexit.salesforce.client import Client

REFRESHED, LEFT_OUT, FAILED = "refreshed", "left_out", "failed"


@dataclass(frozen=True)
class Refreshed:
    """What became of the archive. `state`: refreshed, left_out or failed; `bag` is the new one's
    folder, empty without one; `code` an exit code."""

    state: str
    text: str
    bag: str = ""
    code: int = _exit.DONE

    def document(self) -> dict[str, Any]:
        """For programs and for the journal."""
        return {"state": self.state, "bag": self.bag, "text": self.text}


def left_out(why: str) -> Refreshed:
    """No refresh, for a reason."""
    return Refreshed(LEFT_OUT, why)


def refresh(client: Client, home: Path, progress: Progress, stop: threading.Event) -> Refreshed:
    """Bring the archive in `home` up to date, with what its newest bag was told to take.

    Never raises for what goes wrong with the refresh itself.
    """
    from sfexit.archive import signing
    from sfexit.archive.layout import HomeLayout
    from sfexit.export.run import export
    from sfexit.settings import config_folder

    again = f"run sfexit export {home} --refresh, then sfexit verify-backup {home}"
    place = HomeLayout(home)
    if not place.generations():
        return left_out(f"there is no archive of before to bring up to date: {again}")
    try:
        result = export(
            client,
            home,
            key=lambda: signing.load_or_create(config_folder(os.environ)),
            selection=_selection(place.bag(place.generations()[-1])),
            refresh=True,
            progress=progress,
            stop=stop,
        )
    except SfexitError as error:
        code = _exit.code_of(error)
        return Refreshed(
            FAILED,
            f"the archive of after was not made ({error.message.rstrip('.')}); what was changed in "
            f"the org stays changed: {again}",
            code=code if code in (_exit.INTERRUPTED, _exit.PAUSED) else _exit.INCOMPLETE,
        )
    if result.bag is None:
        return left_out("nothing of it has changed since the archive of before")
    bag = str(result.bag.path)
    # What is not whole in it is told by the ledger and weighed by the verification, as ever.
    return Refreshed(
        REFRESHED, f"the archive of after is {bag}: check it with sfexit verify-backup {home}", bag
    )


def _selection(bag: Path) -> Selection:
    """What the bag of before was told to take."""
    from sfexit.archive import layout
    from sfexit.export.plan import Selection

    try:
        told = json.loads((bag / layout.RUN).read_bytes())
        return Selection.from_text(str(told["selection"]))
    except (OSError, ValueError, KeyError, TypeError):
        return Selection()  # the export itself judges the bag, and says what is wrong with it
