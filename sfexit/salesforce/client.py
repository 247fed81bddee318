"""The one door to the org: every request of sfexit passes here.

It refuses what would change the org unless opened for writing, counts API calls against a
budget, renews the session once, reads bodies raw, names every error, and retries in one layer.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, NoReturn, TypeVar
from urllib.parse import quote_plus, urlsplit

import requests
from requests.auth import AuthBase

from sfexit.errors import (
    DamagedAnswer,
    OutcomeUnknown,
    QuotaSpent,
    SessionLost,
    SfexitError,
    Transient,
    UsageProblem,
)
from sfexit.progress import SILENT, Progress
from sfexit.redaction import Secret, printable
from sfexit.salesforce import gate, refusals, retries, soap
from sfexit.salesforce.budget import CallBudget
from sfexit.salesforce.login import Credential
from sfexit.salesforce.origin import HostBoundAuth, NoAuth, Origin, SessionInMessage
from sfexit.salesforce.transport import (
    DEFAULT_TIMEOUTS,
    MINIMUM_BYTES_PER_SECOND,
    NETWORK_FAULTS,
    NetworkFault,
    RawAnswer,
    network_fault,
    new_session,
    raw_answer,
    transmit,
)
from sfexit.salesforce.versions import choose_version

T = TypeVar("T")

JSON_LIMIT_BYTES = 256 * 1024 * 1024
_ERROR_LIMIT_BYTES = 256 * 1024
_XML_TYPES = ("text/xml", "application/xml", "application/soap+xml")
# Statuses that mean many things: a spent quota, a vanished field, a query that is too much.
_TOLD_BY_BODY = (400, 403)


@dataclass(frozen=True)
class Verbatim:
    """A body that is sent as it is: CSV of an ingest job, a form."""

    content_type: str
    data: bytes

    def __repr__(self) -> str:
        return f"<{self.content_type}, {len(self.data):,} bytes>"


def encode_query(params: Mapping[str, str]) -> str:
    """A query string, with as few escapes as SOQL allows: the address has a length limit."""
    return "&".join(
        f"{quote_plus(name)}={quote_plus(value, safe=',()*')}" for name, value in params.items()
    )


class Client:
    """A session with one org. Safe for several threads; close it, or use it in `with`.

    Paths are either whole ("/services/data/v66.0/limits") or relative to the API version in use
    ("/limits"). Every method may raise SignInProblem (SessionLost when the session ended and
    cannot be renewed), QuotaSpent, OrgRefused, Interrupted, and Transient after the last try.
    """

    def __init__(
        self,
        credential: Credential,
        *,
        api_version: str | None = None,
        budget_share: float = 0.5,
        progress: Progress = SILENT,
        stop: threading.Event | None = None,
        timeouts: tuple[float, float] = DEFAULT_TIMEOUTS,
        minimum_bytes_per_second: float = MINIMUM_BYTES_PER_SECOND,
        sleep: Callable[[float], None] | None = None,
        clock: Callable[[], float] = time.monotonic,
        writable: bool = False,
        streams: int = 8,
        ca_bundle: str | None = None,
    ) -> None:
        """`timeouts`: seconds to connect, and seconds of silence. `budget_share`: of the calls
        left when the run starts. `stop` ends waits, never a transfer. Sends nothing yet.
        """
        if ca_bundle is not None and not Path(ca_bundle).exists():
            raise UsageProblem(f"The certificate file {ca_bundle} of --ca-bundle does not exist.")
        self._credential = credential
        self._pinned = api_version
        self._stop = stop
        self._sleep = sleep
        self._clock = clock
        self._slowest = minimum_bytes_per_second
        self._ca_bundle = ca_bundle
        self._reached = False  # whether the org ever answered
        self.writable = writable
        self.streams = streams
        self.progress = progress
        self.server_time: datetime | None = None  # UTC, of the newest answer
        self.deprecation: str | None = None  # the org's own words about the API version
        self.wire_bytes = 0  # bodies received so far, as packed as they came
        self._wire_lock = threading.Lock()
        self.budget = CallBudget(budget_share, server_time=lambda: self.server_time)
        self.throttle = retries.Throttle(streams, clock)
        self._breaker = retries.Breaker(clock)
        self._retries = retries.Retries(
            sleep=self.pause, note=progress.note, on_fault=self._count_fault
        )
        self._http = new_session(streams=streams, timeouts=timeouts)
        self._version: str | None = None
        self._version_lock = threading.Lock()
        self._asking = threading.local()

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Client {'writable' if self.writable else 'read-only'}>"

    def close(self) -> None:
        """Close all connections."""
        self._http.close()

    # --- where the org is ---

    @property
    def origin(self) -> Origin:
        """The address of the org; may sign in to learn it."""
        return self._credential.origin

    def anchor(self, server_supplied: str) -> str:
        """A link that the org sent, as a path that is safe to follow. Raises DamagedAnswer."""
        return self.origin.anchor(server_supplied)

    @property
    def version(self) -> str:
        """The API version in use, such as "66.0". Asks the org for its list at first use."""
        with self._version_lock:
            if self._version is None:
                listed = self.get_json("/services/data")
                versions = [
                    str(entry["version"])
                    for entry in (listed if isinstance(listed, list) else [])
                    if isinstance(entry, dict) and "version" in entry
                ]
                self._version = choose_version(versions, self._pinned)
            return self._version

    @property
    def base(self) -> str:
        """Where this version's resources begin: "/services/data/v66.0"."""
        return f"/services/data/v{self.version}"

    # --- reading ---

    def get_json(
        self,
        path: str,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Any:
        """GET, parsed as JSON; retried."""
        return self._get(path, params, headers, _parse)

    def get_text_numbers(
        self,
        path: str,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Any:
        """GET, parsed as JSON with every number as its own text ("10.50" stays "10.50")."""
        return self._get(path, params, headers, _parse_text_numbers)

    def get_bytes(
        self,
        path: str,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> bytes:
        """GET, the body verbatim (without its gzip packing), after checking that it is JSON."""

        def checked(body: bytes, what: str) -> bytes:
            _parse(body, what)
            return body

        return self._get(path, params, headers, checked)

    def _get(
        self,
        path: str,
        params: Mapping[str, str] | None,
        headers: Mapping[str, str] | None,
        read: Callable[[bytes, str], T],
    ) -> T:
        target = self._target(path, params)

        what = f"GET {gate.shown(target)}"

        def once() -> T:
            with self._exchange("GET", target, headers) as answer:
                body = b"".join(answer.unpacked(JSON_LIMIT_BYTES))
            _check_json(answer, body, what)
            result = read(body, what)
            self._went_well()
            return result

        return self.retried(once, what)

    @contextmanager
    def stream(
        self,
        path: str,
        headers: Mapping[str, str] | None = None,
        params: Mapping[str, str] | None = None,
    ) -> Iterator[RawAnswer]:
        """GET once, with the body still on the wire: `with client.stream(path) as answer`.

        No retry here: wrap the whole unit of work, reading included, in `retried`.
        """
        with self._exchange("GET", self._target(path, params), headers) as answer:
            yield answer
        self._went_well()

    @contextmanager
    def stream_public(self, address: str) -> Iterator[RawAnswer]:
        """GET once, without the session, what the org says that anybody may see.

        Only from hosts of Salesforce, never followed elsewhere; from this computer only if the org
        is there. The status is the caller's to judge. Raises DamagedAnswer for another address,
        and what a fault of the network is.
        """
        try:
            parts = urlsplit(address)
            origin = Origin.parse(f"{parts.scheme}://{parts.netloc}")
        except (UsageProblem, ValueError) as problem:
            raise DamagedAnswer("The org names a file on a host that is not its own.") from problem
        if origin.loopback and not self.origin.loopback:
            raise DamagedAnswer("The org names a file on this computer.")
        path = parts.path + (f"?{parts.query}" if parts.query else "")
        headers = {"Accept": "image/*", "Accept-Encoding": "identity"}
        request = requests.Request("GET", origin.url(path), headers=headers, auth=NoAuth())
        what = f"GET {origin}{parts.path[:60]}"
        with self.throttle.place(self._stop):
            try:
                response = transmit(self._http, request, origin, ca_bundle=self._ca_bundle)
            except NETWORK_FAULTS as error:
                raise network_fault(error, what) from None
            try:
                yield self._raw(response, what)
            finally:
                response.close()

    def ask(self, path: str, body: Any, read: Callable[[bytes], T]) -> T:
        """POST a question that changes nothing (a composite of GETs); what `read` makes of it.

        Retried like a GET, `read` included: asking twice does no harm, and a DamagedAnswer of
        `read` is worth another try. Raises Blocked for any other POST.
        """
        target = self._target(path, None)
        gate.check("POST", target, body, writable=False)
        what = f"POST {gate.shown(target)}"

        def once() -> T:
            with self._exchange("POST", target, None, body) as answer:
                content = b"".join(answer.unpacked(JSON_LIMIT_BYTES))
            _check_json(answer, content, what)
            result = read(content)
            self._went_well()
            return result

        return self.retried(once, what)

    def soap(self, call: soap.Call, read: Callable[[RawAnswer], T]) -> T:
        """One reading call of the Metadata API; what `read` makes of the answer on the wire.

        Retried like a GET, `read` included. The session goes into the message, to the org's own
        address alone. Raises Blocked for a call that could change something.
        """
        target = f"/services/Soap/m/{self.version}"
        what = f"{call.operation} {gate.shown(target)}"
        gate.check("POST", target, call, writable=False)

        def once() -> T:
            with self._exchange("POST", target, None, call) as answer:
                if answer.content_type not in _XML_TYPES:
                    kind = printable(answer.content_type, 60) or "something unnamed"
                    raise DamagedAnswer(f"The answer to {what} is {kind} instead of XML.")
                result = read(answer)
            self._went_well()
            return result

        return self.retried(once, what)

    # --- changing ---

    def send_once(
        self,
        method: str,
        path: str,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
    ) -> Any:
        """POST, PATCH or DELETE, one attempt; the answer as parsed JSON, None when it is empty.

        Raises OutcomeUnknown when the request may have worked: the network failed after sending,
        the server answered 5xx, or its answer is damaged. A Transient of another kind means that
        nothing happened. A 401 is a known outcome: the session is renewed, the request repeated.
        Raises Blocked when the client is for reading only.
        """
        target = self._target(path, None)
        what = f"{method} {gate.shown(target)}"
        unknown = OutcomeUnknown(
            f"The org gave no usable answer to {what}, so it may or may not have acted; look "
            "before repeating."
        )
        try:
            with self._exchange(method, target, headers, body) as answer:
                content = b"".join(answer.unpacked(JSON_LIMIT_BYTES))
            if not content.strip():
                self._went_well()
                return None
            _check_json(answer, content, what)
            parsed = _parse(content, what)
        except refusals.PassingRefusal as error:
            if error.status >= 500 or error.status == 408:
                raise unknown from error
            raise
        except NetworkFault as error:
            if error.nothing_sent:
                raise
            raise unknown from error
        except DamagedAnswer as error:
            raise unknown from error
        self._went_well()
        return parsed

    # --- retrying and waiting ---

    def retried(self, fn: Callable[[], T], what: str) -> T:
        """Run `fn` under the one retry layer; `what` names the work in notes and errors.

        Nested use in one thread does not multiply the tries. Raises the last Transient with the
        number of tries; OutcomeUnknown at once; Interrupted when asked to stop while waiting.
        """
        return self._retries.run(fn, what)

    def pause(self, seconds: float) -> None:
        """Wait, but not when asked to stop. Raises Interrupted."""
        retries.pause(seconds, self._stop, self._sleep)

    def _count_fault(self, fault: Transient) -> None:
        if self._breaker.failed():
            self.progress.note(
                "Many requests in a row failed; all of them pause for a while before going on"
            )
        if retries.patience_for(fault) is refusals.CONCURRENT:
            self.throttle.too_many()

    def _went_well(self) -> None:
        self._breaker.worked()
        self.throttle.worked()

    # --- one request ---

    def _target(self, path: str, params: Mapping[str, str] | None) -> str:
        whole = path if path.startswith("/services/") else self.base + path
        if params:
            whole += ("&" if "?" in whole else "?") + encode_query(params)
        return whole

    @contextmanager
    def _exchange(
        self,
        method: str,
        target: str,
        headers: Mapping[str, str] | None,
        body: Any = None,
    ) -> Iterator[RawAnswer]:
        """One request and its good answer; renews the session once when it ended."""
        gate.check(method, target, body, writable=self.writable)
        wait = self._breaker.wait_seconds()
        if wait > 0:
            self.pause(wait)
        with self.throttle.place(self._stop):
            response = self._send_renewing(method, target, headers, body)
            try:
                yield self._raw(response, f"{method} {gate.shown(target)}")
            finally:
                response.close()

    def _send_renewing(
        self, method: str, target: str, headers: Mapping[str, str] | None, body: Any
    ) -> requests.Response:
        token = _signed_in(self._credential.token) if gate.needs_token(target) else None
        try:
            return self._send(method, target, headers, body, token)
        except refusals.SessionExpired:
            if token is None:
                raise SessionLost("The org asks for a session where none is needed.") from None
        stale = token
        fresh = _signed_in(lambda: self._credential.renew(stale))
        try:
            return self._send(method, target, headers, body, fresh)
        except refusals.SessionExpired:
            raise SessionLost(
                "The org refuses the new session as it refused the old one; check that the user "
                "may still use the API, then run the same command again. Progress is kept."
            ) from None

    def _send(
        self,
        method: str,
        target: str,
        headers: Mapping[str, str] | None,
        body: Any,
        token: Secret | None,
        *,
        free_of_budget: bool = False,
    ) -> requests.Response:
        """The one place where a request leaves. Returns the unread response of a 2xx answer."""
        origin = self._credential.origin
        what = f"{method} {gate.shown(target)}"
        sent_headers = {"Accept": "application/json", **(headers or {})}
        data = None
        auth: AuthBase = HostBoundAuth(origin, token) if token is not None else NoAuth()
        if isinstance(body, soap.Call):
            sent_headers |= {"Accept": "text/xml", "SOAPAction": '""'}
            sent_headers["Content-Type"] = "text/xml; charset=UTF-8"
            if token is not None:
                auth = SessionInMessage(origin, token, body.envelope)
        elif isinstance(body, Verbatim):
            data = body.data
            sent_headers["Content-Type"] = body.content_type
        elif body is not None:
            data = json.dumps(body, ensure_ascii=False).encode()
            sent_headers["Content-Type"] = "application/json; charset=UTF-8"
        request = requests.Request(
            method,
            origin.url(target),
            headers=sent_headers,
            data=data,
            auth=auth,
        )
        calls = 0 if free_of_budget else gate.calls(target, body)
        self.budget.take(calls)
        try:
            response = transmit(self._http, request, origin, ca_bundle=self._ca_bundle)
        except NETWORK_FAULTS as error:
            fault = network_fault(error, what)
            if isinstance(fault, NetworkFault) and fault.nothing_sent:
                self.budget.give_back(calls)
                told = (
                    f"No connection to {origin.host} could be made; check the address, the network "
                    "and the proxy."
                )
                if not self._reached:
                    raise refusals.PassingRefusal(told, refusals.FIRST_CONTACT) from None
                fault = NetworkFault(told, nothing_sent=True)
            raise fault from None
        self._reached = True
        self._note_headers(response.headers)
        if calls:
            self.progress.calls(self.budget.used, self.budget.budget)
        if response.status_code >= 300 or response.status_code < 200:
            self._refuse(response, what)
        return response

    def _refuse(self, response: requests.Response, what: str) -> NoReturn:
        body = b""
        try:
            answer = self._raw(response, what)
            body = b"".join(answer.unpacked(_ERROR_LIMIT_BYTES))
        except SfexitError:
            if response.status_code in _TOLD_BY_BODY:
                raise  # what the org said is lost on the way: ask again
            # The status alone has to do.
        finally:
            response.close()
        raise refusals.refusal(
            refusals.Refused(response.status_code, response.headers, body, what),
            daily_calls_left=self._daily_calls_left,
        ) from None

    def _daily_calls_left(self) -> int | None:
        """DailyApiRequests.Remaining, by one request that is neither retried nor refused."""
        if self._version is None:
            return None
        try:
            token = self._credential.token()
            target = f"/services/data/v{self._version}/limits"
            if getattr(self._asking, "limits", False):
                return None
            self._asking.limits = True
            try:
                response = self._send("GET", target, None, None, token, free_of_budget=True)
                with response:
                    answer = self._raw(response, "GET /limits")
                    found = _parse(b"".join(answer.unpacked(JSON_LIMIT_BYTES)), "GET /limits")
            finally:
                self._asking.limits = False
            left = found["DailyApiRequests"]["Remaining"]
            return left if isinstance(left, int) else None
        except QuotaSpent:
            return 0
        except (SfexitError, refusals.SessionExpired, KeyError, TypeError):
            return None

    def _raw(self, response: requests.Response, what: str) -> RawAnswer:
        return raw_answer(
            response,
            what,
            minimum_bytes_per_second=self._slowest,
            clock=self._clock,
            heard=self._count_bytes,
        )

    def _count_bytes(self, size: int) -> None:
        with self._wire_lock:
            self.wire_bytes += size

    def _note_headers(self, headers: Mapping[str, str]) -> None:
        self.budget.heard(headers.get("Sforce-Limit-Info"))
        moment = refusals.http_date(headers.get("Date", ""))
        if moment is not None and (self.server_time is None or moment > self.server_time):
            self.server_time = moment
        warning = headers.get("Warning", "").strip()
        # "Warning: 299 - …": the API version is deprecated (REST API guide, "Warning Header").
        if warning.startswith("299") and self.deprecation is None:
            self.deprecation = refusals.clean(warning[3:].strip(' -"'))
            self.progress.note(f"The org warns: {self.deprecation}")


def _check_json(answer: RawAnswer, body: bytes, what: str) -> None:
    if "html" in answer.content_type or body.lstrip()[:1] == b"<":
        raise DamagedAnswer(f"A web page came instead of data for {what}.")
    if answer.content_type and "json" not in answer.content_type:
        raise DamagedAnswer(
            f"The answer to {what} is {printable(answer.content_type, 60)} instead of JSON."
        )


def _signed_in(ask: Callable[[], Secret]) -> Secret:
    """The token. A passing fault of the sign-in leaves no doubt about the request itself."""
    try:
        return ask()
    except Transient as fault:
        raise refusals.PassingRefusal(
            fault.message,
            retries.patience_for(fault),
            retry_after_seconds=fault.retry_after_seconds,
        ) from fault


class _NotJson(ValueError):
    pass


def _no_constant(name: str) -> NoReturn:
    raise _NotJson(name)  # NaN and Infinity are no JSON


def _parse(body: bytes, what: str, *, number: Callable[[str], Any] | None = None) -> Any:
    try:
        return json.loads(
            body.decode("utf-8-sig"),
            parse_float=number,
            parse_int=number,
            parse_constant=_no_constant,
        )
    except (ValueError, RecursionError):
        raise DamagedAnswer(f"The answer to {what} is not whole JSON.") from None


def _parse_text_numbers(body: bytes, what: str) -> Any:
    return _parse(body, what, number=str)
