"""Files of the simulated org: bytes, sizes, checksums and refusals agree with each other."""

from __future__ import annotations

import hashlib
import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import replace

import pytest

from sfexit.simulated_org import Doubts, SimulatedOrg, serve
from sfexit.simulated_org.server import SimulatedServer
from sfexit.simulated_org.visibility import clerk

DATA = "/services/data/v66.0"


@pytest.fixture
def server() -> Iterator[SimulatedServer]:
    with serve(SimulatedOrg(rows=12_000, doubts=Doubts(ranges=True))) as running:
        yield running
        assert not running.crashes


def _get(
    server: SimulatedServer, path: str, token: str = "", **headers: str
) -> tuple[int, bytes, dict[str, str]]:
    sent = {"Authorization": f"Bearer {token or server.org.access_token}", **headers}
    request = urllib.request.Request(server.url + DATA + path, headers=sent)
    try:
        with urllib.request.urlopen(request) as answer:
            return answer.status, answer.read(), {k.lower(): v for k, v in answer.headers.items()}
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read(), {k.lower(): v for k, v in error.headers.items()}


def test_what_the_rows_tell_is_true_of_the_bytes(server: SimulatedServer) -> None:
    org = server.org
    seen = set()
    for row in org.truth("ContentVersion"):
        status, data, _ = _get(server, f"/sobjects/ContentVersion/{row['Id']}/VersionData")
        if row["IsDeleted"] == "true":
            assert (status, json.loads(data)[0]["errorCode"]) == (404, "ENTITY_IS_DELETED")
        elif row["ContentLocation"] != "S" or row["FileType"] == "LINK":
            assert (status, row["ContentSize"], row["Checksum"]) == (404, "0", None)
        else:
            assert (status, len(data)) == (200, int(row["ContentSizeLong"] or -1))
            assert hashlib.md5(data, usedforsecurity=False).hexdigest() == row["Checksum"]
            seen.add(data)
    assert b"" in seen
    assert 60 < len(seen) < org.count("ContentVersion")  # and some are alike


def test_versions_and_documents_name_each_other() -> None:
    org = SimulatedOrg(rows=12_000)
    org.new_versions([0, 1])
    org.new_files(2)
    versions = {row["Id"]: row for row in org.truth("ContentVersion")}
    documents = list(org.truth("ContentDocument"))
    latest = [row for row in versions.values() if row["IsLatest"] == "true"]
    assert len(latest) == len(documents) < len(versions)
    for document in documents:
        newest = versions[document["LatestPublishedVersionId"]]
        numbers = sorted(
            int(row["VersionNumber"] or 0)
            for row in versions.values()
            if row["ContentDocumentId"] == document["Id"]
        )
        assert newest["ContentDocumentId"] == document["Id"]
        assert numbers == list(range(1, len(numbers) + 1))
        assert newest["VersionNumber"] == str(numbers[-1])


def test_the_truth_of_bodies_is_what_is_served(server: SimulatedServer) -> None:
    images = 0
    for name, row_id, field, ref, whole in server.org.body_truth():
        if name == "ContentVersion" or (not ref and name != "Document"):
            continue
        path = f"/sobjects/{name}/{row_id}/" + (
            f"richTextImageFields/{field}/{ref}" if ref else field
        )
        status, data, _ = _get(server, path)
        if status == 200:
            assert data == whole()
            images += bool(ref)
        else:
            assert json.loads(data)[0]["errorCode"] == "ENTITY_IS_DELETED"
    assert images > 20


def test_a_part_is_sent_only_where_it_was_asked_for_truly(server: SimulatedServer) -> None:
    server.org.tables.bodies.sizes["Attachment", 0] = 300_000
    row = server.org.tables.tables["Attachment"].ids.at(0)
    whole = server.org.tables.bodies.whole("Attachment", 0)
    path = f"/sobjects/Attachment/{row}/Body"
    status, data, headers = _get(server, path, Range="bytes=100000-")
    assert (status, data) == (206, whole[100_000:])
    assert headers["content-range"] == "bytes 100000-299999/300000"
    assert _get(server, path, Range="bytes=5-", **{"If-Range": '"other"'})[:2] == (200, whole)
    assert _get(server, path, Range="bytes=300000-")[0] == 416
    server.fail("body_range", "blob")
    assert _get(server, path, Range="bytes=10-")[2]["content-range"] == "bytes 11-300000/300000"
    server.org.doubts = Doubts()  # nobody documents ranges for blobs
    assert _get(server, path, Range="bytes=100000-")[:2] == (200, whole)


def test_two_gigabytes_are_sent_without_being_made(server: SimulatedServer) -> None:
    bodies = server.org.tables.bodies
    bodies.sizes["Attachment", 1] = 3 << 30
    assert sum(map(len, bodies.pieces("Attachment", 1, (3 << 30) - 100_000))) == 100_000
    row = server.org.tables.tables["Attachment"].ids.at(1)
    tail = _get(server, f"/sobjects/Attachment/{row}/Body", Range=f"bytes={(3 << 30) - 5}-")
    assert tail[0] == 206
    assert len(tail[1]) == 5


def test_who_may_not_see_a_file_gets_none_of_it() -> None:
    org = SimulatedOrg(rows=12_000, foreign_library_every=4)
    token = org.sign_in(replace(clerk("Half", 3), view_all_data=True))
    version = org.tables.tables["ContentVersion"].ids.at(3)
    with serve(org) as server:
        assert _get(server, f"/sobjects/ContentVersion/{version}/VersionData", token)[0] == 404
        org.bodies_forbidden.add("Half")
        other = org.tables.tables["ContentVersion"].ids.at(0)
        assert _get(server, f"/sobjects/ContentVersion/{other}/VersionData", token)[0] == 403


@pytest.mark.parametrize("kind", ["body_short", "body_long", "body_changed"])
def test_spoilt_bodies_are_framed_well(server: SimulatedServer, kind: str) -> None:
    bodies = server.org.tables.bodies
    bodies.sizes["Attachment", 2] = 5000
    row = server.org.tables.tables["Attachment"].ids.at(2)
    server.fail(kind, "blob")
    status, data, _ = _get(server, f"/sobjects/Attachment/{row}/Body")
    assert status == 200
    assert data != bodies.whole("Attachment", 2)
