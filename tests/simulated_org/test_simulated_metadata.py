"""The Metadata API of the simulated org, spoken to by hand-written messages."""

from __future__ import annotations

import base64
import io
import json
import re
import urllib.error
import urllib.request
import zipfile
from collections.abc import Iterator

import pytest

from sfexit.simulated_org import SimulatedOrg, SimulatedServer, SimulatedUser, serve

ENVELOPE = (
    '<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/" '
    'xmlns="http://soap.sforce.com/2006/04/metadata"><e:Header><SessionHeader><sessionId>{0}'
    "</sessionId></SessionHeader></e:Header><e:Body>{1}</e:Body></e:Envelope>"
)
RETRIEVE = (
    "<retrieve><retrieveRequest><apiVersion>66.0</apiVersion><singlePackage>true</singlePackage>"
    "<unpackaged><types>{0}<name>ApexClass</name></types><version>66.0</version></unpackaged>"
    "</retrieveRequest></retrieve>"
)


@pytest.fixture
def server() -> Iterator[SimulatedServer]:
    with serve(SimulatedOrg(rows=200)) as running:
        yield running


def call(server: SimulatedServer, body: str, token: str | None = None) -> tuple[int, str]:
    message = ENVELOPE.format(token or server.org.access_token, body).encode()
    request = urllib.request.Request(
        f"{server.url}/services/Soap/m/66.0",
        message,
        {"Content-Type": "text/xml; charset=UTF-8", "SOAPAction": '""'},
    )
    try:
        with urllib.request.urlopen(request) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def zipped(server: SimulatedServer, *names: str) -> bytes:
    members = "".join(f"<members>{name}</members>" for name in names)
    _, text = call(server, RETRIEVE.format(members))
    identifier = re.search("<id>(.*?)</id>", text)[1]
    status = f"<asyncProcessId>{identifier}</asyncProcessId><includeZip>%s</includeZip>"
    ask = f"<checkRetrieveStatus>{status}</checkRetrieveStatus>"
    while "<done>true" not in call(server, ask % "false")[1]:
        pass
    text = call(server, ask % "true")[1]
    return base64.b64decode(re.search("<zipFile>([^<]*)<", text)[1])


def test_a_session_is_needed_and_faults_have_status_500(server):
    status, text = call(server, "<describeMetadata/>", token="nobody")
    assert status == 500
    assert "<faultcode>sf:INVALID_SESSION_ID</faultcode>" in text
    poor = server.org.sign_in(
        SimulatedUser("p", 1, modify_all_data=False, lacks=("ModifyMetadata",))
    )
    assert "sf:INSUFFICIENT_ACCESS" in call(server, "<describeMetadata/>", token=poor)[1]
    assert "sf:INVALID_OPERATION" in call(server, "<deploy/>")[1]
    server.org.spend_quota()
    assert "sf:REQUEST_LIMIT_EXCEEDED" in call(server, "<describeMetadata/>")[1]


def test_listing_takes_three_questions_and_is_silent_without_a_folder(server):
    ask = "<queries><type>{0}</type></queries>"
    status, text = call(server, f"<listMetadata>{ask.format('Flow') * 4}</listMetadata>")
    assert (status, "sf:LIMIT_EXCEEDED" in text) == (500, True)
    assert "sf:INVALID_TYPE" in call(server, f"<listMetadata>{ask.format('No')}</listMetadata>")[1]
    _, text = call(server, f"<listMetadata>{ask.format('Report')}</listMetadata>")
    assert "fullName" not in text
    _, text = call(server, f"<listMetadata>{ask.format('ReportFolder')}</listMetadata>")
    assert set(re.findall("<fullName>(.*?)<", text)) == {"Finance", "Sales"}


def test_a_star_leaves_managed_components_out(server):
    with zipfile.ZipFile(io.BytesIO(zipped(server, "*"))) as archive:
        names = archive.namelist()
    assert "classes/Invoice_Service_0.cls" in names
    assert not [name for name in names if "vendor" in name]


def test_too_many_files_fail_the_retrieve(server):
    server.org.metadata.most_files = 10
    server.org.metadata.polls = 0
    _, text = call(server, RETRIEVE.format("<members>*</members>"))
    identifier = re.search("<id>(.*?)</id>", text)[1]
    ask = f"<asyncProcessId>{identifier}</asyncProcessId>"
    _, text = call(server, f"<checkRetrieveStatus>{ask}</checkRetrieveStatus>")
    assert "LIMIT_EXCEEDED: Too many files in retrieve call, limit is: 10" in text


def test_the_formula_in_a_file_is_the_one_in_describe(server):
    org = server.org
    o, f = next(
        (o, f) for o in org.schema.values() for f in o.fields if f.custom and f.formula is not None
    )
    content = org.metadata.truth()[("CustomObject", o.name)].files[0][1].decode()
    request = urllib.request.Request(
        f"{server.url}/services/data/v66.0/sobjects/{o.name}/describe",
        headers={"Authorization": f"Bearer {org.access_token}"},
    )
    with urllib.request.urlopen(request) as answer:
        fields = {one["name"]: one for one in json.load(answer)["fields"]}
    told = re.search(f"<fullName>{f.name}</fullName>.*?<formula>(.*?)</formula>", content)[1]
    assert told.replace("&amp;", "&") == fields[f.name]["calculatedFormula"]


@pytest.mark.parametrize(
    ("kind", "sign"),
    [
        ("zip_truncated", "BadZipFile"),
        ("zip_bad_crc", "classes/"),
        ("zip_dotdot", "../../evil.txt"),
        ("zip_symlink", "passwd"),
        ("zip_duplicate", "twice"),
        ("zip_bomb", "700000000"),
    ],
)
def test_zips_are_spoiled_as_planned(server, kind, sign):
    server.fail(kind, "metadata.zip")
    packed = zipped(server, "Invoice_Service_0")
    try:
        with zipfile.ZipFile(io.BytesIO(packed)) as archive:
            names = archive.namelist()
            told = [*names, str(sum(one.file_size for one in archive.infolist()) // 10**8 * 10**8)]
            told += ["twice"] * (len(names) != len(set(names)))
            if kind != "zip_bomb":
                told.append(archive.testzip() if kind == "zip_bad_crc" else "")
    except zipfile.BadZipFile:
        told = ["BadZipFile"]
    assert any(sign in one for one in told if one)


@pytest.mark.parametrize("kind", ["xml_dtd", "xml_entities"])
def test_answers_with_a_document_type(server, kind):
    server.fail(kind, "metadata.describe")
    assert "<!DOCTYPE" in call(server, "<describeMetadata/>")[1]
