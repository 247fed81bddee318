"""Dashboards that run as a leaver: which they are, and another user whom they run as.

Everybody who opens such a dashboard sees what its running user may see, and an inactive one shows
nobody anything. The data API only reads dashboards (Object Reference, Dashboard), and the
Analytics API names the running user without saying that a saved one changes (Reports and
Dashboards REST API guide, "Dashboard Results"). The Metadata API deploys it: `runningUser` holds a
username, and where that is no valid user's "the field is populated with the username of the user
performing the deployment" (Metadata API guide, Dashboard,
developer.salesforce.com/docs/atlas.en-us.api_meta.meta/api_meta/meta_dashboard.htm). So the user
is looked up before, and the row after.

A step holds the running user before and after, not the file: that is fetched when it is carried
out, one element of it is changed, and it goes back at once, so that no edit of it is lost.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from urllib.parse import unquote

from sfexit.errors import OrgRefused, Transient
from sfexit.offboarding.asking import Asking, Look, value
from sfexit.offboarding.files import MOST_BYTES, rewritten
from sfexit.offboarding.flags import DASHBOARDS
from sfexit.offboarding.looking import by_ids, chunks
from sfexit.offboarding.people import User
from sfexit.offboarding.plan import Step
from sfexit.offboarding.retrieving import opened, retrieved
from sfexit.offboarding.successors import Rules, heir_of
from sfexit.redaction import printable
from sfexit.salesforce import deploying, metadata_api
from sfexit.salesforce.client import Client
from sfexit.salesforce.writing import Outcome

OBJECT, FIELD = "Dashboard", "RunningUserId"
#: Steps of one deployment: it is carried out as a whole or not at all.
MOST = 25
DYNAMIC = "LoggedInUser"  # runs as whoever opens it, whatever its row names
_COLUMNS = ("Title", "DeveloperName", "NamespacePrefix", "FolderId", "FolderName", "Type", FIELD)
_ELEMENT = "runningUser"


@dataclass(frozen=True)
class Board:
    """A dashboard that runs as a leaver. `private`: it lies in somebody's own folder. `to` is the
    user id of whom it is to run as, "" where it stays; `why` says then what stands in the way."""

    id: str
    title: str
    name: str
    namespace: str
    folder_id: str
    folder: str
    user_id: str
    private: bool = False
    to: str = ""
    why: str = ""


def planned(
    asking: Asking,
    users: Sequence[User],
    known: Mapping[str, User],
    heirs: Mapping[str, str],
    rules: Rules,
    lift: Sequence[str],
) -> tuple[list[Board], list[Step]]:
    """Every dashboard that runs as one of these users, and the steps for those that are to run as
    somebody else. Another than the heir may be named for the object Dashboard."""
    boards = _running(asking, [one.id for one in users])
    approved = [one for one in boards if DASHBOARDS in lift and not (one.private or one.namespace)]
    names: Mapping[str, str] = {}
    if approved:
        try:
            names = located(asking.client, approved)
        except (OrgRefused, Transient) as refused:
            asking.note(f"where dashboards lie could not be read ({printable(str(refused), 200)})")
    told = [_decided(one, known, heirs, rules, names, lift) for one in boards]
    steps = []
    for one in told:
        if one.to:
            old, new = known[one.user_id].username, known[one.to].username
            text = (f"Let the dashboard {one.title} (folder {one.folder}) run as "
                    f"{printable(new, 80)} instead of {printable(old, 80)}")  # fmt: skip
            steps.append(
                Step("", "work", "run_as", one.user_id, OBJECT, one.id,
                     {FIELD: one.user_id}, {FIELD: one.to}, text)
            )  # fmt: skip
    return told, steps


def _running(asking: Asking, ids: Sequence[str]) -> list[Board]:
    shared, private = asking.look(
        [Look(OBJECT, _COLUMNS, FIELD), Look(OBJECT, _COLUMNS, FIELD, scope="allPrivate")], ids
    )
    found: dict[str, Board] = {}
    for rows, own in ((shared, False), (private, True)):
        for row in rows or ():
            if value(row, "Type") != DYNAMIC:
                one = _board(row, private=own)
                found.setdefault(one.id, one)
    return sorted(found.values(), key=lambda one: (one.user_id, one.folder, one.title, one.id))


def _board(row: Mapping[str, object], *, private: bool) -> Board:
    told = {name: value(dict(row), name) or "" for name in ("Id", *_COLUMNS)}
    return Board(
        told["Id"],
        printable(told["Title"] or told["DeveloperName"] or told["Id"], 80),
        told["DeveloperName"],
        told["NamespacePrefix"],
        told["FolderId"],
        printable(told["FolderName"] or told["FolderId"] or "?", 80),
        told[FIELD],
        private or told["FolderId"].startswith("005"),
    )


def _decided(
    one: Board,
    known: Mapping[str, User],
    heirs: Mapping[str, str],
    rules: Rules,
    names: Mapping[str, str],
    lift: Sequence[str],
) -> Board:
    heir = heir_of(OBJECT, heirs.get(one.user_id, ""), rules)
    if one.private:
        return replace(one, why="it lies in a private folder, which no deployment reaches")
    if one.namespace:
        return replace(one, why="it belongs to a managed package, which no deployment changes")
    if heir not in known:
        return replace(one, why="nobody inherits: name a successor, or --object-to Dashboard=USER")
    if DASHBOARDS not in lift:
        who = printable(known[heir].username, 80)
        return replace(one, why=f"plan with --lift {DASHBOARDS} to let {who} run it")
    if one.id not in names:
        return replace(one, why="the Metadata API does not list it for you")
    return replace(one, to=heir)


def located(client: Client, boards: Sequence[Board]) -> dict[str, str]:
    """The full name in metadata of each dashboard (by id) that is listed: its folders and itself.
    Raises OrgRefused."""
    folders = {
        one.full_name: one
        for one in metadata_api.list_components(client, [("DashboardFolder", "")])
    }
    wanted = {one.folder_id for one in boards}
    known = {one.id: name for name, one in folders.items() if one.id in wanted}
    missing = wanted - known.keys()
    listed = set(known.values())
    if missing:  # an org that lists folders without ids: they are told by their names
        rows = by_ids(client, "Folder", ["DeveloperName"], missing)
        names = {str(row["DeveloperName"]) for row in rows}
        listed |= {one for one in folders if one.rpartition("/")[2] in names}
    ids = {one.id for one in boards}
    plain = {one.name: one.id for one in boards if not one.namespace}
    found: dict[str, str] = {}
    for part in chunks(sorted(listed), metadata_api.MOST_QUERIES):
        for one in metadata_api.list_components(client, [(OBJECT, name) for name in part]):
            about = one.id if one.id else plain.get(one.full_name.rpartition("/")[2], "")
            if about in ids:
                found[about] = one.full_name
    return found


# ---- carrying it out ----------------------------------------------------------------------------


@dataclass(frozen=True)
class File:
    """A dashboard's file as the org has it and as it is to be, or why it stays (`refused`)."""

    name: str = ""
    before: bytes = b""
    after: bytes = b""
    refused: Outcome | None = None

    @property
    def path(self) -> str:
        """In a package."""
        return path_of(self.name)


def path_of(name: str) -> str:
    """Where the file of a dashboard lies in a package."""
    return f"dashboards/{name}.dashboard"


def files(client: Client, steps: Sequence[Step], *, now: bool = True) -> dict[str, File]:
    """For each step (by id) the file that is to be deployed. Changes nothing. `now`: at once, so
    whom it is to run as must be active already; an undo first activates. Raises OrgRefused,
    DamagedAnswer."""
    users = {
        str(row["Id"]): row
        for row in by_ids(client, "User", ["Username", "IsActive"], _users(steps))
    }
    rows = by_ids(client, OBJECT, [one for one in _COLUMNS if one != "Type"],
                  (one.record_id for one in steps))  # fmt: skip
    names = located(client, [_board(row, private=False) for row in rows])
    held = _retrieved(client, sorted(set(names.values())))
    out = {}
    for step in steps:
        name = names.get(step.record_id, "")
        content = held.get(name)
        old, new = (users.get(str(one[FIELD])) for one in (step.before, step.after))
        idle = now and new is not None and new.get("IsActive") not in (True, "true")
        if old is None or new is None or idle:
            out[step.id] = _no(step, "INACTIVE_USER", "whom it is to run as is not an active user")
        elif content is None:
            out[step.id] = _no(step, "NOT_LISTED", "the Metadata API does not give its file to you")
        else:
            out[step.id] = _changed(step, name, content, str(old["Username"]), str(new["Username"]))
    return out


def _users(steps: Sequence[Step]) -> list[str]:
    return sorted({str(told[FIELD]) for one in steps for told in (one.before, one.after)})


def _no(step: Step, code: str, message: str) -> File:
    return File(refused=Outcome(step.record_id, False, code, message))


def _changed(step: Step, name: str, content: bytes, old: str, new: str) -> File:
    try:
        text, hit = rewritten(content, {old.casefold(): new}, lambda path, _: path == _ELEMENT)
    except ValueError:
        return _no(step, "DAMAGED_FILE", "its file cannot be read")
    if not hit:
        return _no(step, "CHANGED", f"its file does not say that it runs as {printable(old, 80)}")
    return File(name, content, text.encode())


def _retrieved(client: Client, names: Sequence[str]) -> dict[str, bytes]:
    if not names:
        return {}
    wanted = {path_of(name): name for name in names}
    found = {}
    packed = retrieved(client, [(OBJECT, name) for name in names])
    with packed, opened(packed) as archive:
        for one in archive.infolist():
            path = unquote(one.filename).removeprefix("unpackaged/")
            if path in wanted and one.file_size <= MOST_BYTES:
                found[wanted[path]] = archive.read(one)
    return found


def run_as(client: Client, steps: Sequence[Step]) -> list[Outcome]:
    """Let dashboards run as others: what became of each step. One that the org refuses stops no
    other. Raises OrgRefused, OutcomeUnknown, DamagedAnswer."""
    made = files(client, steps)
    outcomes = {key: one.refused for key, one in made.items() if one.refused is not None}
    ready = [one for one in steps if one.id not in outcomes]
    problem = _deployed(client, [made[one.id] for one in ready])
    if not problem:
        outcomes |= _seen(client, ready, made)
    elif len(ready) == 1:
        outcomes[ready[0].id] = _refused(ready[0], problem)
    else:
        for step in ready:
            alone = _deployed(client, [made[step.id]])
            outcomes |= {step.id: _refused(step, alone)} if alone else _seen(client, [step], made)
    return [outcomes[one.id] for one in steps]


def _refused(step: Step, problem: str) -> Outcome:
    return Outcome(step.record_id, False, "DEPLOY_REFUSED", problem)


def _deployed(client: Client, made: Sequence[File], *, back: bool = False) -> str:
    """Deploy the files, first as a check and then for good; the org's words when it refuses.
    `back` puts back what was there."""
    content = {one.path: one.before if back else one.after for one in made}
    if not content:
        return ""
    members = {OBJECT: sorted(one.name for one in made)}
    for check in (True, False):
        state = deploying.wait(client, deploying.deploy(client, content, members, check=check))
        if not state.success:
            return "; ".join(state.problems) or state.status
    return ""


def _seen(client: Client, steps: Sequence[Step], made: Mapping[str, File]) -> dict[str, Outcome]:
    """What the rows say now. A dashboard that the org lets run as somebody else than was asked
    for is put back as it was."""
    rows = by_ids(client, OBJECT, [FIELD], [one.record_id for one in steps])
    live = {str(row["Id"]): str(row.get(FIELD) or "") for row in rows}
    out = {}
    for step in steps:
        has = live.get(step.record_id, "")
        if has == step.after[FIELD]:
            out[step.id] = Outcome(step.record_id, True)
            continue
        try:
            problem = _deployed(client, [made[step.id]], back=True)
        except Transient as doubt:
            problem = doubt.message
        again = by_ids(client, OBJECT, [FIELD], [step.record_id])
        is_back = not problem and any(row.get(FIELD) == step.before[FIELD] for row in again)
        told = "it was put back" if is_back else "GIVE IT ANOTHER RUNNING USER NOW, by hand"
        message = f"the org let it run as {has or 'nobody'} instead of whom it was told; {told}"
        out[step.id] = Outcome(step.record_id, False, "NOT_TAKEN", message)
    return out
