"""Rows 3 to 6: the token goes to no host but the org's. Faults 30 and 31."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from commands.conftest import Company, Ran

from .conftest import Stranger

Sfexit = Callable[..., Ran]

#: Objects whose pages are joined by links, as the small org reads them by REST and Bulk.
STYLES = ("at", "double_slash", "absolute", "dot")


def assert_nobody_was_asked(stranger: Stranger, company: Company) -> None:
    assert stranger.heads == []
    own = {company.server.netloc}
    assert {entry.host for entry in company.server.requests} == own


@pytest.mark.parametrize("style", STYLES)
def test_row_3_fault_31_next_pages_on_another_host(
    sfexit: Sfexit, company: Company, stranger: Stranger, home: Path, style: str
) -> None:
    """`nextRecordsUrl` and `resultUrl` joined blindly would go to `org@stranger`, `//stranger` …"""
    company.org.rest_page_rows = 20
    company.server.fail("evil_url", "*", times=None, style=style, host=stranger.netloc)
    ran = sfexit("export", home, "--verbose")
    assert ran.code in (1, 3), ran.err
    fired = [one for one in company.faults.fired if one.kind == "evil_url"]
    assert fired
    assert_nobody_was_asked(stranger, company)
    assert stranger.netloc not in ran.err  # hostile words are not passed on as an address to open


@pytest.mark.parametrize("style", STYLES)
def test_row_3_fault_31_assess_follows_no_such_link(
    sfexit: Sfexit, company: Company, stranger: Stranger, style: str
) -> None:
    company.org.rest_page_rows = 20
    company.server.fail("evil_url", "*", times=None, style=style, host=stranger.netloc)
    ran = sfexit("assess")
    assert ran.code in (0, 1), ran.err
    assert_nobody_was_asked(stranger, company)


@pytest.mark.parametrize("endpoint", ["versions", "sobjects", "query", "queryall", "bulk.results"])
@pytest.mark.parametrize("code", [301, 307])
def test_row_4_fault_30_redirects_to_another_host(
    sfexit: Sfexit, company: Company, stranger: Stranger, home: Path, endpoint: str, code: int
) -> None:
    company.server.fail(
        "redirect", endpoint, times=None, code=code, location=f"http://{stranger.netloc}/services/"
    )
    ran = sfexit("export", home, "--verbose")
    if any(one.kind == "redirect" for one in company.faults.fired):
        assert ran.code == 4 and "redirects are refused" in ran.err
        assert stranger.netloc not in ran.err
    else:
        assert endpoint == "bulk.results"  # nothing was large enough for Bulk
    assert_nobody_was_asked(stranger, company)


def test_row_4_a_sign_in_that_is_redirected(
    sfexit: Sfexit, company: Company, stranger: Stranger, home: Path
) -> None:
    company.server.fail("redirect", "token", times=None, location=f"http://{stranger.netloc}/x")
    ran = sfexit(
        "export", home, SFEXIT_ACCESS_TOKEN="", SFEXIT_CLIENT_ID=company.org.client_id,
        SFEXIT_CLIENT_SECRET=company.org.client_secret,
    )  # fmt: skip
    assert ran.code == 4
    assert stranger.heads == []


def test_row_5_netrc_replaces_nothing(
    sfexit: Sfexit, company: Company, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login me password pwCANARY\ndefault login a password b\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    monkeypatch.setenv("HOME", str(tmp_path))
    assert sfexit("export", home).code == 0  # Basic instead of Bearer would have been a 401
    assert all(entry.status != 401 for entry in company.server.requests)


@pytest.mark.parametrize(
    ("address", "code"),
    [
        ("https://evil.example", 2),
        ("https://salesforce.com.evil.example", 2),
        ("https://evilsalesforce.com", 2),
        ("https://acme.my.salesforce.com@evil.example", 2),
        ("https://acme.my.salesforce.com\\@evil.example", 2),
        ("https://acme.my.salesforce.com/../x", 2),
        ("http://acme.my.salesforce.com", 2),
        ("https://169.254.169.254", 2),
        ("https://[::ffff:169.254.169.254]", 2),
        ("https://0x7f000001", 2),
        ("https://2130706433", 2),
        ("http://10.0.0.1", 2),
        ("ftp://acme.my.salesforce.com", 2),
        ("https://acme.lightning.force.com", 2),
        ("file:///etc/passwd", 2),
    ],
)
def test_row_6_addresses_that_cannot_be_the_orgs(
    sfexit: Sfexit, company: Company, home: Path, address: str, code: int
) -> None:
    ran = sfexit("export", home, SFEXIT_INSTANCE_URL=address)
    assert ran.code == code and company.org.access_token not in ran.sentence
    assert not home.exists() and company.server.requests == []


@pytest.mark.parametrize("where", ["evil.example", "169.254.169.254", "stranger"])
def test_row_6_a_sign_in_answer_that_names_another_place(
    sfexit: Sfexit, company: Company, stranger: Stranger, home: Path, where: str
) -> None:
    """`instance_url` of the answer: a stranger on the loopback is refused as well, since the
    sign-in is pinned to where it was asked."""
    place = f"http://{stranger.netloc}" if where == "stranger" else f"https://{where}"
    company.server.fail(
        "status", "token", times=None, code=200,
        body={"access_token": company.org.access_token, "instance_url": place,
              "id": f"{place}/id/{company.org.organization_id}/{company.org.user_id}",
              "token_type": "Bearer"},
    )  # fmt: skip
    ran = sfexit(
        "export", home, SFEXIT_ACCESS_TOKEN="", SFEXIT_CLIENT_ID=company.org.client_id,
        SFEXIT_CLIENT_SECRET=company.org.client_secret,
    )  # fmt: skip
    assert ran.code == 4, ran.err
    assert not home.exists()
    assert all(company.org.access_token.encode() not in head for head in stranger.heads)
