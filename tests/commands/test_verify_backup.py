"""`sfexit verify-backup` against the org: verdicts, exit codes, the proof, repair."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import stamp_authority

from sfexit.commands.main import run
from sfexit.simulated_org import FaultPlan, serve
from sfexit.verify.standing import standing_certificate
from sfexit.verify.verdict import Verdict

from .conftest import COMPLETE, Company, Ran, small_org

NAMES = (*COMPLETE, "EntityDefinition", "FieldDefinition", "EntityParticle", "PermissionSet",
         "PermissionSetAssignment", "UserPermissionAccess", "ObjectPermissions", "FieldPermissions",
         "TransactionSecurityPolicy")  # fmt: skip


@pytest.fixture
def company(tmp_path: Path) -> Any:
    faults = FaultPlan(seed=1)
    with serve(small_org(names=NAMES), faults) as server:
        yield Company(server, faults, tmp_path)


@pytest.fixture(autouse=True)
def own_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SFEXIT_CONFIG_DIR", str(tmp_path / "config"))


def test_safe_then_not_safe_then_repaired(
    company: Company, sfexit: Callable[..., Ran], home: Path
) -> None:
    assert sfexit("export", home, "-q").code == 0
    told = sfexit("verify-backup", home)
    assert told.code == 0
    assert told.out.startswith("SAFE: the archive holds what the org holds. This holds until ")
    assert "API calls" in told.err
    assert standing_certificate(home).certificate.verdict is Verdict.SAFE

    company.org.insert_rows("Account", 2)
    company.org.update_rows("Contact", [1])
    told = sfexit("verify-backup", home)
    assert told.code == 8
    assert told.out == (
        "NOT SAFE: the org changed since the export; refresh, do not cancel\n"
    )  # fmt: skip
    assert told.err.count("row-missing") == 2
    assert told.err.count("row-stale") == 1
    with pytest.raises(Exception, match="says NOT SAFE"):
        standing_certificate(home)

    told = sfexit("verify-backup", home, "--repair", "--json", "-q")
    assert told.code == 0
    document = json.loads(told.out)
    assert document["verdict"] == "SAFE"
    assert document["generation"] == "2"
    assert Path(document["proof"]).parent.name == document["root_digest"]
    assert {one["object"] for one in document["live"]["objects"]} >= {"Account", "Contact"}
    assert all(one["missing"] == one["stale"] == 0 for one in document["live"]["objects"])
    assert standing_certificate(home).certificate.generation == 2


def test_what_failed_at_the_export_is_repaired(home: Path, tmp_path: Path) -> None:
    """Bodies and components that the org did not give are there the next time."""
    org = small_org(names=(*NAMES, "Attachment"), query_all_files=True)
    with serve(org, FaultPlan()) as server:
        company = Company(server, FaultPlan(), tmp_path)
        org.bodies_forbidden.add("Integration")
        org.metadata.unretrievable.add(
            next((one.type, one.full_name) for one in org.metadata.components)
        )
        assert company.finish("export", home, "-q").code == 3
        still = company.finish("verify-backup", home, "--repair")
        assert still.code == 8  # the org keeps it back still
        assert "metadata-left-out" in still.err and "object-incomplete" in still.err
        org.bodies_forbidden.clear()
        org.metadata.unretrievable.clear()
        told = company.finish("verify-backup", home, "--repair")
        assert told.code == 0, told.err
        assert "Repairing: the next archive is made" in told.err


def test_a_waiver_is_for_one_finding_and_is_told(
    company: Company, sfexit: Callable[..., Ran], home: Path, tmp_path: Path
) -> None:
    sfexit("export", home, "-q")
    [made] = company.org.insert_rows("Account", 1)
    waivers = tmp_path / "waivers.toml"
    waivers.write_text(
        f'[[waiver]]\nfinding = "row-missing:Account:{made}"\n'
        'reason = "a test"\nperson = "R. Roe"\n'
    )
    page = tmp_path / "page.html"
    told = sfexit("verify-backup", home, "--waive", waivers, "--html", page)
    assert told.code == 0
    assert told.out.startswith("SAFE with 1 waiver")
    shown = page.read_text("utf-8")
    assert "<td>waived</td>" in shown and "FAILED" not in shown
    company.org.insert_rows("Account", 1)
    assert sfexit("verify-backup", home, "--waive", waivers).code == 8


def test_a_damaged_archive_is_refused_without_asking_the_org(
    company: Company, sfexit: Callable[..., Ran], home: Path
) -> None:
    sfexit("export", home, "-q")
    page = next(home.glob("bags/0001/data/records/Account/*.gz"))
    page.chmod(0o600)
    page.write_bytes(page.read_bytes()[:-9])
    asked = len(company.server.requests)
    told = sfexit("verify-backup", home)
    assert told.code == 8
    assert told.out == "NOT SAFE: do not cancel\n"
    assert len(company.server.requests) == asked
    assert not (home / "proofs").exists()


def test_another_org_is_refused(
    company: Company, sfexit: Callable[..., Ran], home: Path, tmp_path: Path
) -> None:
    sfexit("export", home, "-q")
    with serve(small_org(names=NAMES, seed=8)) as other:
        told = sfexit(
            "verify-backup", home, "-q",
            SFEXIT_INSTANCE_URL=other.url, SFEXIT_ACCESS_TOKEN=other.org.access_token,
        )  # fmt: skip
    assert told.code == 5
    assert "the archive is of the org" in told.sentence


def test_what_belongs_to_offline_and_what_does_not(
    sfexit: Callable[..., Ran], home: Path, company: Company
) -> None:
    sfexit("export", home, "-q")
    for line in (
        ("--offline", "--repair"),
        ("--subset", "1/2"),
        ("--repair", "--offline", "--full-values", "Account"),
    ):
        assert run(["verify-backup", str(home), *line]) == 2
    assert sfexit("verify-backup", home / "bags" / "0001", "--repair").code == 2
    assert sfexit("verify-backup", home, "--offline", "-q").code == 0


def test_without_the_key_there_is_an_answer_and_no_certificate(
    sfexit: Callable[..., Ran], home: Path, tmp_path: Path, company: Company
) -> None:
    sfexit("export", home, "-q")
    told = sfexit("verify-backup", home, SFEXIT_CONFIG_DIR=str(tmp_path / "somebody-else"))
    assert told.code == 0
    assert "No certificate was made" in told.err
    assert not (tmp_path / "somebody-else").exists()
    assert not (home / "proofs").exists()


def test_the_pdf_lies_beside_the_certificate(
    sfexit: Callable[..., Ran], home: Path, tmp_path: Path, company: Company
) -> None:
    sfexit("export", home, "-q")
    assert sfexit("verify-backup", home, "--pdf", tmp_path / "r.pdf", "-q").code == 0
    [proof] = (home / "proofs").glob("*/*")
    assert (tmp_path / "r.pdf").read_bytes()[:5] == b"%PDF-"
    assert (proof / "report.pdf").read_bytes()[:5] == b"%PDF-"


@pytest.mark.parametrize("missing", ["fpdf", "rfc3161_client"])
def test_a_package_that_is_missing_is_told_before_the_org_is_asked(
    missing: str, sfexit: Callable[..., Ran], home: Path, tmp_path: Path, company: Company,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    sfexit("export", home, "-q")
    monkeypatch.setitem(sys.modules, missing, None)
    (home / "sfexit.toml").write_text(
        '[proof]\ntime_stamp = "http://127.0.0.1:9/"\ntime_stamp_roots = "roots.pem"\n'
    )
    asked = len(company.server.requests)
    told = sfexit("verify-backup", home, *(["--pdf", tmp_path / "r"] if missing == "fpdf" else []))
    assert told.code == 2 and "one more package" in told.sentence
    assert len(company.server.requests) == asked


def test_a_report_inside_the_archive_is_refused_before_anything_is_looked_at(
    sfexit: Callable[..., Ran], home: Path, company: Company
) -> None:
    sfexit("export", home, "-q")
    asked = len(company.server.requests)
    told = sfexit("verify-backup", home, "--html", home / "bags/0001/data/r.html")
    assert told.code == 2 and "never written to" in told.sentence
    assert len(company.server.requests) == asked


@pytest.mark.skipif(not shutil.which("openssl"), reason="no openssl here")
def test_certificates_are_stamped_by_the_authority_that_is_set_and_by_nobody_else(
    sfexit: Callable[..., Ran], home: Path, tmp_path: Path, company: Company
) -> None:
    pytest.importorskip("rfc3161_client")
    (tmp_path / "tsa").mkdir()
    authority = stamp_authority.make(tmp_path / "tsa")
    server, seen = stamp_authority.start(authority)
    sfexit("export", home, "-q")

    def proofs() -> list[Path]:
        return sorted((home / "proofs").glob("*/*"))

    assert sfexit("verify-backup", home, "-q").code == 0
    assert not seen and not list(proofs()[0].glob("*.tsr"))

    def name(url: str) -> None:
        (home / "sfexit.toml").write_text(
            f'[proof]\ntime_stamp = "{url}"\ntime_stamp_roots = "{authority / "root.pem"}"\n'
        )

    name(f"http://127.0.0.1:{server.server_port}/")
    assert sfexit("verify-backup", home, "-q").code == 0
    server.shutdown()
    server.server_close()
    [headers] = seen
    assert "Authorization" not in headers and company.org.access_token not in str(headers)
    assert company.org.access_token.encode() not in (authority / "asked.tsq").read_bytes()
    proof = proofs()[1]
    line = (
        f"ts -verify -data certificate.json -in certificate.json.tsr -CAfile {authority}/root.pem"
    )
    assert b"OK" in stamp_authority.openssl(proof, line)
    assert standing_certificate(home).certificate.verdict is Verdict.SAFE

    told = sfexit("verify-backup", home)  # nobody answers there any more
    assert told.code == 0
    assert "The certificate has no time stamp: the time stamp authority at" in told.err
    assert not list(proofs()[2].glob("*.tsr"))

    (home / "sfexit.toml").write_text('[proof]\ntime_stamp = "http://127.0.0.1:9/"\n')
    assert "needs time_stamp_roots" in sfexit("verify-backup", home).sentence
