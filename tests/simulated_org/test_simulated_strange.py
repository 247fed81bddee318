"""Features and open questions, each switched on."""

from __future__ import annotations

from typing import Any

import pytest
from simulated_client import Client, refused

from sfexit.simulated_org import Doubts, SimulatedOrg, Strange, serve


def test_person_accounts_and_their_twins() -> None:
    org = SimulatedOrg(rows=4000, strange=Strange(person_accounts=True))
    with serve(org) as server:
        client: Any = Client(server)
        rows = client.records(
            "SELECT Id, IsPersonAccount, PersonContactId, LastName, Hobby__pc FROM Account",
            everything=True,
        )
        persons = [r for r in rows if r["IsPersonAccount"]]
        assert 0 < len(persons) < len(rows) and all(r["PersonContactId"] for r in persons)
        assert all(r["LastName"] is None for r in rows if not r["IsPersonAccount"])
        contacts = client.records("SELECT Id, IsPersonAccount FROM Contact", everything=True)
        twins = {r["Id"] for r in contacts if r["IsPersonAccount"]}
        assert twins == {r["PersonContactId"] for r in persons}


def test_several_currencies() -> None:
    org = SimulatedOrg(rows=2000, strange=Strange(currencies=("EUR", "USD", "CHF")))
    with serve(org) as server:
        client: Any = Client(server)
        codes = {r["CurrencyIsoCode"] for r in client.records("SELECT CurrencyIsoCode FROM Lead")}
        assert codes == {"EUR", "USD", "CHF"}
        types = client.records("SELECT IsoCode, ConversionRate, IsCorporate FROM CurrencyType")
        assert [t["IsoCode"] for t in types if t["IsCorporate"]] == ["EUR"]
        assert types[0]["ConversionRate"] == 1.0
        dated = client.records("SELECT IsoCode, StartDate FROM DatedConversionRate")
        assert len({(r["IsoCode"], r["StartDate"]) for r in dated}) == 36


def test_languages_time_zone_and_fiscal_year() -> None:
    strange = Strange(language="de", time_zone="Asia/Kathmandu", fiscal_year_start=4)
    with serve(SimulatedOrg(rows=500, strange=strange)) as server:
        client: Any = Client(server)
        row = client.records(
            "SELECT LanguageLocaleKey, TimeZoneSidKey, FiscalYearStartMonth FROM Organization"
        )[0]
        assert list(row.values())[1:] == ["de", "Asia/Kathmandu", 4]
        path = "sobjects/Account/describe"
        assert client.get(path).json()["label"] == "Kunde"
        english = {"Accept-Language": "en-US,en;q=0.9"}
        assert client.get(path, headers=english).json()["label"] == "Account"
        french = client.get(path, headers={"Accept-Language": "fr"}).json()
        assert "Nom" in [f["label"] for f in french["fields"]]


@pytest.mark.parametrize("kind", ["fresh", "stale", "partial"])
def test_record_counts(kind: str) -> None:
    with serve(SimulatedOrg(rows=4000, strange=Strange(record_counts=kind))) as server:
        client: Any = Client(server)
        found = {r["name"]: r["count"] for r in client.get("limits/recordCount").json()["sObjects"]}
        org = server.org
        true = {n: org.count(n, deleted=False, archived=False) for n in found}
        if kind == "stale":
            assert any(found[n] < true[n] for n in found)
        else:
            assert found == true
        assert ("Invoice__c" in found) or kind == "partial"


def test_doubts_about_bulk_results() -> None:
    doubts = Doubts(
        empty_result_has_header=False,
        bulk_datetime="+0000",
        pages_compressed=False,
        final_line_end=False,
        version_68=False,
    )
    with serve(SimulatedOrg(rows=500, doubts=doubts)) as server:
        client: Any = Client(server)
        assert client.results(client.job("SELECT Id FROM Empty__c")).content == b""
        page = client.results(client.job("SELECT Id, CreatedDate FROM Account"))
        assert page.content.endswith(b'+0000"') and "Content-Encoding" not in page.headers
        assert client.get("/services/data").json()[-1]["version"] == "67.0"


def test_article_versions_may_need_a_status() -> None:
    org = SimulatedOrg(rows=500, shape="full", doubts=Doubts(knowledge_needs_status=True))
    with serve(org) as server:
        client: Any = Client(server)
        refused(client.query("SELECT Id FROM Knowledge__kav"), 400, "MALFORMED_QUERY", "Publish")
        found = 0
        for status in ("Draft", "Online", "Archived"):
            soql = f"SELECT Id FROM Knowledge__kav WHERE PublishStatus = '{status}'"
            found += len(client.records(soql, everything=True))
        truth = list(org.truth("Knowledge__kav"))
        older = [
            row["Id"]
            for row in truth
            if row["PublishStatus"] == "Archived" and row["IsLatestVersion"] == "false"
        ]
        assert older
        assert found == len(truth) - len(older)
        articles = ",".join(sorted({f"'{row['KnowledgeArticleId']}'" for row in truth}))
        soql = (
            "SELECT Id FROM Knowledge__kav WHERE IsLatestVersion = false "
            f"AND KnowledgeArticleId IN ({articles})"
        )
        given = {row["Id"] for row in client.records(soql, everything=True)}
        assert given >= set(older)


def test_all_documented_limits_are_listed() -> None:
    with serve(SimulatedOrg(rows=500)) as server:
        client: Any = Client(server)
        found = client.get("limits").json()
        assert len(found) == 71 and list(found) == sorted(found)
        assert all({"Max", "Remaining"} <= set(v) for v in found.values())


def test_switches_of_the_command_line() -> None:
    from sfexit.simulated_org.__main__ import switched

    strange = switched(Strange, ["currencies=EUR,USD", "fiscal_year_start=7", "language=de"])
    assert strange == Strange(currencies=("EUR", "USD"), fiscal_year_start=7, language="de")
    assert switched(Doubts, ["final_line_end=false"]) == Doubts(final_line_end=False)
    with pytest.raises(TypeError):
        switched(Doubts, ["nothing=true"])
