from __future__ import annotations

from urllib.parse import urlsplit

import pytest
import requests
from hypothesis import example, given
from hypothesis import strategies as st
from urllib3.util import parse_url

from sfexit.errors import DamagedAnswer, SignInProblem, UsageProblem
from sfexit.redaction import Secret
from sfexit.salesforce.origin import HostBoundAuth, Origin

ACME = Origin("https", "acme.my.salesforce.com", 443)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("https://acme.my.salesforce.com", ACME),
        ("https://ACME.my.Salesforce.com/", ACME),
        (" https://acme.my.salesforce.com:443 ", ACME),
        (
            "https://acme--dev.sandbox.my.salesforce.com",
            Origin("https", "acme--dev.sandbox.my.salesforce.com", 443),
        ),
        ("https://agency.my.salesforce.mil", Origin("https", "agency.my.salesforce.mil", 443)),
        ("http://127.0.0.1:8080", Origin("http", "127.0.0.1", 8080)),
        ("http://localhost:1", Origin("http", "localhost", 1)),
        ("http://[::1]:8080", Origin("http", "::1", 8080)),
        ("https://127.0.0.1:8443", Origin("https", "127.0.0.1", 8443)),
    ],
)
def test_good_origins(text: str, expected: Origin) -> None:
    assert Origin.parse(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "acme.my.salesforce.com",
        "ftp://acme.my.salesforce.com",
        "http://acme.my.salesforce.com",
        "https://",
        "https://salesforce.com.evil.example",
        "https://evilsalesforce.com",
        "https://acme.my.salesforce.com@evil.example",
        "https://user:pw@acme.my.salesforce.com",
        "https://acme.my.salesforce.com/services",
        "https://acme.my.salesforce.com?x=1",
        "https://acme.my.salesforce.com#x",
        "https://acme.my.salesforce.com#",
        "https://evil.example\\.salesforce.com",
        "https://10.0.0.1",
        "https://169.254.169.254",
        "https://2130706433",
        "https://0x7f000001",
        "https://[fe80::1]",
        "https://acme.my.salesforce.com:0",
        "https://acme.my.salesforce.com:99999",
        "https://acme_x.my.salesforce.com",
        "https://аcme.my.salesforce.com",  # the first letter is Cyrillic
        "https://acme.my.salesforce.com.",
        "https://acme.lightning.force.com",
    ],
)
def test_bad_origins(text: str) -> None:
    with pytest.raises(UsageProblem):
        Origin.parse(text)


def test_a_host_can_be_allowed_but_never_a_number() -> None:
    assert Origin.parse("https://proxy.example", allow_hosts=["Proxy.Example"]).port == 443
    with pytest.raises(UsageProblem):
        Origin.parse("https://10.0.0.1", allow_hosts=["10.0.0.1"])
    with pytest.raises(UsageProblem):
        Origin.parse("http://proxy.example", allow_hosts=["proxy.example"])


def test_the_password_in_an_address_is_not_repeated() -> None:
    with pytest.raises(UsageProblem) as caught:
        Origin.parse("https://user:hunter2@acme.my.salesforce.com")
    assert "hunter2" not in caught.value.message


def test_text_of_an_origin() -> None:
    assert str(ACME) == "https://acme.my.salesforce.com"
    assert str(Origin("http", "::1", 8080)) == "http://[::1]:8080"
    assert ACME.url("/services/data") == "https://acme.my.salesforce.com/services/data"


@pytest.mark.parametrize(
    ("link", "path"),
    [
        ("/services/data/v66.0/query/01gXX-2000", "/services/data/v66.0/query/01gXX-2000"),
        ("/services/data/v66.0/x?locator=AB%3D&a=@b", "/services/data/v66.0/x?locator=AB%3D&a=@b"),
        ("https://acme.my.salesforce.com/services/a?b=c", "/services/a?b=c"),
        ("HTTPS://Acme.my.salesforce.com:443/services/a", "/services/a"),
    ],
)
def test_good_links(link: str, path: str) -> None:
    assert ACME.anchor(link) == path


@pytest.mark.parametrize(
    "link",
    [
        "",
        "services/data",
        "@evil.example/services/",
        ".evil.example/services/",
        ":443@evil.example/services/",
        "//evil.example/services/",
        "/\\evil.example/services/",
        "\\\\evil.example/services/",
        "/services@evil.example/x",
        "/@evil.example/services/",
        "https://evil.example/services/x",
        "https://acme.my.salesforce.com@evil.example/services/x",
        "https://acme.my.salesforce.com:444/services/x",
        "http://acme.my.salesforce.com/services/x",
        "https://acme.my.salesforce.com.evil.example/services/x",
        "https:/services/x",
        "https:///services/x",
        "javascript:alert(1)",
        "/services/../setup/x",
        "/services/%2e%2e/setup/x",
        "/services/%252e%252e/setup/x",
        "/services/a%2f..%2fx",
        "/services/a%5cx",
        "/services/./x",
        "/setup/x",
        "/services/x\r\nHost: evil.example",
        "/services/x y",
        "/services/x#y",
        "/services/x\u202e",
        "/services/" + "x" * 20_000,
        None,
        12,
    ],
)
def test_bad_links(link: str) -> None:
    with pytest.raises(DamagedAnswer):
        ACME.anchor(link)


_PARTS = st.sampled_from(
    ["/", "//", "services", "/services/", "@", "evil.example", ":", "443", "\\", "?", "#", "..",
     "%2e%2e", "%2f", "https:", "http://", "acme.my.salesforce.com", ".", " ", "\n", "\t", "a", "["]
)  # fmt: skip


@given(st.lists(_PARTS, max_size=8).map("".join) | st.text(max_size=30))
@example("/services/data/v66.0/query/0r8-2000")
@example("https://acme.my.salesforce.com/services/x")
def test_a_link_that_passes_stays_at_home(link: str) -> None:
    try:
        path = ACME.anchor(link)
    except DamagedAnswer:
        return
    assert path.startswith("/services/")
    url = ACME.url(path)
    prepared = requests.Request("GET", url).prepare().url
    for address in (url, prepared):
        assert urlsplit(address).netloc == "acme.my.salesforce.com"
        assert parse_url(address).host == "acme.my.salesforce.com"
        assert parse_url(address).auth is None
        assert ACME.matches(address)
        assert urlsplit(address).path.startswith("/services/")


@given(st.text(max_size=40))
def test_anchoring_twice_is_the_same(tail: str) -> None:
    try:
        path = ACME.anchor("/services/" + tail)
    except DamagedAnswer:
        return
    assert ACME.anchor(path) == path


@pytest.mark.parametrize(
    "url",
    [
        "http://acme.my.salesforce.com/x",
        "https://acme.my.salesforce.com:8443/x",
        "https://evil.example/x",
        "https://acme.my.salesforce.com@evil.example/x",
    ],
)
def test_the_token_goes_nowhere_else(url: str) -> None:
    request = requests.Request("GET", url).prepare()
    request.url = url
    with pytest.raises(SignInProblem):
        HostBoundAuth(ACME, Secret("00Dxx!secret"))(request)
    assert "Authorization" not in request.headers


def test_the_token_goes_to_the_org() -> None:
    request = requests.Request("GET", ACME.url("/services/x")).prepare()
    auth = HostBoundAuth(ACME, Secret("00Dxx!secret"))
    assert auth(request).headers["Authorization"] == "Bearer 00Dxx!secret"
    assert "secret" not in repr(auth)
