"""The protocol: sign-in, describe, limits, SOQL and Bulk refusals, cursors, jobs."""

from __future__ import annotations

import datetime
import gzip
import socket
import ssl
from typing import Any

import pytest
import requests
import trustme
from simple_salesforce import Salesforce
from simulated_client import VERSION, Client, parse_csv, refused

from sfexit.simulated_org import SimulatedOrg, serve

# -- sign-in ------------------------------------------------------------------------------


def token(client: Any, **form: str) -> requests.Response:
    return requests.post(f"{client.server.url}/services/oauth2/token", data=form, timeout=10)


def test_client_credentials(client: Any) -> None:
    org = client.org
    good = {"grant_type": "client_credentials", "client_id": org.client_id}
    answer = token(client, **good, client_secret=org.client_secret)
    body = answer.json()
    assert answer.status_code == 200
    assert body["access_token"].startswith(org.organization_id[:15] + "!")
    assert body["instance_url"] == client.server.url
    assert body["id"].endswith(f"/id/{org.organization_id}/{org.user_id}")
    assert "expires_in" not in body and body["issued_at"].isdigit()
    bad = token(client, **good, client_secret="wrong")
    assert bad.status_code == 400 and bad.json()["error"] == "invalid_client"
    assert token(client, grant_type="password").json()["error"] == "unsupported_grant_type"


def test_refresh_tokens_rotate_and_a_second_use_ends_the_grant(lively: Any) -> None:
    org = lively.org
    form = {"grant_type": "refresh_token", "client_id": org.client_id}
    old = org.refresh_token
    org.expire_sessions()
    refused(lively.get("limits"), 401, "INVALID_SESSION_ID", "Session expired or invalid")
    body = token(lively, **form, refresh_token=old).json()
    assert body["refresh_token"] not in (old, None)
    assert lively.get("limits").status_code == 200
    again = token(lively, **form, refresh_token=old)
    assert again.status_code == 400 and again.json()["error"] == "invalid_grant"
    gone = token(lively, **form, refresh_token=body["refresh_token"])
    assert gone.json()["error"] == "invalid_grant"


def test_sessions_end_by_the_clock_and_by_revoking(lively: Any, clock: Any) -> None:
    assert lively.get("limits").status_code == 200
    clock.moment += 7300
    assert lively.get("limits").status_code == 401
    fresh = lively.org.new_session()
    assert lively.get("limits").status_code == 200
    revoke = f"{lively.server.url}/services/oauth2/revoke"
    assert requests.post(revoke, data={"token": fresh}, timeout=10).status_code == 200
    assert lively.get("limits").status_code == 401


def test_userinfo_and_versions(client: Any) -> None:
    info = client.get("/services/oauth2/userinfo").json()
    assert info["organization_id"] == client.org.organization_id
    assert info["user_id"] == client.org.user_id
    assert "{version}" in info["urls"]["rest"]
    before = client.org.calls
    versions = requests.get(f"{client.server.url}/services/data", timeout=10).json()
    labels = {v["version"]: v["label"] for v in versions}
    assert labels["31.0"] == "Summer '14" and labels["66.0"] == "Spring '26"
    assert labels["68.0"] == "Winter '27" and labels["65.0"] == "Winter '26"
    assert versions[0]["version"] == "31.0" and versions[-1]["url"] == "/services/data/v68.0"
    assert client.org.calls == before
    assert client.get("limits", version="30.0").status_code == 410
    assert client.get("limits", version="69.0").status_code == 404
    refused(client.get("nothing/here"), 404, "NOT_FOUND")


def test_chunked_request_bodies_and_the_identity_url(client: Any) -> None:
    org = client.org
    form = (
        f"grant_type=client_credentials&client_id={org.client_id}&client_secret={org.client_secret}"
    )
    answer = requests.post(
        f"{client.server.url}/services/oauth2/token",
        data=iter([form[:10].encode(), form[10:].encode()]),
        timeout=10,
    )
    assert answer.status_code == 200
    identity = requests.get(answer.json()["id"], headers=client.headers(), timeout=10)
    assert identity.json()["user_id"] == org.user_id


# -- schema and limits ----------------------------------------------------------------------


def test_describe_global_and_describe(client: Any) -> None:
    found = client.get("sobjects").json()
    assert found["maxBatchSize"] == 200
    objects = {o["name"]: o for o in found["sobjects"]}
    assert list(objects) == client.org.objects and len(objects) >= 45
    assert objects["AccountShare"]["associateEntityType"] == "Share"
    assert objects["AccountShare"]["associateParentEntity"] == "Account"
    assert objects["CaseHistory"]["keyPrefix"] is None
    assert objects["AccountChangeEvent"]["queryable"] is False
    assert objects["AccountChangeEvent"]["retrieveable"] is True
    assert objects["FieldDefinition"]["retrieveable"] is False
    assert objects["Invoice__c"]["custom"] is True
    account = client.get("sobjects/account/describe").json()
    fields = {f["name"]: f for f in account["fields"]}
    assert fields["BillingAddress"]["soapType"] == "urn:address"
    assert fields["BillingCity"]["compoundFieldName"] == "BillingAddress"
    assert fields["Name"]["compoundFieldName"] == "Name"
    assert fields["OwnerId"]["referenceTo"] == ["User"]
    assert fields["Name_and_City__c"]["calculated"] is True
    assert fields["Industry"]["picklistValues"][0]["active"] is True
    assert {c["childSObject"] for c in account["childRelationships"]} >= {"Contact", "Task"}
    what = next(f for f in client.fields("Task") if f["name"] == "WhatId")
    assert what["polymorphicForeignKey"] and len(what["referenceTo"]) == 3
    kinds = {f["type"] for n in client.org.objects for f in client.fields(n)}
    assert kinds >= {
        "id",
        "reference",
        "string",
        "textarea",
        "picklist",
        "multipicklist",
        "boolean",
        "int",
        "double",
        "currency",
        "percent",
        "date",
        "datetime",
        "time",
        "address",
        "location",
        "base64",
        "anyType",
        "encryptedstring",
        "phone",
        "url",
        "email",
        "combobox",
    }
    refused(client.get("sobjects/Nothing__c/describe"), 404, "NOT_FOUND")
    assert client.get("sobjects/Account").json()["objectDescribe"]["keyPrefix"] == "001"


def test_limits_headers_and_quota(lively: Any) -> None:
    org = lively.org
    answer = lively.get("limits")
    used = org.used()
    assert answer.headers["Sforce-Limit-Info"] == f"api-usage={used}/{org.api_daily_limit}"
    assert "Date" in answer.headers
    body = answer.json()["DailyApiRequests"]
    assert body == {"Max": org.api_daily_limit, "Remaining": org.api_daily_limit - used}
    counts = lively.get("limits/recordCount", params={"sObjects": "Account,AccountShare,Nope"})
    live = org.count("Account", deleted=False, archived=False)
    assert counts.json() == {"sObjects": [{"name": "Account", "count": live}]}
    org.spend_quota()
    refused(lively.get("limits"), 403, "REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.")
    assert requests.get(f"{lively.server.url}/services/data", timeout=10).status_code == 200
    org.restore_quota()
    assert lively.get("limits").status_code == 200


def test_row_get_and_changes_are_refused(client: Any) -> None:
    org = client.org
    row = client.get(f"sobjects/Organization/{org.organization_id}").json()
    assert row["Id"] == org.organization_id and row["attributes"]["type"] == "Organization"
    url = f"{client.server.url}/services/data/v{VERSION}/sobjects/Account/001000000000001AAA"
    for method in ("PATCH", "DELETE", "POST"):
        answer = requests.request(method, url, json={}, headers=client.headers(), timeout=10)
        assert answer.status_code == 403, method
    refused(client.get("sobjects/Account/001000000000001AAA"), 404, "NOT_FOUND")


# -- SOQL -------------------------------------------------------------------------------------


def test_where_order_limit(client: Any) -> None:
    truth = [r for r in client.org.truth("Account") if r["IsDeleted"] == "false"]

    def ids(soql: str) -> set[str]:
        return {r["Id"] for r in client.records(f"SELECT Id FROM Account WHERE {soql}")}

    def want(test: Any) -> set[str]:
        return {r["Id"] for r in truth if test(r)}

    assert ids("Industry = 'energy'") == want(lambda r: r["Industry"] == "Energy")
    assert ids("Industry != 'Energy'") == want(lambda r: r["Industry"] != "Energy")
    assert ids("Industry = null") == want(lambda r: r["Industry"] is None)
    assert ids("NumberOfEmployees > 1000") == want(
        lambda r: r["NumberOfEmployees"] and int(r["NumberOfEmployees"]) > 1000
    )
    assert ids("Name LIKE 'n%gmbh%'") == want(
        lambda r: r["Name"].lower().startswith("n") and "gmbh" in r["Name"].lower()
    )
    assert ids("Rating IN ('Hot', null)") == want(lambda r: r["Rating"] in ("Hot", None))
    assert ids("Rating NOT IN ('Hot', 'Warm')") == want(
        lambda r: r["Rating"] not in ("Hot", "Warm")
    )
    assert ids("CreatedDate >= 2024-01-01T00:00:00Z AND NOT (Rating = 'Hot')") == want(
        lambda r: r["CreatedDate"] >= "2024" and r["Rating"] != "Hot"
    )
    assert ids("Customer_Since__c < 2020-05-05 OR Rating = 'Cold'") == want(
        lambda r: (r["Customer_Since__c"] or "z") < "2020-05-05" or r["Rating"] == "Cold"
    )
    assert ids("Regions__c INCLUDES ('red;blue')") == want(
        lambda r: {"red", "blue"} <= set((r["Regions__c"] or "").split(";"))
    )
    middle = truth[len(truth) // 2]["Id"]
    assert ids(f"Id > '{middle}'") == want(lambda r: r["Id"] > middle)
    assert ids(f"Id IN ('{middle}', '{middle[:15]}')") == {middle}
    ordered = client.records("SELECT Name FROM Account ORDER BY Name DESC LIMIT 5 OFFSET 2")
    assert [r["Name"] for r in ordered] == sorted((r["Name"] for r in truth), reverse=True)[2:7]
    assert ids("OwnerId IN (SELECT Id FROM User WHERE IsActive = false)") == want(
        lambda r: (
            r["OwnerId"] in {u["Id"] for u in client.org.truth("User") if u["IsActive"] == "false"}
        )
    )
    owner = client.records("SELECT Owner.Name, Owner.Profile.Name FROM Account LIMIT 1")[0]
    assert owner["Owner"]["attributes"]["type"] == "User" and owner["Owner"]["Profile"]["Name"]


def test_aggregates(client: Any) -> None:
    truth = list(client.org.truth("Account"))
    one = client.query(
        "SELECT MIN(CreatedDate), MAX(SystemModstamp) top, COUNT(Id) FROM Account", everything=True
    ).json()["records"][0]
    assert one["expr0"] == min(r["CreatedDate"] for r in truth).replace("Z", "+0000")
    assert one["top"] == max(r["SystemModstamp"] for r in truth).replace("Z", "+0000")
    assert one["expr2"] == len(truth)
    groups = client.query(
        "SELECT Rating, COUNT(Id) FROM Account GROUP BY Rating", everything=True
    ).json()
    assert sum(r["expr1"] if "expr1" in r else r["expr0"] for r in groups["records"]) == len(truth)
    assert client.query("SELECT COUNT() FROM Account").json()["records"] == []


@pytest.mark.parametrize(
    ("soql", "code", "text"),
    [
        ("SELECT Nope FROM Account", "INVALID_FIELD", "No such column 'Nope' on entity 'Account'"),
        ("SELECT Nope.Name FROM Account", "INVALID_FIELD", "Didn't understand relationship"),
        ("SELECT Id, Id FROM Account", "INVALID_FIELD", "duplicate field selected: Id"),
        ("SELECT Id FROM Nope", "INVALID_TYPE", "sObject type 'Nope' is not supported"),
        ("SELECT Id FROM", "MALFORMED_QUERY", "unexpected token"),
        ("SELECT FROM Account", "MALFORMED_QUERY", "unexpected token"),
        ("", "MALFORMED_QUERY", ""),
        ("SELECT Id FROM Account WHERE Name = 5", "INVALID_FIELD", "must be of type string"),
        ("SELECT Id FROM Account WHERE CreatedDate > '2020'", "INVALID_FIELD", "dateTime"),
        ("SELECT Id FROM Account WHERE Id = 'x'", "INVALID_QUERY_FILTER_OPERATOR", "invalid ID"),
        ("SELECT Id FROM Account WHERE Description = 'x'", "INVALID_FIELD", "can not be filtered"),
        ("SELECT Id FROM Account WHERE Name='a' AND Name='b' OR Name='c'", "MALFORMED_QUERY", ""),
        ("SELECT Id FROM Account ORDER BY Description", "INVALID_FIELD", "can not be sorted"),
        ("SELECT Id FROM Account OFFSET 2001", "NUMBER_OUTSIDE_VALID_RANGE", "2000"),
        ("SELECT COUNT(), Id FROM Account", "MALFORMED_QUERY", ""),
        ("SELECT COUNT(Id), Name FROM Account", "MALFORMED_QUERY", "grouped or aggregated"),
        ("SELECT FIELDS(ALL) FROM Account", "MALFORMED_QUERY", "LIMIT of at most 200"),
        ("SELECT FIELDS(CUSTOM) FROM Account LIMIT 201", "MALFORMED_QUERY", "LIMIT"),
        ("SELECT Id FROM Account USING SCOPE allPrivate", "MALFORMED_QUERY", "allPrivate"),
        (
            "SELECT Id FROM AccountChangeEvent",
            "INVALID_TYPE_FOR_OPERATION",
            "entity type AccountChangeEvent does not support query",
        ),
        ("SELECT Id FROM LoginEventStream", "INVALID_TYPE_FOR_OPERATION", "does not support"),
        ("SELECT Id FROM ContentDocumentLink", "MALFORMED_QUERY", "requires a filter by a single"),
        ("SELECT Id FROM ContentFolderItem", "MALFORMED_QUERY", "ParentContentFolderId"),
        ("SELECT Id FROM Vote", "MALFORMED_QUERY", "Vote object"),
        ("SELECT Id FROM IdeaComment", "MALFORMED_QUERY", "Idea Comment"),
        (
            "SELECT Id FROM FieldDefinition",
            "MALFORMED_QUERY",
            "a filter on a reified column is required [EntityDefinitionId,DurableId]",
        ),
        (
            "SELECT Id FROM FieldDefinition WHERE DurableId = 'a' OR DurableId = 'b'",
            "MALFORMED_QUERY",
            "reified",
        ),
        ("SELECT Id FROM UserRecordAccess", "INVALID_FIELD", "Can select only RecordId"),
        ("SELECT Id FROM OutgoingEmail", "EXTERNAL_OBJECT_UNSUPPORTED_EXCEPTION", "OutgoingEmail"),
        ("SELECT COUNT() FROM Sensor__b", "BIG_OBJECT_UNSUPPORTED_OPERATION", "Aggregate"),
    ],
)
def test_query_refusals(client: Any, soql: str, code: str, text: str) -> None:
    refused(client.query(soql), 400, code, text)


def test_filters_that_lift_refusals(client: Any) -> None:
    org = client.org
    links = list(org.truth("ContentDocumentLink"))
    document = links[0]["ContentDocumentId"]
    found = client.records(
        f"SELECT Id FROM ContentDocumentLink WHERE ContentDocumentId IN ('{document}')"
    )
    assert {r["Id"] for r in found} == {
        r["Id"] for r in links if r["ContentDocumentId"] == document
    }
    assert [
        r["QualifiedApiName"]
        for r in client.records("SELECT QualifiedApiName FROM EntityDefinition")
    ] == org.objects
    fields = client.records(
        "SELECT QualifiedApiName FROM FieldDefinition WHERE EntityDefinition."
        "QualifiedApiName = 'Account' LIMIT 1"
    )  # LIMIT is ignored
    described = client.fields("Account")  # parts of an address are known to EntityParticle only
    parts = {f["name"] for f in described if (f["compoundFieldName"] or "").endswith("Address")}
    assert [r["QualifiedApiName"] for r in fields] == [
        f["name"] for f in described if f["name"] not in parts
    ]
    assert client.records("SELECT FIELDS(ALL) FROM Account LIMIT 2")[0]["BillingAddress"]
    assert "Tier_Score__c" not in client.records("SELECT FIELDS(STANDARD) FROM Account")[0]
    assert client.records("SELECT Id FROM Account USING SCOPE everything LIMIT 1")
    with serve(SimulatedOrg(rows=300, query_all_files=True)) as server:
        answer = requests.get(
            f"{server.url}/services/data/v60.0/query",
            params={"q": "SELECT COUNT() FROM ContentDocumentLink"},
            headers={"Authorization": f"Bearer {server.org.access_token}"},
            timeout=10,
        )
        assert answer.json()["totalSize"] > 0


def test_wide_objects_overflow_the_uri(client: Any) -> None:
    for name in ("Wide__c", "Wide_Rest__mdt"):
        names = [f["name"] for f in client.fields(name)]
        assert client.query(f"SELECT {','.join(names)} FROM {name}").status_code == 414
        assert client.query(f"SELECT {','.join(names[:100])} FROM {name}").status_code == 200
    assert client.get("limits", headers={"X-Long": "x" * 17_000}).status_code == 431


def test_rest_pages_and_locators(lively: Any, clock: Any) -> None:
    first = lively.query("SELECT Id FROM Contact", everything=True).json()
    total = lively.org.count("Contact")
    assert (first["totalSize"], first["done"], len(first["records"])) == (total, False, 25)
    following = first["nextRecordsUrl"]
    assert "/query/0r8" in following and following.endswith("-25")
    page = lively.get(following)
    assert page.content == lively.get(following).content
    clock.moment += 2 * 86_400 + 1
    lively.org.new_session()
    refused(lively.get(following), 400, "INVALID_QUERY_LOCATOR")
    refused(lively.get("query/0r8nonsense-5"), 400, "INVALID_QUERY_LOCATOR")


def test_page_sizes(client: Any) -> None:
    dirty = client.query("SELECT Id FROM Legacy_Dirty__c").json()
    assert dirty["done"] is True
    wish = {"Sforce-Query-Options": "batchSize=200"}
    first = client.query("SELECT Id FROM Task", headers=wish).json()
    assert len(first["records"]) == 200


def test_composite(client: Any) -> None:
    url = f"{client.server.url}/services/data/v{VERSION}/composite"
    before = client.org.calls
    parts = [
        {
            "method": "GET",
            "referenceId": n,
            "url": f"/services/data/v{VERSION}/query/?q=SELECT+COUNT()+FROM+{n}",
        }
        for n in ("Account", "Nope")
    ]
    answer = requests.post(
        url, json={"compositeRequest": parts}, headers=client.headers(), timeout=10
    )
    good, bad = answer.json()["compositeResponse"]
    assert answer.status_code == 200 and good["httpStatusCode"] == 200
    assert good["body"]["totalSize"] == client.org.count("Account", deleted=False)
    assert bad["httpStatusCode"] == 400 and bad["body"][0]["errorCode"] == "INVALID_TYPE"
    assert client.org.calls == before + 1
    batch = [
        {"method": "GET", "url": f"v{VERSION}/sobjects/{n}/describe"} for n in ("Account", "Nope")
    ]
    answer = requests.post(
        url + "/batch", json={"batchRequests": batch}, headers=client.headers(), timeout=10
    )
    assert [r["statusCode"] for r in answer.json()["results"]] == [200, 404]
    assert answer.json()["hasErrors"] is True
    assert client.org.calls == before + 3


# -- Bulk 2.0 -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("soql", "code", "text"),
    [
        (
            "SELECT Id, BillingAddress FROM Account",
            "FEATURENOTENABLED",
            "Selecting compound data not supported in Bulk Query",
        ),
        ("SELECT Id, Body FROM Attachment", "FEATURENOTENABLED", "Cannot serialize value"),
        ("SELECT COUNT(Id) FROM Account", "API_ERROR", "not supported"),
        ("SELECT Rating FROM Account GROUP BY Rating", "API_ERROR", "GROUP BY"),
        ("SELECT Id FROM Account OFFSET 5", "API_ERROR", "OFFSET"),
        ("SELECT Id, (SELECT Id FROM Contacts) FROM Account", "FEATURENOTENABLED", "Aggregate"),
        ("SELECT TYPEOF What WHEN Account THEN Phone END FROM Task", "API_ERROR", "TYPEOF"),
        ("SELECT FIELDS(ALL) FROM Account LIMIT 5", "MALFORMED_QUERY", "FIELDS"),
        ("SELECT Id, What.Name FROM Task", "FEATURENOTENABLED", "polymorphic"),
        ("SELECT Id FROM CaseStatus", "INVALIDENTITY", "is not supported by the Bulk API"),
        ("SELECT Id FROM AccountFeed", "INVALIDENTITY", "AccountFeed"),
        ("SELECT Id FROM Setting__mdt", "INVALIDENTITY", "Setting__mdt"),
        ("SELECT Id FROM Nope", "INVALID_TYPE", "Nope"),
        ("SELECT Nope FROM Account", "INVALID_FIELD", "No such column"),
        ("SELECT Id FROM ActivityHistory", "INVALID_TYPE_FOR_OPERATION", "does not support query"),
        ("SELECT Id FROM ContentDocumentLink", "API_ERROR", "Implementation restriction"),
    ],
)
def test_bulk_refusals(client: Any, soql: str, code: str, text: str) -> None:
    refused(client.create(soql), 400, code, text)


def test_bulk_job_life(lively: Any, clock: Any) -> None:
    made = lively.create("SELECT Id, Owner.Name FROM Account").json()
    assert made["state"] == "UploadComplete" and made["id"].startswith("750")
    assert made["apiVersion"] == 66.0 and made["concurrencyMode"] == "Parallel"
    path = f"jobs/query/{made['id']}"
    refused(lively.get(path + "/results"), 400, "INVALIDJOBSTATE")
    delete = requests.delete(
        f"{lively.server.url}/services/data/v{VERSION}/{path}", headers=lively.headers(), timeout=10
    )
    refused(delete, 400, "API_ERROR")
    assert lively.get(path).json()["state"] == "InProgress"
    done = lively.get(path).json()
    assert done["state"] == "JobComplete" and done["jobType"] == "V2Query"
    assert done["numberRecordsProcessed"] == lively.org.count("Account")
    page = lively.get(path + "/results")
    assert page.headers["Sforce-NumberOfRecords"] == "20"
    assert parse_csv(page.content)[0] == ["Id", "Owner.Name"]
    again = lively.get(path + "/results")
    assert again.content == page.content
    refused(lively.get(path + "/results", version="65.0"), 409, "API_ERROR")
    patch = requests.patch(
        f"{lively.server.url}/services/data/v{VERSION}/{path}",
        json={"state": "Aborted"},
        headers=lively.headers(),
        timeout=10,
    )
    refused(patch, 400, "INVALIDJOBSTATE")
    clock.moment += 7 * 86_400 + 1
    lively.org.new_session()
    refused(lively.get(path + "/results"), 404, "NOT_FOUND")


def test_bulk_abort_delete_list_and_result_pages(lively: Any) -> None:
    url = f"{lively.server.url}/services/data/v{VERSION}/jobs/query"
    ids = [lively.create("SELECT Id FROM Contact").json()["id"] for _ in range(5)]
    aborted = requests.patch(
        f"{url}/{ids[0]}", json={"state": "Aborted"}, headers=lively.headers(), timeout=10
    )
    assert aborted.json()["state"] == "Aborted"
    gone = requests.delete(f"{url}/{ids[0]}", headers=lively.headers(), timeout=10)
    assert gone.status_code == 204 and gone.content == b""
    assert lively.get(f"jobs/query/{ids[0]}").status_code == 404
    listed = lively.get("jobs/query", params={"jobType": "V2Query"}).json()
    assert listed["done"] is False and len(listed["records"]) == 3
    rest = lively.get(listed["nextRecordsUrl"]).json()
    assert rest["done"] is True and rest["nextRecordsUrl"] is None
    assert [r["id"] for r in listed["records"] + rest["records"]] == ids[1:]
    job = lively.job("SELECT Id FROM Contact")
    links, path = [], f"jobs/query/{job}/resultPages"
    while path:
        found = lively.get(path).json()
        assert len(found["resultPages"]) <= 5
        links += [p["resultUrl"] for p in found["resultPages"]]
        assert found["done"] is (found["nextRecordsUrl"] is None)
        path = found["nextRecordsUrl"]
    rows = [r[0] for link in links for r in parse_csv(lively.get(link).content)[1:]]
    assert rows == [r["Id"] for r in lively.org.truth("Contact")]
    assert lively.get(f"jobs/query/{job}/resultPages", version="57.0").status_code == 404


def test_bulk_delimiters_max_records_and_daily_jobs(lively: Any) -> None:
    job = lively.job("SELECT Id,Name FROM User", columnDelimiter="TAB", lineEnding="CRLF")
    raw = lively.results(job, maxRecords=3).content
    assert raw.startswith(b'"Id"\t"Name"\r\n') and raw.count(b"\r\n") == 4
    lively.org.bulk_jobs_per_day = lively.org.jobs.made_today()
    refused(lively.create("SELECT Id FROM User"), 400, "LIMIT_EXCEEDED", "Max bulk v2 query jobs")


def test_empty_object_has_a_header_and_no_rows(client: Any) -> None:
    page = client.results(client.job("SELECT Id,Name FROM Empty__c"))
    assert page.content == b'"Id","Name"\n'
    assert page.headers["Sforce-NumberOfRecords"] == "0"
    assert page.headers["Sforce-Locator"] == "null"


def test_options_for_open_questions() -> None:
    org = SimulatedOrg(
        rows=300,
        bulk_empty_header=False,
        per_app_usage="17/250(appName=x)",
        hidden_fields={"Account": ("Rating",)},
        bulk_job_delay_polls=0,
    )
    with serve(org) as server:
        client = Client(server)
        assert client.results(client.job("SELECT Id FROM Empty__c")).content == b""
        assert (
            client.get("limits")
            .headers["Sforce-Limit-Info"]
            .endswith("; per-app-api-usage=17/250(appName=x)")
        )
        assert "Rating" not in [f["name"] for f in client.fields("Account")]
        listed = client.records(
            "SELECT QualifiedApiName FROM FieldDefinition WHERE EntityDefinitionId = 'Account'"
        )
        assert {"QualifiedApiName": "Rating"}.items() <= listed[
            [r["QualifiedApiName"] for r in listed].index("Rating")
        ].items()


def test_system_users_have_no_readable_profile(client: Any) -> None:
    users = client.records("SELECT Name, IsActive, ProfileId, Profile.Name FROM User LIMIT 3")
    assert users[1]["Name"] == "Automated Process"
    assert users[1]["ProfileId"] and users[1]["Profile"] is None and users[0]["Profile"]
    assert {u["IsActive"] for u in client.records("SELECT IsActive FROM User")} == {True, False}


def test_gzip_only_when_asked(client: Any) -> None:
    job = client.job("SELECT Id,Name FROM Contact")
    path = f"jobs/query/{job}/results"
    plain = client.get(path, headers={"Accept-Encoding": "identity"})
    assert "Content-Encoding" not in plain.headers
    packed = client.get(path, headers={"Accept-Encoding": "gzip"}, stream=True)
    raw = packed.raw.read(decode_content=False)
    assert packed.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(raw) == plain.content


# -- a living org ---------------------------------------------------------------------------------


def test_rows_come_change_and_go_while_a_job_keeps_its_rows(lively: Any, clock: Any) -> None:
    org = lively.org
    before = list(org.truth("Account"))
    job = lively.job("SELECT Id,Name,IsDeleted,SystemModstamp FROM Account")
    pages = lively.results(job, maxRecords=10_000).content
    clock.moment += 60
    new = org.insert_rows("Account", 2)
    changed = org.update_rows("Account", [0, 1])
    lost = org.delete_rows("Account", 1)
    after = {r["Id"]: r for r in org.truth("Account")}
    assert list(after) == [r["Id"] for r in before] + new
    assert after[changed[0]]["Name"] == f"{before[0]['Name']} *"
    assert after[lost[0]]["IsDeleted"] == "true"
    assert lively.results(job, maxRecords=10_000).content == pages
    names = ["Id", "Name", "IsDeleted", "CreatedDate", "LastModifiedDate", "SystemModstamp"]
    fresh = lively.bulk(f"SELECT {','.join(names)} FROM Account")[1:]
    assert fresh == [[r[n] or "" for n in names] for r in after.values()]
    since = datetime.datetime.fromtimestamp(int(clock.moment) - 30, datetime.UTC)
    drift = lively.records(
        f"SELECT Id FROM Account WHERE SystemModstamp >= {since:%Y-%m-%dT%H:%M:%SZ}", True
    )
    assert {r["Id"] for r in drift} == {*new, *changed, *lost}
    live = lively.query("SELECT COUNT() FROM Account").json()["totalSize"]
    assert live == org.count("Account", deleted=False, archived=False)
    assert live == len([r for r in after.values() if r["IsDeleted"] == "false"])


def test_changes_can_wait_for_a_number_of_calls(lively: Any) -> None:
    org = lively.org
    total = org.count("Case")
    org.after_calls(2, lambda: org.insert_rows("Case", 3) and None)
    lively.get("limits")
    assert org.count("Case") == total
    lively.get("limits")
    assert org.count("Case") == total + 3


def test_dropped_fields_vanish(lively: Any) -> None:
    job = lively.create("SELECT Id,Tier_Score__c FROM Account").json()["id"]
    lively.org.drop_field("Account", "Tier_Score__c")
    assert "Tier_Score__c" not in [f["name"] for f in lively.fields("Account")]
    refused(
        lively.query("SELECT Tier_Score__c FROM Account"),
        400,
        "INVALID_FIELD",
        "No such column 'Tier_Score__c' on entity 'Account'",
    )
    lively.get(f"jobs/query/{job}")
    failed = lively.get(f"jobs/query/{job}").json()
    assert failed["state"] == "Failed" and "Tier_Score__c" in failed["errorMessage"]
    assert "Tier_Score__c" not in next(iter(lively.org.truth("Account")))


# -- other people's clients -----------------------------------------------------------------------


def test_simple_salesforce_over_tls(tmp_path: Any) -> None:
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1", "localhost").configure_cert(context)
    trusted = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(trusted))
    org = SimulatedOrg(seed=2, rows=900, rest_page_rows=50)
    with serve(org, tls=context) as server:
        session = requests.Session()
        session.verify, session.trust_env = str(trusted), False
        salesforce = Salesforce(
            instance_url=server.url, session_id=org.access_token, version=VERSION, session=session
        )
        assert len(salesforce.describe()["sobjects"]) == len(org.objects)
        assert salesforce.Account.describe()["keyPrefix"] == "001"
        found = salesforce.query_all("SELECT Id FROM Contact", include_deleted=True)
        assert [r["Id"] for r in found["records"]] == [r["Id"] for r in org.truth("Contact")]
        text = "".join(salesforce.bulk2.Account.query_all("SELECT Id,Name FROM Account", wait=0.01))
        rows = parse_csv(text.encode())
        assert rows[1:] == [[r["Id"], r["Name"]] for r in org.truth("Account")]
        assert salesforce.limits()["DailyApiRequests"]["Max"] == org.api_daily_limit
        assert {entry.token_seen for entry in server.requests} == {True}
        assert {entry.host for entry in server.requests} == {server.netloc}


def test_many_clients_at_once_and_a_clean_stop(client: Any) -> None:
    server = serve(SimulatedOrg(rows=300))
    sockets = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(60)]
    for one in sockets:
        one.sendall(b"GET /services/data HTTP/1.1\r\nHost: x\r\n\r\n")
    for one in sockets:
        assert one.recv(20).startswith(b"HTTP/1.1 200")
    server.close()
    for one in sockets:
        one.settimeout(5)
        while one.recv(65_536):
            pass
        one.close()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", server.port))
