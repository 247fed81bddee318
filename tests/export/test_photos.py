"""Photos of users and groups: fetched without the session, or named; default pictures are none."""

from __future__ import annotations

import csv
import gzip
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rig import Rig, ledger_of, problems_of_bag, small_objects

from sfexit.archive import layout
from sfexit.errors import DamagedAnswer
from sfexit.salesforce import photos
from sfexit.salesforce.client import Client
from sfexit.salesforce.login import credential_from_environment
from sfexit.simulated_org.photos import picture
from sfexit.simulated_org.schema import SObject, make, parse_fields
from sfexit.verify.codes import Level
from sfexit.verify.offline import Options, verify_offline
from sfexit.verify.verdict import Verdict


def objects() -> list[SObject]:
    pictured = []
    for one in small_objects():
        if one.name == "User":
            more = parse_fields(
                "FullPhotoUrl url gen=photo\nSmallPhotoUrl url gen=photo\n"
                "BannerPhotoUrl url gen=photo"
            )
            one = replace(one, fields=(*one.fields, *more), fixed=8, weight=0.0, _index={})
        pictured.append(one)
    return [
        *pictured,
        make("CollaborationGroup", "0F9", "Name string(40) gen=product name required\n"
             "FullPhotoUrl url gen=photo", system="nodelete", fixed=5),
    ]  # fmt: skip


@pytest.fixture
def pictured(make_rig: Callable[..., Rig]) -> Rig:
    return make_rig(objects=objects())


def index_of(bag: Path) -> dict[tuple[str, str], dict[str, str]]:
    with gzip.open(bag / layout.FILES_INDEX, "rt", encoding="utf-8", newline="") as handle:
        return {(row["object"], row["record_id"]): row for row in csv.DictReader(handle)}


def exceptions_of(bag: Path) -> list[dict[str, str]]:
    with (bag / layout.BODY_EXCEPTIONS).open(encoding="utf-8", newline="") as handle:
        return list(csv.DictReader(handle))


def bag_of(result: Any) -> Path:
    assert result.bag is not None and problems_of_bag(result.bag.path) == []
    bag: Path = result.bag.path
    return bag


def truth(rig: Rig) -> dict[tuple[str, str], str]:
    """Who has a photo of their own, and the first 15 characters of its id."""
    found = {}
    for name in ("User", "CollaborationGroup"):
        for row in rig.truth(name):
            version = row["FullPhotoUrl"].split("/")[-2]
            if version.startswith("729"):
                found[name, row["Id"]] = version
    return found


def test_every_photo_that_somebody_uploaded(pictured: Rig) -> None:
    bag = bag_of(pictured.run())
    index, expected = index_of(bag), truth(pictured)
    assert set(index) == set(expected) and len(expected) == 5 + 3
    for key, version in expected.items():
        line = index[key]
        assert line["reference"][:15] == version and line["path"].endswith(".png")
        assert (bag / "data" / line["path"]).read_bytes() == picture(line["reference"])
    lines = ledger_of(bag)
    assert lines["User"].witnesses["bodies"] == 5 and not lines["User"].incomplete
    proven = verify_offline(pictured.root, Options(level=Level.DEEP, workers=1)).judgement
    assert proven.verdict is Verdict.INTACT, [one.key for one in proven.findings]


def test_banners_are_named_for_no_address_gives_them(pictured: Rig) -> None:
    bag = bag_of(pictured.run())
    banners = {row["record_id"]: row for row in exceptions_of(bag)}
    assert set(banners) == {
        row["Id"] for row in pictured.truth("User") if "/729" in row["BannerPhotoUrl"]
    }
    assert len(banners) == 5
    for row in banners.values():
        assert (row["field"], row["kind"]) == ("BannerPhotoUrl", "browser")
        assert "in browsers alone" in row["reason"]
    line = ledger_of(bag)["User"]
    assert "5 are banners that only browsers" in line.reason and not line.incomplete


def test_the_session_goes_to_the_api_alone(pictured: Rig) -> None:
    bag_of(pictured.run())
    public = [one for one in pictured.server.requests if one.path.startswith("/photos/")]
    assert len(public) == 8
    assert not any(one.token_seen for one in public)


def test_a_refresh_fetches_no_photo_again(pictured: Rig) -> None:
    bag_of(pictured.run())
    before = len(pictured.server.requests)
    pictured.org.insert_rows("Memo__c", 2)
    bag = bag_of(pictured.run(refresh=True))
    later = [one.path for one in pictured.server.requests[before:]]
    assert not any("photo" in path for path in later)
    assert set(index_of(bag)) == set(truth(pictured))


@pytest.mark.parametrize("why", ["no chatter", "a web page", "silence", "too many an hour"])
def test_photos_that_cannot_be_had_are_named_and_stop_nothing(pictured: Rig, why: str) -> None:
    if why == "no chatter":
        pictured.org.chatter = False
    elif why == "too many an hour":
        pictured.fail("status", "photo", code=503, error_code="SERVER_UNAVAILABLE", times=None)
    elif why == "a web page":
        pictured.fail("html", "photo.public", times=None)
    else:
        pictured.fail("reset", "photo.public", times=None)
    bag = bag_of(pictured.run())
    assert index_of(bag) == {}
    rows = exceptions_of(bag)
    assert {(row["object"], row["record_id"]) for row in rows} == set(truth(pictured))
    assert {row["kind"] for row in rows} == {"browser"}
    line = ledger_of(bag)["User"]
    assert "photos that only browsers are given" in line.reason and not line.incomplete


@pytest.mark.parametrize(
    "address",
    [
        "https://evil.example/a.png",
        "http://northwater.file.force.com/a.png",
        "https://user@northwater.file.force.com/a.png",
        "file:///etc/passwd",
        "https://[::1",
        "//northwater.file.force.com/a.png",
    ],
)
def test_public_addresses_of_other_hosts_are_not_asked(rig: Rig, address: str) -> None:
    with Client(credential_from_environment(rig.environment)) as client:
        before = len(rig.server.requests)
        with pytest.raises(DamagedAnswer), client.stream_public(address):
            pass
        assert len(rig.server.requests) == before


def test_default_pictures_are_no_photos() -> None:
    host = "https://x.file.force.com/profilephoto"
    assert photos.version_of(f"{host}/005/F") == photos.version_of(f"{host}/0F9/T") == ""
    assert photos.version_of(f"{host}/729B0000000EmIX/F") == "729B0000000EmIXIA0"
    assert photos.version_of("https://x/other/729B0000000EmIX") == photos.version_of("") == ""
