"""A road: one way to bring the rows of an object into the bag."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, TypeVar

from sfexit.archive.durable import written_anew
from sfexit.export import by_date, by_index
from sfexit.export.means import Means
from sfexit.export.work import Work

T = TypeVar("T")


class Road(ABC):
    """A way to bring the rows of a slice into the bag."""

    def __init__(self, means: Means) -> None:
        self._means = means

    @abstractmethod
    def read(self, work: Work, row: Any) -> None:
        """Publish and journal the pages that slice `row` (of the journal's index) still lacks.

        Raises Reread when the reading is spoilt, OrgRefused when the org does not want to, and
        what ends the run.
        """

    def more(self, work: Work) -> bool:  # noqa: ARG002
        """Plan further slices now that all are done; False when there are none."""
        return False

    def halves(self, work: Work, condition: str) -> tuple[str, str] | None:
        """Two conditions that together hold the rows of one; None: it cannot be divided."""
        if work.rule is not None and work.rule.kind == "uncounted":
            return by_index.halves(self._means.client, work, condition)
        return by_date.halves(self._means.client, work, condition)

    def _insist(self, page: Callable[[], T], work: Work, ordinal: int) -> T:
        """Fetch and publish a page, in spite of passing faults of the org and of the disk."""
        what = f"page {ordinal} of {work.name}"
        return written_anew(lambda: self._means.client.retried(page, what), self._means.tally.note)
