from __future__ import annotations

import io
import itertools
import zipfile
from collections.abc import Iterator

import pytest

from sfexit.errors import Blocked, DamagedAnswer, OrgRefused, QuotaSpent, Transient
from sfexit.salesforce import metadata_api
from sfexit.salesforce.client import Client
from sfexit.salesforce.login import credential_from_environment
from sfexit.salesforce.soap import Call
from sfexit.simulated_org import SimulatedOrg, SimulatedServer, SimulatedUser, serve

from .wire import Sleeps


@pytest.fixture(scope="module")
def server() -> Iterator[SimulatedServer]:
    with serve(SimulatedOrg(rows=300)) as running:
        yield running


@pytest.fixture(autouse=True)
def calm(server: SimulatedServer) -> Iterator[None]:
    yield
    server.faults.clear()
    metadata = server.org.metadata
    metadata.breaking.clear()
    metadata.unretrievable.clear()


def client_of(server: SimulatedServer, token: str | None = None) -> Client:
    environment = {
        "SFEXIT_INSTANCE_URL": server.url,
        "SFEXIT_CLIENT_ID": server.org.client_id,
        "SFEXIT_CLIENT_SECRET": server.org.client_secret,
    }
    if token is not None:
        environment = {"SFEXIT_INSTANCE_URL": server.url, "SFEXIT_ACCESS_TOKEN": token}
    # A token counts as settled at once: in a test it is refused moments after it was made.
    ticks = itertools.count(step=60)
    credential = credential_from_environment(environment, clock=lambda: next(ticks))
    return Client(credential, sleep=Sleeps())


@pytest.fixture
def client(server: SimulatedServer) -> Iterator[Client]:
    with client_of(server) as made:
        yield made


def fetched(client: Client, members: list[tuple[str, str]]) -> tuple[bytes, object]:
    identifier = metadata_api.start(client, members)
    while not (state := metadata_api.check(client, identifier)).done:
        pass
    parts: list[bytes] = []

    def sink():
        parts.clear()
        return parts.append

    if state.status == "Succeeded":
        state = metadata_api.check(client, identifier, sink=sink)
    return b"".join(parts), state


def test_types_and_components_are_the_orgs(client, server):
    types = metadata_api.describe(client)
    truth = server.org.metadata.truth()
    assert {c.type for c in truth.values()} <= {one.name for one in types}
    report = next(one for one in types if one.name == "Report")
    email = next(one for one in types if one.name == "EmailTemplate")
    assert report.in_folder and report.folder_type == "ReportFolder"
    assert email.folder_type == "EmailFolder"
    found = metadata_api.list_components(client, [("ApexClass", ""), ("Layout", "")])
    names = {(c.type, c.full_name) for c in found}
    assert names == {key for key in truth if key[0] in ("ApexClass", "Layout")}
    managed = [c.full_name for c in found if c.managed and c.type == "ApexClass"]
    assert managed == ["vendor__Engine"]


def test_a_retrieve_brings_the_zip_as_it_was_sent(client, server):
    members = [("ApexClass", "Invoice_Service_1"), ("Layout", "Account-Account %28Main%29 Layout")]
    body, state = fetched(client, [*members, ("ApexClass", "Gone")])
    with zipfile.ZipFile(io.BytesIO(body)) as archive:
        assert "classes/Invoice_Service_1.cls" in archive.namelist()
    [one] = [r for r in server.org.metadata.retrieves.values() if ("ApexClass", "Gone") in r.wanted]
    assert body == one.zip
    assert {(c.type, c.full_name) for c in state.components} == set(members)
    assert state.messages == (
        ("package.xml", "Entity of type 'ApexClass' named 'Gone' cannot be found"),
    )


def test_a_refused_retrieve_tells_why(client, server):
    server.org.metadata.breaking.add(("Flow", "Escalate_Case-3"))
    body, state = fetched(client, [("Flow", "Escalate_Case-3")])
    assert body == b""
    assert (state.status, state.error_code) == ("Failed", "UNKNOWN_EXCEPTION")


def test_the_zip_is_gone_after_it_was_handed_out(client):
    identifier = metadata_api.start(client, [("Settings", "Account")])
    while not metadata_api.check(client, identifier).done:
        pass
    metadata_api.check(client, identifier, sink=lambda: lambda _piece: None)
    with pytest.raises(OrgRefused, match="INVALID_LOCATOR"):
        metadata_api.check(client, identifier)


def test_a_session_that_ends_is_renewed(client, server):
    metadata_api.describe(client)
    server.fail("session_expired", "metadata.list")
    assert metadata_api.list_components(client, [("Flow", "")])


def test_the_session_is_never_a_header(client, server):
    metadata_api.describe(client)
    entry = [r for r in server.requests if "/Soap/m/" in r.path][-1]
    assert not entry.token_seen


def test_a_user_without_the_right_is_told_so(server):
    poor = SimulatedUser("poor", row=1, modify_all_data=False, lacks=("ModifyMetadata",))
    with (
        client_of(server, server.org.sign_in(poor)) as client,
        pytest.raises(OrgRefused, match="ModifyMetadata") as refused,
    ):
        metadata_api.describe(client)
    assert refused.value.code == "INSUFFICIENT_ACCESS"


@pytest.mark.parametrize("kind", ["xml_dtd", "xml_entities"])
def test_an_answer_with_a_dtd_or_entities_is_refused(client, server, kind):
    server.fail(kind, "metadata.describe", times=None)
    with pytest.raises(DamagedAnswer, match="document type"):
        metadata_api.describe(client)


def test_one_damaged_answer_is_asked_again(client, server):
    server.fail("xml_entities", "metadata.list")
    assert metadata_api.list_components(client, [("Flow", "")])


def test_a_broken_transfer_of_the_zip_is_no_zip(client, server):
    server.fail("close_short", "metadata.zip", missing=100)
    with pytest.raises((Transient, OrgRefused)):
        fetched(client, [("Settings", "Account")])


def test_a_web_page_is_no_answer(client, server):
    server.fail("html", "metadata.describe", times=None)
    with pytest.raises(DamagedAnswer):
        metadata_api.describe(client)


def test_a_spent_quota_pauses(client, server):
    server.fail("quota", "metadata.list", really=False)
    with pytest.raises(QuotaSpent):
        metadata_api.list_components(client, [("Flow", "")])


@pytest.mark.parametrize("operation", ["deploy", "deleteMetadata", "upsertMetadata"])
def test_a_client_for_reading_sends_no_changing_call(client, operation):
    with pytest.raises(Blocked):
        client.soap(Call(operation, {}), lambda answer: None)


def test_more_than_three_questions_are_our_mistake(client):
    with pytest.raises(ValueError):
        metadata_api.list_components(client, [("Flow", "")] * 4)
