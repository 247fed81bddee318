"""Objects that the org gives only by their parents, and how the verifier walks them. Plain data.

Where the export goes by one parent, this goes by another as far as there is one. Sources: Object
Reference, the page of each object ("Special Access Rules", "Usage"); SOQL and SOSL Reference,
"Object Limits".
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

AT_ONCE = 500  # parents whose children are asked for by one call


@dataclass(frozen=True)
class Parents:
    """Where the parents come from and how a child is asked for by them.

    `sources`: queries whose first column is the parents' ids.
    """

    field: str
    sources: tuple[str, ...]

    def conditions(self, values: Sequence[str]) -> Iterator[str]:
        """Conditions for these parents."""
        for at in range(0, len(values), 100):
            quoted = ",".join(f"'{value}'" for value in values[at : at + 100])
            yield f"{self.field} IN ({quoted})"


FILTERS: Mapping[str, Parents] = {
    "ContentDocumentLink": Parents(
        "ContentDocumentId", ("SELECT Id FROM ContentDocument ORDER BY Id DESC",)
    ),
    "ContentFolderLink": Parents("ParentEntityId", ("SELECT Id FROM ContentWorkspace",)),
    "IdeaComment": Parents("IdeaId", ("SELECT Id FROM Idea",)),
    "CollaborationGroupRecord": Parents(
        "CollaborationGroupId", ("SELECT Id FROM CollaborationGroup",)
    ),
    "Announcement": Parents("ParentId", ("SELECT Id FROM CollaborationGroup",)),
    "FeedAttachment": Parents("FeedEntityId", ("SELECT Id FROM FeedItem",)),
}
