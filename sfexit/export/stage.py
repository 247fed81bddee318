"""A stage: one part of what an export takes, such as the records or the files."""

from __future__ import annotations

from sfexit.archive.ledger import LedgerLine
from sfexit.errors import OrgRefused, Paused, SfexitError, Transient
from sfexit.export.means import Means
from sfexit.salesforce import org as orgs


class Stage:
    """One part of a run. `export/stages.py` holds the list of them, in their order.

    A run asks every stage to `take`, then every stage to `read_back`. Until each of them finds all
    as it was written, it does both again: whoever finds damage forgets what is damaged (`page_lost`
    or `file_lost` in the journal), and `take` makes whatever the journal does not have. So a stage
    needs no other code to resume or to repair.
    """

    def __init__(self, means: Means) -> None:
        self.means = means

    def take(self) -> None:
        """Bring everything into the bag that is not in the journal yet.

        What is slow and needed by no other stage may go on by `Means.aside` until `read_back`.
        Publishes by `Means.publish` or writes pages; asks `Means.go_on` between two steps. Raises
        what `errors` names; what is journaled by then is kept.
        """
        raise NotImplementedError

    def resume(self) -> None:
        """Called first when the run goes on with an earlier one: what failed gets a new chance."""

    def read_back(self) -> bool:
        """Wait for what goes on aside, and check what this stage alone can check.

        True when all of it is as it was written. Files that were published by `Means.publish` are
        checked by the run itself.
        """
        return True

    def _insist_on_org(self, fault: SfexitError) -> None:
        """A part only fails while the org answers; when it does not, the run waits for it."""
        try:
            orgs.limits(self.means.client)
        except OrgRefused:
            return
        except Transient as silence:
            raise silent(silence) from fault

    def named(self) -> set[str]:
        """What this stage knows of that must have a line in the ledger."""
        return set()

    def ledger(self, lines: tuple[LedgerLine, ...]) -> tuple[LedgerLine, ...]:
        """The ledger so far, with what this stage has to tell: lines added or completed."""
        return lines


def silent(silence: Transient) -> Paused:
    """What ends a run whose org does not answer anything any more."""
    return Paused(
        f"the org does not answer any more ({silence.message.rstrip('.')}): run the same command "
        "again when it does. Progress is kept"
    )
