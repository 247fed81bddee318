"""One real archive, made by a real export of the simulated org, for all tests of verifying."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from made import Made

from sfexit.archive import signing
from sfexit.export.means import Tuning
from sfexit.export.run import export
from sfexit.salesforce.client import Client
from sfexit.salesforce.login import credential_from_environment
from sfexit.simulated_org import SimulatedOrg, serve
from sfexit.simulated_org.catalogue import standard_objects
from sfexit.simulated_org.org import shaped
from sfexit.simulated_org.schema import SObject
from sfexit.simulated_org.strange import Strange

sys.path.insert(0, str(Path(__file__).parents[1] / "archive"))  # the bag made by hand

ROWS = 1_200
OBJECTS = {
    "Account", "Case", "CaseComment", "Contact", "ContentDocument", "ContentVersion", "Invoice__c",
    "LoginEvent", "Organization", "Profile", "Task", "User",
}  # fmt: skip


def reports() -> list[SObject]:
    """Report, Dashboard and their folders, as a whole org has them."""
    names = {"Report", "Dashboard", "Folder"}
    return [
        one for one in Strange(private_reports=True).applied(shaped("full")) if one.name in names
    ]


@pytest.fixture(scope="session")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Made]:
    place = tmp_path_factory.mktemp("verify")
    key = signing.load_or_create(place / "key")
    objects = [one for one in standard_objects() if one.name in OBJECTS] + reports()
    org = SimulatedOrg(seed=11, rows=ROWS, bulk_page_rows=200, objects=objects)
    with serve(org) as server:
        told = {"SFEXIT_INSTANCE_URL": server.url, "SFEXIT_ACCESS_TOKEN": org.new_session()}
        with Client(credential_from_environment(told)) as client:
            export(client, place / "home", key=lambda: key)
    made = Made(place / "home", key)
    for path in made.bag.rglob("*"):
        path.chmod(0o700 if path.is_dir() else 0o600)  # sealed files are read-only
    yield made


@pytest.fixture
def made(pristine: Made, tmp_path: Path) -> Made:
    """A copy of one's own, to be damaged."""
    shutil.copytree(pristine.home, tmp_path / "home", copy_function=shutil.copyfile)
    return Made(tmp_path / "home", pristine.key)


class Clock:
    """The org's clock: it stands where it is put."""

    now = 1_780_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture(scope="session")
def refreshed(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """A home with three bags, two of them made by a refresh. The newest is meant."""
    place = tmp_path_factory.mktemp("refreshed")
    key, clock = signing.load_or_create(place / "key"), Clock()
    # Encrypted text, of which this org cannot tell whether it comes masked, is always read whole.
    secret = {"Secret_Code__c"}
    objects = [one.without(secret) for one in standard_objects() if one.name in OBJECTS]
    org = SimulatedOrg(
        seed=11, rows=ROWS, bulk_page_rows=100, objects=objects, clock=clock,
        session_seconds=10**9,
    )  # fmt: skip
    tuning = Tuning(scan_from_bytes=1, bulk_from_rows=50, clock=clock)
    with serve(org) as server:
        told = {"SFEXIT_INSTANCE_URL": server.url, "SFEXIT_ACCESS_TOKEN": org.new_session()}
        with Client(credential_from_environment(told)) as client:
            export(client, place / "home", key=lambda: key, tuning=tuning)
            for day in (1, 2):
                clock.now += 5 * 3600
                org.update_rows("Contact", [5 + day])
                org.purge_rows("Contact", [20 + day])
                if day == 1:  # a page that is rewritten then, and taken over as it is since
                    org.update_rows("Contact", [105])
                export(client, place / "home", key=lambda: key, refresh=True, tuning=tuning)
    for path in place.rglob("*"):
        path.chmod(0o700 if path.is_dir() else 0o600)
    return Made(place / "home", key, "0003")
