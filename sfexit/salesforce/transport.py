"""Bytes to and from the wire: one hardened session, and answers read raw.

`requests` would unpack gzip by itself and take a stream that ends early for a success when the
HTTP framing closed cleanly. So bodies are read as they came and unpacked by `gzipped.Gunzip`.
"""

from __future__ import annotations

import importlib.util
import re
import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from http.cookiejar import DefaultCookiePolicy
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

import requests
import urllib3
from requests.adapters import HTTPAdapter
from requests.auth import AuthBase
from requests.structures import CaseInsensitiveDict
from urllib3.util import ssl_match_hostname

import sfexit
from sfexit.errors import DamagedAnswer, SignInProblem, Transient, UsageProblem
from sfexit.gzipped import Gunzip
from sfexit.redaction import printable
from sfexit.salesforce.origin import Origin

E = TypeVar("E", bound=BaseException)

DEFAULT_TIMEOUTS = (10.0, 120.0)  # seconds to connect; seconds between two arrivals of bytes
PIECE_BYTES = 64 * 1024
RATE_WINDOW_SECONDS = 60.0
MINIMUM_BYTES_PER_SECOND = 500.0  # 8 streams over a 64 kbit/s line would still pass

_PLAIN_URL = re.compile(r"https?://[a-z0-9.-]+(:\d+)?/[A-Za-z0-9/_.-]+")

NETWORK_FAULTS: tuple[type[Exception], ...] = (
    requests.RequestException,
    urllib3.exceptions.HTTPError,
    OSError,
)


class _Adapter(HTTPAdapter):
    """Time-outs on every request: `requests` itself would wait for ever."""

    def __init__(self, streams: int, timeouts: tuple[float, float]) -> None:
        self._timeouts = timeouts
        # Retries are made in one place only, see `retries`.
        super().__init__(pool_connections=4, pool_maxsize=streams + 2, max_retries=0)

    def send(
        self,
        request: requests.PreparedRequest,
        stream: bool = False,
        timeout: Any = None,
        verify: bool | str = True,
        cert: Any = None,
        proxies: Mapping[str, str] | None = None,
    ) -> requests.Response:
        return super().send(
            request,
            stream=stream,
            timeout=self._timeouts if timeout is None else timeout,
            verify=verify,
            cert=cert,
            proxies=proxies,
        )


class _Session(requests.Session):
    """Knows no redirects: even unfollowed ones would be prepared, and their bodies read whole."""

    def get_redirect_target(self, resp: requests.Response) -> None:  # noqa: ARG002
        return None


def new_session(
    *, streams: int = 8, timeouts: tuple[float, float] = DEFAULT_TIMEOUTS
) -> requests.Session:
    """A session with time-outs, a pool of `streams` connections, no cookies and no retries."""
    session = _Session()
    adapter = _Adapter(streams, timeouts)
    session.mount("https://", adapter)
    session.mount("http://", adapter)
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    session.headers.clear()
    session.headers.update(
        {"User-Agent": f"sfexit/{sfexit.__version__}", "Accept-Encoding": "gzip"}
    )
    return session


def transmit(
    session: requests.Session,
    request: requests.Request,
    origin: Origin,
    *,
    ca_bundle: str | None = None,
) -> requests.Response:
    """Send one request, body unread, redirects not followed. Raises what `requests` raises, and
    UsageProblem for a proxy address that is none.

    Proxies come from the environment, except on the loopback, where a proxy would only be shown
    the session. Certificates are always checked.
    """
    prepared = _prepared(session, request)
    verify: bool | str = True if ca_bundle is None else ca_bundle
    if origin.loopback:
        proxies: Any = {}
    else:
        settings = session.merge_environment_settings(prepared.url or "", {}, True, verify, None)
        proxies, verify = settings["proxies"], settings["verify"] or True
        _check_proxy(requests.utils.select_proxy(prepared.url or "", proxies))
    # The adapter itself: what a session adds (redirects, hooks, cookies) is not wanted.
    adapter = session.get_adapter(prepared.url or "")
    return adapter.send(prepared, stream=True, verify=verify, proxies=proxies)


def _prepared(session: requests.Session, request: requests.Request) -> requests.PreparedRequest:
    """The request as it goes on the wire.

    One for a file is a plain address and a few headers; preparing it in general, with cookies,
    form data and escapes, takes longer than many a file does.
    """
    plain = request.method == "GET" and not request.data and _PLAIN_URL.fullmatch(request.url or "")
    if not plain or not isinstance(request.auth, AuthBase):
        return session.prepare_request(request)
    prepared = requests.PreparedRequest()
    prepared.method, prepared.url = request.method, request.url
    prepared.headers = CaseInsensitiveDict({**session.headers, **(request.headers or {})})
    return request.auth(prepared)


def _check_proxy(address: str | None) -> None:
    """Raise UsageProblem for a proxy that cannot be used, without repeating its password.

    `requests` would fail with errors of several kinds that quote the whole address.
    """
    if not address:
        return
    try:
        parts = urlsplit(address if "://" in address else f"http://{address}")
        usable = parts.hostname is not None and (parts.port is None or parts.port > 0)
    except ValueError:
        usable = False
    else:
        if parts.scheme.startswith("socks") and importlib.util.find_spec("socks") is None:
            raise UsageProblem(
                "The proxy named in the environment is a SOCKS proxy, which needs another "
                "package: install PySocks beside sfexit, or name an HTTP proxy in HTTPS_PROXY."
            )
        usable = usable and parts.scheme in ("http", "https", "socks5", "socks5h", "socks4")
    if not usable:
        raise UsageProblem(
            "The proxy address in HTTPS_PROXY (or HTTP_PROXY, ALL_PROXY) is not a web address; it "
            "should look like http://proxy.example:8080."
        )


def check_ca_bundle(path: str, setting: str = "--ca-bundle") -> None:
    """Raise UsageProblem for a certificate file that cannot be used.

    Found out before the first request, where it would look like a fault of the network.
    """
    shown = printable(path, 200)
    try:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        if Path(path).is_dir():
            context.load_verify_locations(capath=path)
        else:
            context.load_verify_locations(cafile=path)
    except ssl.SSLError:
        raise UsageProblem(
            f"The file {shown} of {setting} holds no certificates in PEM form; convert it (openssl "
            "x509 -inform DER -in FILE) or export it again."
        ) from None
    except OSError as error:
        raise UsageProblem(
            f"The certificate file {shown} of {setting} cannot be read ({error.strerror})."
        ) from None


# OpenSSL's reasons, X509_V_ERR_… in x509_vfy.h.
_NOT_YET_VALID, _EXPIRED, _WRONG_HOST, _WRONG_ADDRESS = 9, 10, 62, 64


def network_fault(error: Exception, what: str) -> Transient | SignInProblem | UsageProblem:
    """The error to raise for a fault of the network during `what` ("GET /services/…").

    Names only the kind of fault: the texts of network libraries hold addresses, headers, and
    with a proxy its password.
    """
    certificate = _first_cause(error, ssl.SSLCertVerificationError)
    if certificate is not None:
        return SignInProblem(_about_certificate(certificate.verify_code, what))
    if _first_cause(error, ssl_match_hostname.CertificateError) is not None:
        return SignInProblem(_about_certificate(_WRONG_HOST, what))
    if isinstance(error, requests.exceptions.ProxyError):
        return _proxy_fault(error, what)
    if isinstance(error, OSError) and "CA certificate bundle" in str(error):
        return UsageProblem(
            "The certificate file named in REQUESTS_CA_BUNDLE or CURL_CA_BUNDLE does not exist."
        )
    return NetworkFault(
        f"The network failed during {what} ({type(error).__name__}).",
        nothing_sent=_nothing_sent(error),
    )


def _about_certificate(reason: int, what: str) -> str:
    if reason == _EXPIRED:
        return (
            f"The certificate shown for {what} has expired, so nothing was sent; check this "
            "computer's clock, and a proxy on the way if the clock is right."
        )
    if reason == _NOT_YET_VALID:
        return (
            f"The certificate shown for {what} is not valid yet, so nothing was sent; check this "
            "computer's clock."
        )
    if reason in (_WRONG_HOST, _WRONG_ADDRESS):
        return (
            f"The certificate shown for {what} belongs to another host, so nothing was sent; check "
            "the org's address, and that no proxy answers in its place."
        )
    return (
        f"The certificate shown for {what} is not trusted, so nothing was sent; if your "
        "company inspects traffic, name its root certificates with --ca-bundle."
    )


_TUNNEL_STATUS = re.compile(r"Tunnel connection failed: (\d{3})")


def _proxy_fault(error: Exception, what: str) -> Transient | SignInProblem:
    """No way through the proxy: the org itself has seen nothing."""
    found = next(filter(None, (_TUNNEL_STATUS.search(str(c)) for c in _causes(error))), None)
    status = int(found[1]) if found else 0
    if status == 407:
        return SignInProblem(
            f"The proxy wants a user name and password before {what}; put them into HTTPS_PROXY "
            "(http://user:password@proxy:port)."
        )
    if 400 <= status < 500:
        return SignInProblem(
            f"The proxy does not let {what} through (HTTP {status}); have the org's hosts allowed "
            "there, or name them in NO_PROXY."
        )
    told = f"HTTP {status}" if status else "no connection"
    return NetworkFault(
        f"The proxy of HTTPS_PROXY could not be used for {what} ({told}).", nothing_sent=True
    )


class NetworkFault(Transient):
    """The connection could not be made, broke or fell silent."""

    def __init__(self, message: str, *, nothing_sent: bool = False) -> None:
        super().__init__(message)
        self.nothing_sent = nothing_sent


def _causes(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    waiting: list[object] = [error]
    while waiting:
        cause = waiting.pop()
        if not isinstance(cause, BaseException) or id(cause) in seen:
            continue
        seen.add(id(cause))
        yield cause
        waiting += [cause.__cause__, cause.__context__, getattr(cause, "reason", None)]
        waiting += list(cause.args)


def _first_cause(error: BaseException, kind: type[E]) -> E | None:
    return next((cause for cause in _causes(error) if isinstance(cause, kind)), None)


def _nothing_sent(error: BaseException) -> bool:
    """Whether no connection was made, so that the server cannot have acted."""
    if isinstance(error, requests.exceptions.ConnectTimeout):
        return True
    return _first_cause(error, urllib3.exceptions.NewConnectionError) is not None


class RateWatch:
    """Notices an answer that drips: fewer than so many bytes a second over a whole window.

    A time-out only sees silence; one byte a minute would hold a thread for ever. Only time
    spent waiting for the network counts, not what the reader does between two pieces.
    """

    def __init__(
        self,
        minimum_bytes_per_second: float,
        clock: Callable[[], float],
        window_seconds: float = RATE_WINDOW_SECONDS,
    ) -> None:
        self._minimum = minimum_bytes_per_second
        self._window = window_seconds
        self._clock = clock
        self._seconds = 0.0
        self._bytes = 0
        self._started = 0.0

    def begin(self) -> None:
        """A read of the network starts."""
        self._started = self._clock()

    def end(self, count: int) -> bool:
        """A read brought `count` bytes. False when the window ended too slow."""
        self._seconds += self._clock() - self._started
        self._bytes += count
        if self._seconds < self._window:
            return True
        fast_enough = self._bytes >= self._minimum * self._seconds
        self._seconds, self._bytes = 0.0, 0
        return fast_enough


@dataclass(frozen=True)
class RawAnswer:
    """An answer whose body is still on the wire.

    `encoding` is "gzip" or "identity"; `content_type` is without parameters, in lower case.
    Read it once, by `pieces` or by `unpacked`.
    """

    status: int
    headers: Mapping[str, str] = field(repr=False)
    encoding: str
    content_type: str
    _raw: Any = field(repr=False)
    _watch: RateWatch = field(repr=False)
    _what: str = field(repr=False)
    _heard: Callable[[int], None] = field(repr=False, default=lambda _: None)

    def pieces(self, size: int = PIECE_BYTES) -> Iterator[bytes]:
        """The body exactly as received (chunk framing removed), at most `size` bytes at a time.

        Raises NetworkFault (Transient) when it is shorter than declared, breaks or drips.
        """
        raw = self._raw
        while True:
            left = raw.length_remaining
            self._watch.begin()
            try:
                # read1 hands out what has arrived; read would wait until `size` bytes are
                # there, and a slow drip would never come to the watch.
                piece = raw.read1(size if not left else min(size, left), decode_content=False)
            except NETWORK_FAULTS as error:
                raise network_fault(error, self._what) from None
            if not piece:
                if left:  # a stand-in for the wire that does not check by itself
                    raise NetworkFault(f"The answer to {self._what} is shorter than declared.")
                return
            self._heard(len(piece))
            if not self._watch.end(len(piece)):
                raise NetworkFault(f"The answer to {self._what} came too slowly.")
            yield piece
            if left is not None and left <= len(piece):
                return

    def unpacked(self, limit_bytes: int) -> Iterator[bytes]:
        """The body without its gzip packing, never more than `limit_bytes` in all.

        Raises DamagedAnswer when the gzip stream ends early, is altered or goes on behind its
        end, or when the limit is passed; NetworkFault as `pieces` does.
        """
        if self.encoding == "gzip":
            gunzip = Gunzip(limit_bytes=limit_bytes)
            for piece in self.pieces():
                yield from gunzip.feed(piece)
            yield from gunzip.finish()
            return
        total = 0
        for piece in self.pieces():
            total += len(piece)
            if total > limit_bytes:
                raise DamagedAnswer(
                    f"The answer to {self._what} is larger than the {limit_bytes:,} bytes allowed."
                )
            yield piece


def raw_answer(
    response: requests.Response,
    what: str,
    *,
    minimum_bytes_per_second: float = MINIMUM_BYTES_PER_SECOND,
    clock: Callable[[], float] = time.monotonic,
    heard: Callable[[int], None] = lambda _: None,
) -> RawAnswer:
    """Wrap an unread response; `heard` is told of bytes as they arrive.

    Raises DamagedAnswer for a packing that nobody asked for.
    """
    encoding = response.headers.get("Content-Encoding", "").strip().lower() or "identity"
    if encoding == "x-gzip":
        encoding = "gzip"
    if encoding not in ("gzip", "identity"):
        raise DamagedAnswer(f"The answer to {what} is packed in a way that was not asked for.")
    headers: CaseInsensitiveDict[str] = CaseInsensitiveDict(
        (name, value)
        for name, value in response.headers.items()
        if name.lower() not in ("set-cookie", "authorization")
    )
    content_type = headers.get("Content-Type", "").partition(";")[0].strip().lower()
    return RawAnswer(
        status=response.status_code,
        headers=headers,
        encoding=encoding,
        content_type=content_type,
        _raw=response.raw,
        _watch=RateWatch(minimum_bytes_per_second, clock),
        _what=what,
        _heard=heard,
    )
