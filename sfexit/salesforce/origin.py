"""Where the org is, and the only place a token may go.

A token is worth as much as the company's data. So the address of the org is fixed once, every
address that comes from a server is reduced to a path below it, and the token is attached only
when scheme, host and port of the finished request are those of the org.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Collection
from dataclasses import dataclass
from urllib.parse import SplitResult, unquote, urlsplit

import requests
from requests.auth import AuthBase

from sfexit.errors import DamagedAnswer, SignInProblem, UsageProblem
from sfexit.redaction import Secret, printable

# Domains that Salesforce itself serves orgs on ("My Domain URL Formats", "Salesforce Domains
# in China", government cloud). A host is accepted when it is one of these or below one.
SALESFORCE_DOMAINS = (
    "salesforce.com",
    "force.com",
    "cloudforce.com",
    "database.com",
    "salesforce.mil",
    "crmforce.mil",
    "sfcrmproducts.cn",
    "sfcrmapps.cn",
)

_DEFAULT_PORT = {"http": 80, "https": 443}
_HOST_NAME = re.compile(r"(?=.{1,253}\Z)(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)*[a-z0-9-]{1,63}")
_VISIBLE_ASCII = re.compile(r"[\x21-\x7e]+")
_ABSOLUTE = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
_LONGEST_LINK = 16_384


@dataclass(frozen=True)
class Origin:
    """Scheme, host and port of an org. The host is lower case, an IPv6 one without brackets."""

    scheme: str
    host: str
    port: int

    @classmethod
    def parse(cls, text: str, *, allow_hosts: Collection[str] = ()) -> Origin:
        """The origin that an administrator or a sign-in answer names.

        `allow_hosts` are further host names that the administrator vouches for. Plain http is
        for the loopback only. Raises UsageProblem.
        """
        shown = printable(text, 100)
        try:
            parts = urlsplit(text.strip())
            port = parts.port
        except ValueError:
            raise UsageProblem(f"The org's address {shown} is not a web address.") from None
        if parts.scheme not in _DEFAULT_PORT or not parts.hostname:
            raise UsageProblem(
                f"The org's address {shown} must look like https://mycompany.my.salesforce.com."
            )
        if "@" in parts.netloc or "\\" in text:
            raise UsageProblem("The org's address must not hold a user name or a password.")
        if parts.path not in ("", "/") or parts.query or parts.fragment or "#" in text:
            raise UsageProblem(
                f"The org's address {shown} must end after the host name; leave the rest away."
            )
        host = parts.hostname
        loopback = _is_loopback(host)
        if not loopback:
            _check_host(host, {name.strip().lower() for name in allow_hosts}, shown)
            if parts.scheme == "http":
                raise UsageProblem(
                    f"The org's address {shown} must begin with https://; plain http would show "
                    "the session to the network."
                )
        if port == 0:
            raise UsageProblem(f"The org's address {shown} names the impossible port 0.")
        return cls(parts.scheme, host, port or _DEFAULT_PORT[parts.scheme])

    @property
    def loopback(self) -> bool:
        """Whether this is a server on this very computer, such as the simulated org."""
        return _is_loopback(self.host)

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        default = self.port == _DEFAULT_PORT[self.scheme]
        return f"{self.scheme}://{host}" + ("" if default else f":{self.port}")

    def url(self, path: str) -> str:
        """The address of `path` (with its query, if any) on this origin.

        Raises DamagedAnswer when the path could leave the origin.
        """
        _check_path(path)
        return str(self) + path

    def matches(self, url: str) -> bool:
        """Whether `url` has exactly this scheme, host and port, and no user name."""
        try:
            parts = urlsplit(url)
            return self._is(parts)
        except ValueError:
            return False

    def anchor(self, server_supplied: str, *, prefix: str = "/services/") -> str:
        """Reduce an address sent by the server to a safe path and query of this origin.

        Accepts a path or an absolute address of exactly this origin, and only below `prefix`.
        Servers send such addresses as `nextRecordsUrl` and `resultUrl`; joining them blindly to
        the host would send the token to another one for texts such as `@evil.example/`.
        Raises DamagedAnswer.
        """
        if not isinstance(server_supplied, str) or len(server_supplied) > _LONGEST_LINK:
            raise DamagedAnswer("The org sent a link to the next page that is no link.")
        path = server_supplied
        if _ABSOLUTE.match(path):
            _check_characters(path)
            try:
                parts = urlsplit(path)
                same = self._is(parts)
            except ValueError:
                same = False
            if not same:
                raise DamagedAnswer("The org sent a link to another host, which was not followed.")
            path = parts.path + (f"?{parts.query}" if "?" in path else "")
        _check_path(path)
        if not path.startswith(prefix):
            raise DamagedAnswer("The org sent a link outside of its API, which was not followed.")
        return path

    def _is(self, parts: SplitResult) -> bool:
        return (
            "@" not in parts.netloc
            and parts.scheme == self.scheme
            and parts.hostname == self.host
            and (parts.port or _DEFAULT_PORT[self.scheme]) == self.port
        )


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _check_host(host: str, allowed: Collection[str], shown: str) -> None:
    literal = host.rsplit(".", 1)[-1].isdigit() or ":" in host or host.startswith("0x")
    if literal:
        raise UsageProblem(f"The org's address {shown} must hold a host name, not a number.")
    if not _HOST_NAME.fullmatch(host):
        raise UsageProblem(f"The org's address {shown} holds a host name that cannot exist.")
    if host.endswith((".lightning.force.com", ".lightning.crmforce.mil")):
        raise UsageProblem(
            f"The org's address {shown} is the one for browsers; give the My Domain address, "
            "https://mycompany.my.salesforce.com."
        )
    if host in allowed:
        return
    if not any(host == domain or host.endswith("." + domain) for domain in SALESFORCE_DOMAINS):
        raise UsageProblem(
            f"The host of {shown} is not known as Salesforce's; if it is yours, name it in "
            "SFEXIT_ALLOW_HOST."
        )


def _check_characters(text: str) -> None:
    if not _VISIBLE_ASCII.fullmatch(text) or "\\" in text or "#" in text:
        raise DamagedAnswer("The org sent a link with characters that no link may hold.")


def _check_path(path: str) -> None:
    _check_characters(path)
    if not path.startswith("/") or path.startswith("//"):
        raise DamagedAnswer("The org sent a link that does not stay on its own host.")
    segments = path.partition("?")[0].split("/")[1:]
    if "@" in segments[0] or ":" in segments[0]:
        raise DamagedAnswer("The org sent a link that does not stay on its own host.")
    for segment in segments:
        for _ in range(3):  # a proxy on the way may decode more than once
            segment = unquote(segment)
            if segment in (".", "..") or "/" in segment or "\\" in segment:
                raise DamagedAnswer("The org sent a link that leaves its own folder.")


class HostBoundAuth(AuthBase):
    """Attaches the token to a request, and only to one that goes to the org itself.

    Being an explicit auth object, it also keeps `requests` from replacing the header by an
    entry of `.netrc`.
    """

    def __init__(self, origin: Origin, token: Secret) -> None:
        self._origin = origin
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Raises SignInProblem for any other scheme, host or port."""
        _insist(self._origin, request)
        request.headers["Authorization"] = f"Bearer {self._token.reveal()}"
        return request


class SessionInMessage(AuthBase):
    """Puts the session into a SOAP message, and only into one that goes to the org itself
    (Metadata API guide, "SessionHeader")."""

    def __init__(self, origin: Origin, token: Secret, message: Callable[[str], bytes]) -> None:
        """`message` makes the whole message from the session's token."""
        self._origin = origin
        self._token = token
        self._message = message

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Raises SignInProblem for any other scheme, host or port."""
        _insist(self._origin, request)
        request.body = self._message(self._token.reveal())
        return request


def _insist(origin: Origin, request: requests.PreparedRequest) -> None:
    if request.url is None or not origin.matches(request.url):
        raise SignInProblem(
            "A request was about to carry the session to another host than the org's; "
            "it was not sent."
        )


class NoAuth(AuthBase):
    """Sends nothing. Given explicitly, so that `.netrc` adds nothing either."""

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        return request
