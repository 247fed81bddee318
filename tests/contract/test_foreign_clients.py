"""Clients that know nothing of us read the simulated org unmodified, row for row."""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
import ssl
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import trustme
from simple_salesforce import Salesforce, SalesforceMalformedRequest

from sfexit.simulated_org import SimulatedOrg, SimulatedServer, serve

FOLDER = "SFEXIT_JSFORCE_DIR"
CLI = "SFEXIT_SF_DIR"


@dataclass
class Secure:
    """An org behind TLS and the authority to trust."""

    server: SimulatedServer
    authority: Path

    @property
    def org(self) -> SimulatedOrg:
        return self.server.org

    @property
    def url(self) -> str:
        return f"https://localhost:{self.server.port}"


@pytest.fixture(scope="module")
def secure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secure]:
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    path = tmp_path_factory.mktemp("tls") / "authority.pem"
    authority.cert_pem.write_to_path(str(path))
    org = SimulatedOrg(seed=11, rows=9000, bulk_page_rows=500, rest_page_rows=300)
    with serve(org, tls=context) as server:
        yield Secure(server, path)
        assert server.crashes == []


@pytest.fixture
def simple(secure: Secure) -> Iterator[Salesforce]:
    client = Salesforce(
        instance=f"localhost:{secure.server.port}",
        session_id=secure.org.access_token,
        version="62.0",
    )
    client.session.verify = str(secure.authority)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("REQUESTS_CA_BUNDLE", str(secure.authority))  # bulk2 makes its own requests
        yield client


def visible(org: SimulatedOrg, name: str) -> list[dict[str, str | None]]:
    """Rows that ``query`` sees."""
    return [r for r in org.truth(name) if r["IsDeleted"] == "false"]


def as_row(record: dict[str, Any], names: tuple[str, ...]) -> list[str | None]:
    return [None if record[n] is None else str(record[n]) for n in names]


NAMES = ("Id", "Name", "Phone")


def test_simple_salesforce_queries(secure: Secure, simple: Any) -> None:
    wanted = [[r[n] for n in NAMES] for r in visible(secure.org, "Contact")]
    rows = simple.query_all("SELECT Id, Name, Phone FROM Contact")
    assert rows["totalSize"] == len(wanted)
    assert [as_row(r, NAMES) for r in rows["records"]] == wanted
    soql = "SELECT Id, Name, Phone FROM Contact"
    lazily = [as_row(r, NAMES) for r in simple.query_all_iter(soql)]
    assert lazily == wanted
    everything = simple.query_all("SELECT Id FROM Contact", include_deleted=True)["records"]
    assert [r["Id"] for r in everything] == [r["Id"] for r in secure.org.truth("Contact")]


def test_simple_salesforce_bulk2(secure: Secure, simple: Any, tmp_path: Path) -> None:
    wanted = [[r[n] or "" for n in NAMES] for r in visible(secure.org, "Contact")]
    pages = simple.bulk2.Contact.query(
        "SELECT Id, Name, Phone FROM Contact", max_records=400, wait=0.01
    )
    rows: list[list[str]] = []
    for page in pages:
        head, *more = csv.reader(io.StringIO(page, newline=""))
        assert head == list(NAMES)
        rows += more
    assert rows == wanted
    everything = simple.bulk2.Contact.query_all("SELECT Id FROM Contact", wait=0.01)
    found = [line for page in everything for line in page.splitlines()[1:]]
    assert found == [f'"{r["Id"]}"' for r in secure.org.truth("Contact")]
    done = simple.bulk2.Account.download("SELECT Id FROM Account", path=str(tmp_path), wait=0.01)
    assert sum(int(d["number_of_records"]) for d in done) == len(visible(secure.org, "Account"))


def test_simple_salesforce_describes_and_errors(secure: Secure, simple: Any) -> None:
    assert len(simple.describe()["sobjects"]) == len(secure.org.objects)
    row = next(secure.org.truth("Account"))
    assert simple.Account.get(row["Id"])["Name"] == row["Name"]
    assert simple.limits()["DailyApiRequests"]["Max"] == secure.org.api_daily_limit
    with pytest.raises(SalesforceMalformedRequest):
        simple.query("SELECT Nope FROM Account")
    assert simple.toolingexecute("query", params={"q": "SELECT Label FROM EntityDefinition"})[
        "totalSize"
    ] == len(secure.org.objects)


@pytest.fixture(scope="module")
def by_jsforce(secure: Secure) -> Any:
    node = shutil.which("node")
    if node is None:
        pytest.skip("node is not here")
    folder = os.environ.get(FOLDER, "")
    if not folder or not (Path(folder) / "node_modules" / "jsforce").is_dir():
        pytest.skip(f"jsforce is not here: set {FOLDER} to a folder made by `npm install jsforce`")
    script = Path(__file__).with_name("jsforce_reads.cjs")
    done = subprocess.run(
        [node, str(script), folder, secure.url, secure.org.access_token],
        env={**os.environ, "NODE_EXTRA_CA_CERTS": str(secure.authority)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_jsforce_queries(secure: Secure, by_jsforce: Any) -> None:
    wanted = [[r[n] for n in NAMES] for r in visible(secure.org, "Contact")]
    assert [as_row(r, NAMES) for r in by_jsforce["contacts"]] == wanted
    ids = [r["Id"] for r in secure.org.truth("Contact")]
    assert [r["Id"] for r in by_jsforce["all"]] == ids
    assert by_jsforce["objects"] == len(secure.org.objects)
    account = secure.org.sobject("Account")
    assert account is not None
    assert by_jsforce["fields"] == [f.name for f in account.fields]
    assert by_jsforce["error"] == "INVALID_FIELD"
    assert by_jsforce["tooling"] > 20 and "DailyApiRequests" in by_jsforce["limits"]


def test_jsforce_bulk2(secure: Secure, by_jsforce: Any) -> None:
    wanted = [[r[n] or "" for n in NAMES] for r in visible(secure.org, "Contact")]
    # jsforce joins the pages as they come, each with its header line
    rows = [r for r in by_jsforce["bulk"] if r["Id"] != "Id"]
    assert [[r[n] or "" for n in NAMES] for r in rows] == wanted


# ---- the Salesforce CLI --------------------------------------------------------------------------


@pytest.fixture(scope="module")
def sf(secure: Secure, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Runs `sf …` signed in to the org as `simulated`; its own home, so nothing of the user's."""
    folder = os.environ.get(CLI, "")
    program = Path(folder) / "node_modules/@salesforce/cli/bin/run.js"
    node = shutil.which("node")
    if not folder or not program.is_file() or node is None:
        pytest.skip(f"the Salesforce CLI is not here: `make peers` installs it ({CLI})")
    home = tmp_path_factory.mktemp("sf-home")
    environment = {
        **os.environ,
        "HOME": str(home),
        "USERPROFILE": str(home),
        "NODE_EXTRA_CA_CERTS": str(secure.authority),
        "SF_ACCESS_TOKEN": secure.org.access_token,
        "SF_USE_GENERIC_UNIX_KEYCHAIN": "true",
        "SF_DISABLE_TELEMETRY": "true",
        "SF_AUTOUPDATE_DISABLE": "true",
        "SF_SKIP_NEW_VERSION_CHECK": "true",
        "NO_COLOR": "1",
    }

    def run(*words: str) -> Any:
        done = subprocess.run(
            [node, str(program), *words, "--json"],
            cwd=home, env=environment, capture_output=True, text=True, timeout=150, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        return json.loads(done.stdout)["result"]

    told = run(
        "org", "login", "access-token", "--instance-url", secure.url, "--alias", "simulated",
        "--no-prompt",
    )  # fmt: skip
    assert told["orgId"] == secure.org.organization_id
    return run


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_sf_queries(secure: Secure, sf: Any) -> None:
    wanted = [[r[n] for n in NAMES] for r in visible(secure.org, "Contact")]
    soql = "SELECT Id, Name, Phone, Account.Name FROM Contact"
    found = sf("data", "query", "--query", soql, "--target-org", "simulated")
    assert found["totalSize"] == len(wanted)
    assert [as_row(r, NAMES) for r in found["records"]] == wanted
    everything = sf(
        "data", "query", "--query", "SELECT Id FROM Contact", "--all-rows",
        "--target-org", "simulated",
    )  # fmt: skip
    assert [r["Id"] for r in everything["records"]] == [
        r["Id"] for r in secure.org.truth("Contact")
    ]


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_sf_exports_in_bulk(secure: Secure, sf: Any, tmp_path: Path) -> None:
    wanted = [[r[n] or "" for n in NAMES] for r in visible(secure.org, "Contact")]
    path = tmp_path / "contacts.csv"
    sf(
        "data", "export", "bulk", "--query", "SELECT Id, Name, Phone FROM Contact",
        "--output-file", str(path), "--wait", "5", "--target-org", "simulated",
    )  # fmt: skip
    with path.open(encoding="utf-8", newline="") as handle:
        head, *rows = csv.reader(handle)
    assert head == list(NAMES) and rows == wanted


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_sf_describes(secure: Secure, sf: Any) -> None:
    names = sf("sobject", "list", "--sobject", "all", "--target-org", "simulated")
    assert set(names) == set(secure.org.objects)
    told = sf("sobject", "describe", "--sobject", "Account", "--target-org", "simulated")
    account = secure.org.sobject("Account")
    assert account is not None
    assert [field["name"] for field in told["fields"]] == [field.name for field in account.fields]
    shown = sf("org", "display", "--target-org", "simulated")
    assert shown["id"] == secure.org.organization_id
