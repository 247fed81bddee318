"""One real archive, made by a real export of the simulated org, for all tests of verifying."""

from __future__ import annotations

import hashlib
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from sfexit.archive import signing
from sfexit.export.run import export
from sfexit.salesforce.client import Client
from sfexit.salesforce.login import credential_from_environment
from sfexit.simulated_org import SimulatedOrg, serve
from sfexit.simulated_org.catalogue import standard_objects

sys.path.insert(0, str(Path(__file__).parents[1] / "archive"))  # the bag made by hand

ROWS = 1_200
OBJECTS = {
    "Account", "Case", "CaseComment", "Contact", "ContentDocument", "ContentVersion", "LoginEvent",
    "Organization", "Profile", "Task", "User",
}  # fmt: skip


@dataclass(frozen=True)
class Made:
    """A home with a sealed bag, and the key that sealed it."""

    home: Path
    key: signing.SigningKey

    @property
    def bag(self) -> Path:
        return self.home / "bags" / "0001"


@pytest.fixture(scope="session")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Made]:
    place = tmp_path_factory.mktemp("verify")
    key = signing.load_or_create(place / "key")
    objects = [one for one in standard_objects() if one.name in OBJECTS]
    org = SimulatedOrg(seed=11, rows=ROWS, bulk_page_rows=200, objects=objects)
    with serve(org) as server:
        told = {"SFEXIT_INSTANCE_URL": server.url, "SFEXIT_ACCESS_TOKEN": org.new_session()}
        with Client(credential_from_environment(told)) as client:
            export(client, place / "home", key=lambda: key)
    made = Made(place / "home", key)
    for path in made.bag.rglob("*"):
        path.chmod(0o700 if path.is_dir() else 0o600)  # sealed files are read-only
    if not (made.bag / "data/files/content").exists():
        with_bodies(made.bag, key)
    yield made


@pytest.fixture
def made(pristine: Made, tmp_path: Path) -> Made:
    """A copy of one's own, to be damaged."""
    shutil.copytree(pristine.home, tmp_path / "home", copy_function=shutil.copyfile)
    return Made(tmp_path / "home", pristine.key)


def with_bodies(bag: Path, key: signing.SigningKey) -> None:
    """Add file bodies to a bag that has none, after docs/archive-format.md, section 5."""
    import damage

    versions = damage.read_csv(damage.page(bag, "ContentVersion"))
    at = versions[0].index("Id")
    index = damage.read_csv(bag / damage.INDEX)[:1]
    for number, body in enumerate((b"%PDF-1.7 one", b"%PDF-1.7 two", b"", b"%PDF-1.7 one")):
        identifier = versions[number + 1][at]
        folder = damage.sha256(identifier.encode())[:2]
        path = f"files/content/{folder}/{identifier}.pdf"
        (bag / "data" / path).parent.mkdir(parents=True, exist_ok=True)
        (bag / "data" / path).write_bytes(body)
        told = {
            "object": "ContentVersion",
            "record_id": identifier,
            "field": "VersionData",
            "title": "../../same title.pdf",
            "path": path,
            "bytes": str(len(body)),
            "sha256": damage.sha256(body),
            "salesforce_md5": hashlib.md5(body).hexdigest(),
            "salesforce_bytes": str(len(body)),
        }
        index.append([told.get(column, "") for column in index[0]])
    damage.write_csv(bag / damage.INDEX, index)
    damage.edit_json(
        bag / damage.PACKAGE,
        lambda told: next(r for r in told["resources"] if r["name"] == "files").update(rows=4),
    )
    damage.reseal(bag, key)
