"""An org behind a real socket, its archive, and live verification of it; and a forger of bags."""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import itertools
import json
import random
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from sfexit.archive import signing
from sfexit.export.means import Tuning
from sfexit.export.run import ExportResult, export
from sfexit.progress import Silent
from sfexit.salesforce.client import Client
from sfexit.salesforce.login import credential_from_environment
from sfexit.simulated_org import FaultPlan, SimulatedOrg, serve
from sfexit.simulated_org.catalogue import standard_objects
from sfexit.simulated_org.schema import SObject, make
from sfexit.simulated_org.visibility import SimulatedUser
from sfexit.verify.live.results import Live, Options
from sfexit.verify.live.run import REQUIRED, live
from sfexit.verify.verdict import Judgement, judge

Row = dict[str, str]

BULK_FROM = 100
#: What every org has: who signs in, what it may see, the lists of objects and fields.
ALWAYS = (
    "Organization", "User", "Profile", "EntityDefinition", "FieldDefinition", "EntityParticle",
    "PermissionSet", "PermissionSetAssignment", "UserPermissionAccess", "ObjectPermissions",
    "FieldPermissions", "TransactionSecurityPolicy",
)  # fmt: skip
SOMETIMES = (
    "Account", "Contact", "Opportunity", "Lead", "Case", "Task", "Event", "Campaign", "Product2",
    "AccountHistory", "AccountShare", "CaseStatus", "TaskStatus", "GroupMember", "Group",
    "RecordType", "EmailMessage", "OpportunityLineItem", "Note", "Empty__c", "UserRole",
)  # fmt: skip
#: By design no data: streams, secrets, views.
NO_DATA = (
    "AccountChangeEvent", "OauthToken", "AuthSession", "RecentlyViewed", "DatacloudCompany",
    "UserRecordAccess", "PlatformAction",
)  # fmt: skip


class Notes(Silent):
    """What a run says."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    def note(self, text: str) -> None:
        self.notes.append(text)


class Time:
    """A clock that only waiting moves."""

    def __init__(self) -> None:
        self.now = 1000.0

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    def __call__(self) -> float:
        return self.now


def custom(name: str, prefix: str, *, system: str = "full", rows: int = 20) -> SObject:
    """A custom object; `system` says which system fields it has."""
    return make(
        name, prefix,
        "Name string(80) gen=seq:N- name\nText__c textarea(32768)\nPrice__c currency(18,2)\n"
        "On__c date\nWhen__c datetime\nTicked__c boolean",
        system=system, fixed=rows,
    )  # fmt: skip


def chosen(*names: str) -> list[SObject]:
    """Standard objects by name, with those that every org has."""
    wanted = {*ALWAYS, *names}
    return [one for one in standard_objects() if one.name in wanted]


class LiveRig:
    """One org, its home, and what verifies it."""

    def __init__(
        self, folder: Path, *, objects: list[SObject], rows: int = 300, **org: Any
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        org = {"bulk_page_rows": 60, "rest_page_rows": 25, "seed": 7, **org}
        self.org = SimulatedOrg(rows=rows, objects=objects, **org)
        self.plan = FaultPlan(seed=1)
        self.server = serve(self.org, self.plan)
        self.folder = folder
        self.root = folder / "home"
        self.time = Time()
        self.notes = Notes()
        self.token = self.org.access_token
        self.secret: bytes | None = b"only the owner of the key knows this"

    def close(self) -> None:
        self.server.close()

    def client(self, **more: Any) -> Client:
        told = {"SFEXIT_INSTANCE_URL": self.server.url, "SFEXIT_ACCESS_TOKEN": self.token}
        ticks = itertools.count(step=60)
        credential = credential_from_environment(told, clock=lambda: next(ticks))
        more = {"sleep": self.time.sleep, "clock": self.time, "budget_share": 1.0, **more}
        return Client(credential, progress=self.notes, **more)

    def export(self, *, anew: bool = False, refresh: bool = False) -> ExportResult:
        """Take everything; the bag is `self.bag` from then on.

        `refresh`: only what changed; without any change the bag stays the one before.
        """
        with self.client() as client:
            result = export(
                client,
                self.root,
                key=lambda: signing.load_or_create(self.folder / "key"),
                progress=self.notes,
                anew=anew,
                refresh=refresh,
                # Small as they are, objects are compared row by row by a refresh too.
                tuning=Tuning(bulk_from_rows=BULK_FROM, scan_from_bytes=1, clock=self.time),
            )
        assert result.bag is not None
        self.bag = result.bag.path
        return result

    def look(self, bag: Path | None = None, **options: Any) -> Live:
        """Verify a bag against the org."""
        options = {"secret": self.secret, **options}
        with self.client() as client:
            return live(
                client, bag or self.bag, self.folder / "verify", Options(**options),
                progress=self.notes,
            )  # fmt: skip

    def judge(self, bag: Path | None = None, **options: Any) -> Judgement:
        """The verdict of live verification alone."""
        return verdict(self.look(bag, **options))


def verdict(told: Live) -> Judgement:
    return judge(
        told.checks, told.findings, required=REQUIRED, offline=False, register=told.register
    )


# ---- random orgs ---------------------------------------------------------------------------------


def random_org(seed: int, folder: Path) -> LiveRig:
    """A healthy org: objects of many kinds, some hidden, one without stamps, with a life."""
    chance = random.Random(seed)
    names = chance.sample(SOMETIMES, chance.randint(3, 9))
    views = chance.sample(NO_DATA, chance.randint(1, 4))
    objects = chosen("Account", *names, *views)
    systems = ["plain", *chance.sample(("full", "nodelete", "history"), 2)]
    for number, system in enumerate(systems):
        kind = "nodelete" if system == "plain" else system
        one = custom(f"Thing{number}__c", f"a0{number}", system=kind, rows=chance.randint(0, 180))
        objects.append(without_stamps(one) if system == "plain" else one)
    rig = LiveRig(folder, objects=objects, rows=chance.randint(60, 500), seed=seed)
    hidden = tuple(chance.sample(views, chance.randint(1, len(views))))
    rig.token = rig.org.sign_in(SimulatedUser("Export", hidden_objects=hidden))
    return rig


def without_stamps(one: SObject) -> SObject:
    """The object without any column that says when a record changed."""
    return one.without({"SystemModstamp", "LastModifiedDate", "CreatedDate"})


def live_on(rig: LiveRig, chance: random.Random, changes: int) -> list[str]:
    """People work in the org; which objects they touched."""
    touched = []
    able = [
        name for name in rig.org.objects
        if rig.org.count(name) and name not in NO_DATA and name not in ALWAYS
    ]  # fmt: skip
    for _ in range(changes if able else 0):
        name = chance.choice(able)
        stamped = rig.org.sobject(name).field("SystemModstamp") is not None
        what = chance.choice(("insert", "update", "delete")) if stamped else "insert"
        ids: list[str] = []
        if what == "insert":
            ids = rig.org.insert_rows(name, chance.randint(1, 3))
        elif what == "update":
            ids = rig.org.update_rows(name, [chance.randrange(rig.org.count(name))])
        elif rig.org.sobject(name).has_deleted:
            ids = rig.org.delete_rows(name, 1)
        touched += [name] if ids else []
    return touched


# ---- forging -------------------------------------------------------------------------------------


class Forger:
    """Changes a copy of a bag as somebody would who holds all of the folder but not the key.

    Every digest, count and list is made to agree again; only the signature cannot be.
    """

    def __init__(self, bag: Path) -> None:
        self.bag = bag
        for path in [bag, *bag.rglob("*")]:
            path.chmod(0o700 if path.is_dir() else 0o600)

    def table(self, relative: str) -> list[Row]:
        text = (self.bag / relative).read_text("utf-8-sig")
        return list(csv.DictReader(io.StringIO(text, newline="")))

    def write_table(self, relative: str, rows: Iterable[Row], header: list[str]) -> None:
        (self.bag / relative).write_bytes(_csv(header, rows))

    def package(self, edit: Callable[[dict[str, Any]], None]) -> None:
        path = self.bag / "data/datapackage.json"
        told = json.loads(path.read_bytes())
        edit(told)
        path.write_text(json.dumps(told), "utf-8")

    def rows(self, name: str, edit: Callable[[list[Row]], list[Row]]) -> None:
        """Change the rows of an object: all pages become one, and all sums follow."""
        pages = [one for one in self.table("data/evidence/pages.csv") if one["object"] == name]
        rows: list[Row] = []
        header: list[str] = []
        for page in pages:
            text = gzip.decompress((self.bag / "data" / page["path"]).read_bytes()).decode()
            reader = csv.DictReader(io.StringIO(text, newline=""))
            header = list(reader.fieldnames or ())
            rows += list(reader)
        rows = edit(rows)
        if rows:
            header = [one for one in header if one in rows[0]]
        data = _csv(header, rows)
        first = pages[0]
        for page in pages[1:]:
            (self.bag / "data" / page["path"]).unlink()
        packed = gzip.compress(data)
        (self.bag / "data" / first["path"]).write_bytes(packed)
        first |= {
            "rows": str(len(rows)), "declared_rows": str(len(rows)), "bytes": str(len(packed)),
            "sha256": hashlib.sha256(packed).hexdigest(), "csv_bytes": str(len(data)),
            "csv_sha256": hashlib.sha256(data).hexdigest(),
        }  # fmt: skip
        everything = self.table("data/evidence/pages.csv")
        kept = [one for one in everything if one["object"] != name]
        self.write_table("data/evidence/pages.csv", [*kept, first], list(everything[0]))

        def one_page(told: dict[str, Any]) -> None:
            for resource in told["resources"]:
                if resource.get("title") == name:
                    resource["path"] = [first["path"]]
                    resource["rows"] = len(rows)
                    fields = resource["schema"]["fields"]
                    resource["schema"]["fields"] = [f for f in fields if f["name"] in header]

        self.package(one_page)
        deleted = sum(one.get("IsDeleted") == "true" for one in rows)
        self.ledger(name, rows=str(len(rows)), deleted_rows=str(deleted), witnesses="")

    def ledger(self, name: str, **cells: str) -> None:
        rows = self.table("data/ledger.csv")
        for row in rows:
            if row["object"] == name:
                row |= cells
        self.write_table("data/ledger.csv", rows, list(rows[0]))

    def without_object(self, name: str, *, line: bool = False) -> None:
        """Take an object out: pages, resource, and (with `line`) its line in the ledger."""
        pages = self.table("data/evidence/pages.csv")
        for page in pages:
            if page["object"] == name:
                (self.bag / "data" / page["path"]).unlink()
        kept = [one for one in pages if one["object"] != name]
        self.write_table("data/evidence/pages.csv", kept, list(pages[0]))
        self.package(
            lambda told: told.update(
                resources=[one for one in told["resources"] if one.get("title") != name]
            )
        )
        if line:
            rows = self.table("data/ledger.csv")
            self.write_table(
                "data/ledger.csv", [one for one in rows if one["object"] != name], list(rows[0])
            )

    def done(self) -> Path:
        """Recompute all manifests."""
        lines = []
        for path in sorted((self.bag / "data").rglob("*")):
            if path.is_file():
                digest = hashlib.sha256(path.read_bytes()).hexdigest()
                lines.append(f"{digest}  {path.relative_to(self.bag).as_posix()}\n")
        (self.bag / "manifest-sha256.txt").write_text("".join(lines))
        tags = []
        for name in ("bag-info.txt", "bagit.txt", "manifest-sha256.txt"):
            digest = hashlib.sha256((self.bag / name).read_bytes()).hexdigest()
            tags.append(f"{digest}  {name}\n")
        (self.bag / "tagmanifest-sha256.txt").write_text("".join(tags))
        return self.bag


def _csv(header: list[str], rows: Iterable[Row]) -> bytes:
    out = io.StringIO(newline="")
    writer = csv.writer(out, quoting=csv.QUOTE_ALL, lineterminator="\n")
    writer.writerow(header)
    writer.writerows([row.get(name, "") for name in header] for row in rows)
    return out.getvalue().encode()
