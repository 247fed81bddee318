"""State of a simulated org: data, sessions, quota, clock and the changes of a living org."""

from __future__ import annotations

import secrets
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache, partial

from .bulk import BulkJobs, new_secret
from .catalogue import standard_objects
from .changes import Changes
from .data import AS_OF, Table, Tables
from .deploys import Deploys
from .doubts import Doubts
from .errors import ApiError
from .feeds import relationship
from .hiring import employ
from .ids import IdSpace
from .ingest import IngestJobs
from .metadata import Metadata
from .permissions import tooling_objects, write_permissions
from .query import Cursors
from .schema import COMPOUND, Field, SObject, parse_fields
from .staff import Employed, Staff
from .staff_hazards import hazard_objects, place, with_series
from .staff_objects import staff_objects
from .staff_rules import StaffRules
from .strange import Strange
from .visibility import Check, RestrictionRule, SimulatedUser, ToolingView, View
from .writes import Writes

SESSION_SECONDS = 2 * 3600
OLDEST_VERSION, NEWEST_VERSION = 31, 68


def plan_rows(objects: list[SObject], rows: int, only: str | None = None) -> dict[str, int]:
    """Rows of each object, so that they add up to about ``rows``."""
    out: dict[str, int] = {}
    for o in objects:
        if o.fixed is not None:
            out[o.name] = o.fixed
        elif o.name == "User":
            out[o.name] = max(12, min(3000, round(rows * o.weight)))
        else:
            out[o.name] = 0
    # catalogue rows are schema, not data: they come on top of the rows asked for
    catalogue = {
        "EntityDefinition": len(objects),
        "FieldDefinition": 0,  # known only when asked for
        "EntityParticle": 0,
    }
    weighted = [o for o in objects if o.fixed is None and o.name != "User" and o.weight]
    left = max(rows - sum(out.values()), len(weighted))
    out.update({name: n for name, n in catalogue.items() if name in out})
    if only is not None:
        out[only] = left
        return out
    total = sum(o.weight for o in weighted)
    for o in weighted:
        out[o.name] = max(1, int(left * o.weight / total))
    largest = max(weighted, key=lambda o: o.weight)
    out[largest.name] += max(0, left - sum(out[o.name] for o in weighted))
    return out


def shaped(shape: str) -> list[SObject]:
    """The objects of an org: ``crm``, the ones people work with, or ``full``, all that a grown
    org lists: some 1,400, most of them empty or odd."""
    if shape == "crm":
        return standard_objects()
    if shape != "full":
        raise ValueError(f"no such shape: {shape}")
    from .listed import with_features
    from .managed import custom_objects

    return with_features(standard_objects()) + custom_objects()


class SimulatedOrg:
    """A Salesforce org made of arithmetic; see ``serve`` to put it behind HTTP.

    ``rows`` is the number of data rows over all objects; with ``one_object`` nearly all of them
    are rows of that object. ``clock`` gives epoch seconds and rules sessions, quota, locators
    and job results. ``bulk_job_delay_polls`` is how many polls find a job InProgress before it
    is complete. ``hidden_fields`` maps objects to fields the running user may not see.
    ``query_all_files`` is the permission Query All Files. ``per_app_usage`` (such as
    ``17/250(appName=x)``) adds that part to the usage header. ``bulk_empty_header=False``
    leaves the header line out of results without rows. ``shape`` is ``crm`` (some 60 objects)
    or ``full`` (a grown org's 1,400). ``read_only`` (the default) refuses every change of a
    record. ``doubts`` settles open questions, ``strange`` switches features on,
    ``restriction_rules`` cut rows out, every ``foreign_library_every``-th file lies in a library
    only Query All Files opens, and ``staff`` are the people, with all that they hold.
    """

    def __init__(
        self,
        seed: int = 7,
        rows: int = 12_000,
        *,
        one_object: str | None = None,
        bulk_page_rows: int = 50_000,
        bulk_page_rows_max: int | None = None,
        bulk_list_rows: int = 1000,
        bulk_job_delay_polls: int = 1,
        bulk_jobs_per_day: int = 10_000,
        bulk_empty_header: bool = True,
        per_app_usage: str | None = None,
        rest_page_rows: int = 2000,
        api_daily_limit: int = 1_000_000,
        session_seconds: int = SESSION_SECONDS,
        clock: Callable[[], float] = time.time,
        read_only: bool = True,
        query_all_files: bool = False,
        hidden_fields: Mapping[str, tuple[str, ...]] | None = None,
        client_id: str = "simulated-client",
        client_secret: str = "simulated-secret",  # noqa: S107 (opens nothing real)
        objects: list[SObject] | None = None,
        shape: str = "crm",
        doubts: Doubts | None = None,
        strange: Strange | None = None,
        restriction_rules: Sequence[RestrictionRule] = (),
        foreign_library_every: int = 0,
        staff: Staff | None = None,
    ) -> None:
        self.seed = seed
        self.clock = clock
        self.bulk_page_rows = bulk_page_rows
        self.bulk_page_rows_max = bulk_page_rows_max
        self.bulk_list_rows = bulk_list_rows
        self.bulk_job_delay_polls = bulk_job_delay_polls
        self.bulk_jobs_per_day = bulk_jobs_per_day
        self.per_app_usage = per_app_usage
        self.rest_page_rows = rest_page_rows
        self.api_daily_limit = api_daily_limit
        self.session_seconds = session_seconds
        self.read_only = read_only
        self.chatter = True  # the Connect API answers
        self.locked = False  # as an org is after the end of its contract
        self.query_all_files = query_all_files
        self.doubts = doubts if doubts is not None else Doubts()
        self.bulk_empty_header = bulk_empty_header and self.doubts.empty_result_has_header
        self.strange = strange if strange is not None else Strange()
        self.restriction_rules = list(restriction_rules)
        self.foreign_library_every = foreign_library_every
        #: Events (``ApiEvent``, ``BulkApiResultEventStore``) a security policy blocks.
        self.blocking_policies: list[str] = []
        self.report_runs: list[float] = []  # synchronous runs of the last hour
        self.distinct_parents_most = 100_000
        #: Bodies that are listed and cannot be found: (object, row).
        self.bodies_lost: set[tuple[str, int]] = set()
        #: Names of users whom the org refuses every body.
        self.bodies_forbidden: set[str] = set()
        self._users: dict[str, SimulatedUser] = {}
        self._views: dict[str, View] = {}
        self._acting = threading.local()
        self.client_id = client_id
        self.client_secret = client_secret
        self.lock = threading.RLock()
        catalogue = self.strange.applied(objects if objects is not None else shaped(shape))
        self.staff = staff
        if staff is not None:
            mine = {o.name: o for o in (*staff_objects(staff.things), *hazard_objects())}
            catalogue = [with_series(mine.pop(o.name, o)) for o in catalogue]
            catalogue += list(mine.values())
        self.tables = Tables(seed, catalogue, plan_rows(catalogue, rows, one_object))
        self.tables.list_anew()
        for extra in tooling_objects():
            self.tables.add(extra)
        self._schema = {o.name.lower(): o for o in catalogue}
        self._gone: dict[str, set[str]] = {}
        self._children: dict[str, list[tuple[str, Field]]] | None = None
        self.organization_id = IdSpace("00D", self.tables.instance, 1000).at(0)
        self.user_id = self.tables.tables["User"].ids.at(0)
        self.cursors = Cursors(self)
        self.jobs = BulkJobs(self)
        self.metadata = Metadata(self)
        self.writes = Writes(self)
        self.ingest = IngestJobs(self)
        self.deploys = Deploys(self)
        self._tokens: dict[str, float] = {}
        self._refresh: set[str] = set()
        self._grant_alive = True
        self._usage: deque[tuple[float, int]] = deque()
        self._used = 0
        self._plans: list[tuple[int, Callable[[], None]]] = []
        self.calls = 0
        self.access_token = self.new_session()
        self.refresh_token = self._new_refresh()
        self.employed: Employed | None = None
        if staff is not None:
            self.employed = employ(self, staff)
            place(self)
            self.staff_rules = StaffRules(self, staff, self.employed)
            self.writes.rules.append(self.staff_rules)
        write_permissions(self)
        for name, fields in (hidden_fields or {}).items():
            for field_name in fields:
                self.drop_field(name, field_name)

    # -- clock --------------------------------------------------------------------------

    def now(self) -> float:
        """Server time in epoch seconds."""
        return self.clock()

    # -- users --------------------------------------------------------------------------

    @property
    def default_user(self) -> SimulatedUser:
        """Whom the first sessions belong to: an administrator."""
        return self._default_user(self.query_all_files)

    @lru_cache(maxsize=2)  # noqa: B019 (the org lives as long as its server)
    def _default_user(self, query_all_files: bool) -> SimulatedUser:
        return SimulatedUser("Integration", query_all_files=query_all_files)

    def sign_in(self, user: SimulatedUser) -> str:
        """A session of this user; the access token. The org's own tokens stay what they are."""
        with self.lock:
            token = f"{self.organization_id[:15]}!AQ{new_secret()}"
            self._tokens[token] = self.now()
            self._users[token] = user
            self._views.setdefault(user.name, View(self, user))
            if self._views[user.name].user is not user:
                self._views[user.name] = View(self, user)
            write_permissions(self)
            return token

    def change_user(self, token: str, user: SimulatedUser) -> None:
        """Give and take permissions in the middle of a session."""
        with self.lock:
            self._users[token] = user
            self._views[user.name] = View(self, user)
            write_permissions(self)

    @property
    def users(self) -> list[SimulatedUser]:
        """Everybody who ever signed in, the default user first."""
        known = {self.default_user.name: self.default_user}
        known |= {name: view.user for name, view in self._views.items() if name not in known}
        return list(known.values())

    def place_of(self, user: SimulatedUser) -> int:
        """The user's place in ``users``."""
        return [u.name for u in self.users].index(user.name)

    def user_of(self, token: str) -> SimulatedUser:
        """Whose session an access token is."""
        return self._users.get(token) or self.default_user

    def view(self, user: SimulatedUser | None = None) -> View:
        """The org as a user sees it."""
        user = user or self.default_user
        known = self._views.get(user.name)
        if known is None or known.user != user:
            known = self._views[user.name] = View(self, user)
        return known

    def acting(self) -> View:
        """The org as the user of the request at hand sees it."""
        view: View | None = getattr(self._acting, "view", None)
        return view or self.view()

    @contextmanager
    def acting_as(self, user: SimulatedUser) -> Iterator[View]:
        """While a request of this user is answered."""
        before = getattr(self._acting, "view", None)
        self._acting.view = self.view(user)
        try:
            yield self._acting.view
        finally:
            self._acting.view = before

    def tooling_view(self, view: View) -> View:
        """The same user's sight by way of the Tooling API."""
        return ToolingView(self, view.user)

    def private_folders(self) -> set[str]:
        """Ids of report and dashboard folders that are somebody's own."""
        folders = self.tables.tables.get("Folder")
        if folders is None or folders.sobject.field("AccessType") is None:
            return set()
        kinds = folders.column("AccessType")
        return {folders.ids.at(k) for k in range(folders.rows) if kinds.value(k) == "Hidden"}

    # -- schema -------------------------------------------------------------------------

    @property
    def objects(self) -> list[str]:
        """Names in Describe Global."""
        return self.acting().objects

    @property
    def schema(self) -> dict[str, SObject]:
        """All objects by lower-case name, whoever looks."""
        return self._schema

    def sobject(self, name: str) -> SObject | None:
        """An object as the running user sees it, by name in any case."""
        return self.acting().sobject(name)

    def usage(self) -> str:
        """The value of ``Sforce-Limit-Info``."""
        text = f"api-usage={self.used()}/{self.api_daily_limit}"
        return (
            text
            if self.per_app_usage is None
            else (f"{text}; per-app-api-usage={self.per_app_usage}")
        )

    def children(self, name: str) -> list[tuple[str, Field]]:
        """Fields of all objects that point at this one."""
        if self._children is None:
            found: dict[str, list[tuple[str, Field]]] = {}
            for o in self._schema.values():
                for f in o.fields:
                    for target in f.ref:
                        found.setdefault(target, []).append((o.name, f))
            self._children = found
        return self._children.get(name, [])

    def relationship(self, parent: str, child: str, field: Field) -> str | None:
        """The name of a child relationship in queries, for those few that are offered."""
        return relationship(child, field, parent, by_feed_item=self.doubts.likes_by_feed_item)

    def drop_field(self, name: str, field_name: str) -> None:
        """A field is deleted (or hidden from the user) from now on."""
        with self.lock:
            gone = self._gone.setdefault(name, set())
            gone.add(field_name)
            self._schema[name.lower()] = self.tables.full(name).without(gone)
            self._children = None

    def field_gone(self, name: str, field_name: str) -> bool:
        """The field has been dropped."""
        return field_name in self._gone.get(name, ())

    def remove_object(self, name: str) -> None:
        """An object is deleted (or hidden from the user) from now on."""
        with self.lock:
            self._schema.pop(name.lower(), None)
            self._children = None

    # -- rows ---------------------------------------------------------------------------

    def _table(self, name: str) -> Table:
        return self.tables.tables[name]

    def count(self, name: str, *, deleted: bool | None = None, archived: bool | None = None) -> int:
        """Rows of an object: all of them, or only (not) deleted and (not) archived ones."""
        table = self._table(name)
        changes = table.changes
        if deleted is None and archived is None:
            return table.there(changes)
        if archived is None and deleted is not None:
            gone = table.deleted_count(changes)
            return gone if deleted else table.there(changes) - gone
        return sum(
            1
            for i in range(table.total(changes))
            if not changes.gone(i)
            and deleted in (None, table.deleted(changes, i))
            and archived in (None, i < table.archived)
        )

    def truth(
        self, name: str, seen_by: SimulatedUser | None = None
    ) -> Iterator[dict[str, str | None]]:
        """Every row, deleted and archived ones too, value by value on the plain path.

        With ``seen_by`` only the rows and fields that this user can see in some way, private
        reports by their own scope too, and values as they are shown to them.
        """
        view = self.view(seen_by) if seen_by is not None else None
        table, changes = self._table(name), self._table(name).changes
        if view is not None:
            sobject = view.sobject(name)
            if sobject is None:
                return
        else:
            sobject = self._schema.get(name.lower()) or table.sobject
        fields = [f for f in sobject.fields if f.type not in (*COMPOUND, "base64")]
        masked = [f for f in fields if view is not None and view.masks(name, f)]
        for i in self._seen_rows(name, view):
            row = {f.name: table.value(changes, f.name, i) for f in fields}
            for f in masked:
                assert view is not None
                row[f.name] = view.masked(name, f, i, row[f.name])
            yield row

    def _seen_rows(self, name: str, view: View | None) -> Iterator[int]:
        """Rows that are there, and that a user can see in some way; None sees all."""
        table = self._table(name)
        checks: list[Check | None] = [None]
        sobject = view.sobject(name) if view is not None else None
        if view is not None and sobject is not None:
            # Older versions of articles are seen by who asks for them so.
            asked = ("Id", "IsLatestVersion")
            checks = [view.row_check(sobject, one, asked) for one in view.scopes(sobject)]
        for i in range(table.total(table.changes)):
            if table.changes.gone(i):
                continue
            if any(check is None or check([i])[0] for check in checks):
                yield i

    def body_truth(
        self, seen_by: SimulatedUser | None = None
    ) -> Iterator[tuple[str, str, str, str, Callable[[], bytes]]]:
        """Every file this org holds, or this user can see: object, record id, field, image
        reference or "", and its bytes. Files in the recycle bin are among them, links and files
        elsewhere are not."""
        bodies = self.tables.bodies
        view = self.view(seen_by) if seen_by is not None else None
        for name in sorted(self.tables.tables):
            table, sobject = self._table(name), self._schema.get(name.lower())
            if view is not None and sobject is not None:
                sobject = view.sobject(name)
            if sobject is None:
                continue
            blobs = [f.name for f in sobject.fields if f.type == "base64"]
            rich = [f.name for f in sobject.fields if f.gen == "rich"]
            for i in self._seen_rows(name, view) if blobs or rich else ():
                row_id = table.ids.at(i)
                for field_name in blobs:
                    if not bodies.elsewhere(name, i):
                        yield name, row_id, field_name, "", partial(bodies.whole, name, i)
                for field_name in rich:
                    found = bodies.image_in(table, field_name, i)
                    if found is not None:
                        yield name, row_id, field_name, found[0], found[1]

    # -- a living org -------------------------------------------------------------------

    def insert_rows(
        self, name: str, count: int = 1, values: Mapping[str, str | None] | None = None
    ) -> list[str]:
        """Someone creates rows; their ids."""
        with self.lock:
            table = self._table(name)
            first = table.total(table.changes)
            table.changes = table.changes.insert(first, count, int(self.now()), values or {})
            return table.ids.block(first, count)

    def update_rows(
        self,
        name: str,
        rows: int | list[int] = 1,
        values: Mapping[str, str | None] | None = None,
    ) -> list[str]:
        """Someone edits rows (the first ones, or those numbered); their ids.

        Without ``values`` the name changes.
        """
        with self.lock:
            table = self._table(name)
            numbers = list(range(rows)) if isinstance(rows, int) else rows
            table.changes = table.changes.update(numbers, int(self.now()), values or {})
            return [table.ids.at(k) for k in numbers]

    def give_values(
        self, name: str, rows: list[int], values: Mapping[str, str | None]
    ) -> list[str]:
        """Values of numbered rows change and no stamp tells: formulas, roll-ups, last logins."""
        with self.lock:
            table = self._table(name)
            table.changes = table.changes.give(rows, values)
            return [table.ids.at(k) for k in rows]

    def recalculate(self, name: str, field_name: str, by: int = 1) -> None:
        """A formula gives other values in all rows; no stamp tells of it."""
        with self.lock:
            table = self._table(name)
            table.changes = table.changes.recalculate(field_name, by)

    def delete_rows(self, name: str, rows: int | list[int] = 1) -> list[str]:
        """Someone deletes visible rows (the last ones, or those numbered); their ids."""
        with self.lock:
            table = self._table(name)
            old = table.changes
            if isinstance(rows, int):
                last = table.visible_before(old, table.total(old))
                numbers = [table.visible_at(old, last - 1 - k) for k in range(min(rows, last))]
            else:
                numbers = [k for k in rows if not (table.deleted(old, k) or old.gone(k))]
            table.changes = old.delete(numbers, int(self.now()), lambda k: table.hidden(old, k))
            return [table.ids.at(k) for k in numbers]

    def new_versions(self, documents: Sequence[int]) -> list[str]:
        """Someone uploads a new version of files (rows of ContentDocument); ids of the versions."""
        with self.lock:
            first = self._table("ContentVersion").total(self._table("ContentVersion").changes)
            later = {first + k: document for k, document in enumerate(documents)}
            self.tables.files.later.update(later)
            ids = self.insert_rows("ContentVersion", len(documents))
            self.update_rows("ContentDocument", list(documents))
            return ids

    def new_files(self, count: int = 1) -> list[str]:
        """Someone uploads files; the ids of their first versions."""
        with self.lock:
            documents = self._table("ContentDocument")
            start = documents.total(documents.changes)
            self.insert_rows("ContentDocument", count)
            versions = self._table("ContentVersion")
            first = versions.total(versions.changes)
            self.tables.files.later.update({first + k: start + k for k in range(count)})
            return self.insert_rows("ContentVersion", count)

    def undelete_rows(self, name: str, rows: list[int]) -> list[str]:
        """Someone takes numbered rows out of the recycle bin; their ids."""
        with self.lock:
            table = self._table(name)
            old = table.changes
            numbers = [k for k in rows if table.deleted(old, k) and not old.gone(k)]
            table.changes = old.undelete(numbers, int(self.now()), table.archived)
            return [table.ids.at(k) for k in numbers]

    def purge_rows(self, name: str, rows: list[int]) -> list[str]:
        """Numbered rows leave the org for good, without a trace; their ids."""
        with self.lock:
            table = self._table(name)
            old = table.changes
            table.changes = old.purge(rows, lambda k: table.hidden(old, k))
            return [table.ids.at(k) for k in rows]

    def add_field(self, name: str, line: str) -> None:
        """An object gets a field (in the catalogue's notation); every row has a value for it."""
        with self.lock:
            whole = self.tables.widen(name, parse_fields(line))
            self._schema[name.lower()] = whole.without(self._gone.get(name, set()))
            self._children = None

    def alter_field(self, name: str, line: str) -> None:
        """A field gets another type, and with it other values, or none; no stamp tells of it."""
        with self.lock:
            [field] = parse_fields(line)
            whole = self.tables.alter(name, field)
            self._schema[name.lower()] = whole.without(self._gone.get(name, set()))
            self._children = None

    def add_object(self, sobject: SObject, rows: int) -> None:
        """Someone makes an object and fills it."""
        with self.lock:
            self.tables.add(sobject, rows)
            self.tables.everything.append(sobject)
            self.tables.list_anew()
            self._schema[sobject.name.lower()] = sobject
            self._children = None

    def after_calls(self, calls: int, action: Callable[[], None]) -> None:
        """Run ``action`` once, after that many more API calls."""
        with self.lock:
            self._plans.append((self.calls + calls, action))

    def count_call(self) -> None:
        """Note one API call and run what is due."""
        with self.lock:
            self.calls += 1
            due = [a for n, a in self._plans if n <= self.calls]
            self._plans = [(n, a) for n, a in self._plans if n > self.calls]
            self._usage.append((self.now(), 1))
            self._used += 1
        for action in due:
            action()

    # -- quota --------------------------------------------------------------------------

    def used(self) -> int:
        """API calls of the last 24 hours."""
        with self.lock:
            limit = self.now() - 86_400
            while self._usage and self._usage[0][0] <= limit:
                self._used -= self._usage.popleft()[1]
            return self._used

    def spend_quota(self, calls: int | None = None) -> None:
        """Other programs use API calls: so many, or all that are left."""
        with self.lock:
            amount = max(0, self.api_daily_limit - self.used()) if calls is None else calls
            self._usage.append((self.now(), amount))
            self._used += amount

    def restore_quota(self) -> None:
        """All API calls of the day are free again."""
        with self.lock:
            self._usage.clear()
            self._used = 0

    # -- sessions -----------------------------------------------------------------------

    def new_session(self) -> str:
        """A fresh access token, valid beside the others."""
        with self.lock:
            token = f"{self.organization_id[:15]}!AQ{new_secret()}"
            self._tokens[token] = self.now()
            self.access_token = token
            return token

    def _new_refresh(self) -> str:
        token = f"5Aep861{secrets.token_urlsafe(40)}"
        self._refresh.add(token)
        self.refresh_token = token
        return token

    def new_refresh_token(self) -> str:
        """Somebody signs in anew, in a grant that lives."""
        with self.lock:
            self._grant_alive = True
            return self._new_refresh()

    def expire_sessions(self) -> None:
        """No access token given out so far works any more."""
        with self.lock:
            self._tokens.clear()

    def revoke(self, token: str) -> bool:
        """Revoke one access or refresh token."""
        with self.lock:
            if self.staff is not None and self.staff_rules.revoke(token):
                return True
            if token in self._refresh:
                self._refresh.discard(token)
                self._tokens.clear()
                return True
            return self._tokens.pop(token, None) is not None

    def token_valid(self, token: str) -> bool:
        """The token opens a session now."""
        with self.lock:
            since = self._tokens.get(token)
            if since is None:
                return False
            if self.now() - since > self.session_seconds:
                del self._tokens[token]
                return False
            return True

    def refresh(self, token: str) -> tuple[str, str]:
        """A new access token and the next refresh token (refresh token rotation).

        Using a refresh token twice ends the whole grant.
        """
        with self.lock:
            if not self._grant_alive or token not in self._refresh:
                self._grant_alive = False
                self._refresh.clear()
                raise ApiError(400, "invalid_grant", "expired access/refresh token")
            self._refresh.discard(token)
            return self.new_session(), self._new_refresh()

    def rotate_elsewhere(self) -> None:
        """Another process uses the refresh token: the tokens given out so far are dead, and
        ``access_token`` and ``refresh_token`` hold what that process got."""
        with self.lock:
            self._tokens.clear()
            self._refresh.clear()
            self.new_session()
            self._new_refresh()


__all__ = ["AS_OF", "Changes", "SimulatedOrg", "plan_rows"]
