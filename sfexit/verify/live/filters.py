"""Objects that the org gives only piece by piece, and the pieces in which the verifier asks.

Sources: Object Reference, the page of each object ("Special Access Rules", "Usage"); SOQL and
SOSL Reference, "Object Limits". The pieces of one object together hold every record; where one may
come twice, it is counted once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from sfexit.errors import OrgRefused
from sfexit.verify.live.schema import API_NAME, Shape
from sfexit.verify.live.wire import Wire

VALUES_A_QUERY = 100
_STATUSES = ("Draft", "Online", "Archived")  # Object Reference, KnowledgeArticleVersion


@dataclass(frozen=True)
class Pieces:
    """How an object is cut: `ask` yields what stands behind FROM in each question.

    `always`: a plain query gives some of it without a word, so it is never asked alone. `inside`:
    it comes inside the records that `ask` names, under this name. `counted`: a field of those
    records that tells how many of it each has.
    """

    ask: Callable[[Wire, str, Shape], Iterator[str]]
    always: bool = False
    inside: str = ""
    counted: str = ""

    def question(self, select: str, tail: str) -> str:
        """One question: `select` is the plain query."""
        if self.inside:
            inner = f"{select.rpartition(' FROM ')[0]} FROM {self.inside}"
            return f"SELECT Id, ({inner}) FROM {tail}"  # noqa: S608 - SOQL of checked names
        return f"{select} {tail}".rstrip()

    def nothing_there(self, code: str, reason: str) -> bool:
        """Whether a refusal says that the records asked for have no such thing inside."""
        return bool(self.inside) and code == "INVALID_TYPE" and "relationship" in reason


def pieces_of(name: str) -> Pieces | None:
    """The pieces of an object; None for one that a plain query gives."""
    if name.endswith("__kav") or name == "KnowledgeArticleVersion":
        return _ARTICLES
    return _PIECES.get(name)


def _ids(wire: Wire, *sources: str) -> Iterator[str]:
    """The first column of some queries; an object that is not there has no records."""
    for source in sources:
        try:
            for page in wire.pages(source):
                for row in page.rows:
                    value = next((v for k, v in row.items() if k != "attributes"), None)
                    if isinstance(value, str) and value.isalnum():
                        yield value
        except OrgRefused as refused:
            if refused.code != "INVALID_TYPE":
                raise


def _among(field: str, values: Iterable[str], condition: str = "") -> Iterator[str]:
    group: list[str] = []
    for value in values:
        group.append(f"'{value}'")
        if len(group) == VALUES_A_QUERY:
            yield f"WHERE {field} IN ({','.join(group)}){condition}"
            group = []
    if group:
        yield f"WHERE {field} IN ({','.join(group)}){condition}"


def _by(field: str, *sources: str) -> Pieces:
    """By lists of parents."""
    return Pieces(lambda wire, _name, _shape: _among(field, _ids(wire, *sources)))


def _one_by_one(field: str, *sources: str, always: bool = False) -> Pieces:
    """By one parent at a time, which is all that some objects take."""

    def ask(wire: Wire, _name: str, _shape: Shape) -> Iterator[str]:
        for value in dict.fromkeys(_ids(wire, *sources)):
            yield f"WHERE {field} = '{value}'"

    return Pieces(ask, always)


def _folders(wire: Wire) -> list[str]:
    """Every folder of every library: the roots, and what is a folder below them, level by level."""
    found = dict.fromkeys(_ids(wire, "SELECT RootContentFolderId FROM ContentWorkspace"))
    level = list(found)
    while level:
        below: list[str] = []
        for tail in _among("ParentContentFolderId", level):
            for page in wire.pages(f"SELECT Id, IsFolder FROM ContentFolderItem {tail}"):  # noqa: S608
                below += [str(row.get("Id")) for row in page.rows if row.get("IsFolder") is True]
        level = [one for one in below if one.isalnum() and one not in found]
        found.update(dict.fromkeys(level))
    return list(found)


def _parent_types(wire: Wire, name: str, shape: Shape) -> Iterator[str]:  # noqa: ARG001
    field = shape.fields.get("ParentId")
    for target in field.reference_to if field is not None else ():
        yield f"WHERE Parent.Type = '{target}'"


def _articles(wire: Wire, name: str, shape: Shape) -> Iterator[str]:  # noqa: ARG001
    """Status by status, and old versions by their articles."""
    for status in _STATUSES:
        yield f"WHERE PublishStatus = '{status}'"
    if shape.has("IsLatestVersion"):
        articles = _ids(wire, "SELECT Id FROM KnowledgeArticle")
        old = " AND IsLatestVersion = false AND PublishStatus = 'Archived'"
        yield from _among("KnowledgeArticleId", articles, old)


def _private_too(wire: Wire, name: str, shape: Shape) -> Iterator[str]:  # noqa: ARG001
    """What everybody sees, and what lies in private folders, where there are such."""
    yield ""
    if "allprivate" in shape.scopes:
        yield "USING SCOPE allPrivate"


def _listed(wire: Wire) -> Iterator[dict[str, object]]:
    """The objects of describeGlobal that can be queried."""
    told = wire.get("/sobjects")
    for one in told.get("sobjects", ()) if isinstance(told, dict) else ():
        known = isinstance(one, dict) and API_NAME.fullmatch(str(one.get("name")))
        if known and one.get("queryable") is True:
            yield one


def _record_feeds(wire: Wire, name: str, shape: Shape) -> Iterator[str]:  # noqa: ARG001
    """The feed of each kind of record, as describeGlobal marks them."""
    for one in _listed(wire):
        if one.get("associateEntityType") == "Feed":
            yield str(one["name"])


def _of_any_type(wire: Wire, name: str, shape: Shape) -> Iterator[str]:  # noqa: ARG001
    """By what the records may be about: any object there is."""
    return _among("TargetSobjectType", (str(one["name"]) for one in _listed(wire)))


def _in_feeds(relationship: str, counted: str = "") -> Pieces:
    """What no query gives but one on the feeds that it hangs on (Object Reference, FeedLike)."""
    return Pieces(_record_feeds, always=True, inside=relationship, counted=counted)


_ARTICLES = Pieces(_articles, always=True)
_PRIVATE = Pieces(_private_too, always=True)
_PIECES: Mapping[str, Pieces] = {
    "Announcement": _by("ParentId", "SELECT Id FROM CollaborationGroup"),
    "CollaborationGroupRecord": _by("CollaborationGroupId", "SELECT Id FROM CollaborationGroup"),
    "ContentDocumentLink": _by(
        "ContentDocumentId", "SELECT Id FROM ContentDocument ORDER BY Id DESC"
    ),
    "ContentFolder": Pieces(lambda wire, _n, _s: _among("Id", _folders(wire))),
    "ContentFolderItem": Pieces(
        lambda wire, _n, _s: _among("ParentContentFolderId", _folders(wire))
    ),
    "ContentFolderLink": _by("ParentEntityId", "SELECT Id FROM ContentWorkspace"),
    "ContentFolderMember": Pieces(
        lambda wire, _n, _s: (f"WHERE ParentContentFolderId = '{one}'" for one in _folders(wire))
    ),
    "ContentHubItem": _one_by_one("ContentHubRepositoryId", "SELECT Id FROM ContentHubRepository"),
    "Dashboard": _PRIVATE,
    "FeedAttachment": _by("FeedEntityId", "SELECT Id FROM FeedItem", "SELECT Id FROM FeedComment"),
    "FeedLike": _in_feeds("FeedLikes", "LikeCount"),
    "FeedSignal": _in_feeds("FeedSignals"),
    "FeedTrackedChange": _in_feeds("FeedTrackedChanges"),
    "IdeaComment": _by("IdeaId", "SELECT Id FROM Idea"),
    # A plain query is answered by a server error, which would look like a passing fault.
    "RecordActionHistory": _one_by_one(
        "ParentRecordId", "SELECT RecordId FROM RecordAction", always=True
    ),
    "RecordRecommendation": Pieces(_of_any_type),
    "Report": _PRIVATE,
    "Vote": Pieces(_parent_types),
}
