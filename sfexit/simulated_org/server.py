"""HTTP/1.1 in front of a simulated org: keep-alive, gzip, chunked bodies, an audit log."""

from __future__ import annotations

import socket
import ssl
import struct
import sys
import threading
import traceback
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from email.message import Message
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, NamedTuple
from urllib.parse import unquote

from . import mishaps
from .answers import Answer
from .errors import ApiError
from .faults import BEFORE, CONTENT, TRANSPORT, Fault, FaultPlan
from .mishaps import first
from .org import SimulatedOrg
from .pace import Pace, Throttle
from .request import Request, error_answer
from .routes import Routes

URI_AND_HEADERS = 16_384  # Limits quick reference: URI plus headers, in bytes
BUFFER = 1 << 16


class LogEntry(NamedTuple):
    """One request, as it was seen."""

    method: str
    path: str
    query: str
    status: int
    token_seen: bool
    host: str


def gzipped(parts: Iterator[bytes]) -> Iterator[bytes]:
    """A gzip stream, level 1."""
    packer = zlib.compressobj(1, zlib.DEFLATED, 31)
    for part in parts:
        out = packer.compress(part)
        if out:
            yield out
    yield packer.flush()


def dict_of(headers: Message[str, str]) -> Mapping[str, str]:
    """Header lines by name, in any case."""
    return CaseInsensitive({k.lower(): v for k, v in headers.items()})


class CaseInsensitive(dict[str, str]):
    """A mapping whose keys are looked up in lower case."""

    def get(self, key: str, default: Any = None) -> Any:
        return super().get(key.lower(), default)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = BUFFER
    disable_nagle_algorithm = True
    server: _Server
    server_version = "sfdcedge"
    sys_version = ""
    dropped = False

    def log_message(self, format: str, *args: Any) -> None:
        """Silence: the audit log is ``server.requests``."""

    def setup(self) -> None:
        context = self.server.tls
        if context is not None:
            self.request = context.wrap_socket(self.request, server_side=True)
        self.server.open_sockets.add(self.request)
        super().setup()

    def handle(self) -> None:
        try:
            super().handle()
        except (OSError, ValueError):  # the other side went away, or we closed the files
            self.close_connection = True
            if not self.dropped and not isinstance(sys.exception(), OSError):
                raise

    def finish(self) -> None:
        with suppress(OSError, ValueError):
            super().finish()
        self.server.open_sockets.discard(self.request)
        with suppress(OSError):
            self.request.shutdown(socket.SHUT_WR)
        self.request.close()

    def _read_body(self) -> bytes:
        if "chunked" not in self.headers.get("Transfer-Encoding", "").lower():
            length = self.headers.get("Content-Length", "0")
            return self.rfile.read(int(length)) if length.isdigit() else b""
        parts = []
        while size := int(self.rfile.readline().split(b";")[0].strip() or b"0", 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        while self.rfile.readline().strip():
            pass  # trailers
        return b"".join(parts)

    # -- one request --------------------------------------------------------------------

    def _any(self) -> None:
        front = self.server.front
        path, _, query = self.path.partition("?")
        body = self._read_body()
        scheme = "https" if self.server.tls else "http"
        host = self.headers.get("Host") or front.netloc
        request = Request(
            self.command,
            self.path,
            unquote(path),
            query,
            dict_of(self.headers),
            body,
            f"{scheme}://{host}",
        )
        if front.pace.latency_seconds:
            front.stopping.wait(front.pace.latency_seconds)
        size = len(self.path) + sum(len(k) + len(v) + 4 for k, v in self.headers.items())
        endpoint, handler, parts = front.routes.match(request)
        faults: list[Fault] = []
        object_name = ""
        if front.faults.faults:
            object_name = front.routes.object_of(endpoint, request, parts)
            faults = front.faults.strike(endpoint, object_name)
        answer = self._mishap(faults, request, parts, object_name)
        if answer is None and not self.dropped:
            if size > URI_AND_HEADERS:
                answer = self._too_long()
            else:
                try:
                    answer = front.routes.answer(endpoint, handler, request, parts)
                except Exception:  # a fault of ours: to be seen, not guessed at
                    front.crashes.append(traceback.format_exc())
                    answer = error_answer(
                        ApiError(500, "UNKNOWN_EXCEPTION", "An unexpected error occurred.")
                    )
            for fault in faults:
                if fault.kind in CONTENT:
                    mishaps.content(front.org, fault, request, answer)
        front.requests.append(
            LogEntry(
                self.command,
                path,
                query,
                answer.status if answer else 0,
                "Authorization" in self.headers,
                host,
            )
        )
        if answer is not None:
            self._send(endpoint, answer, [f for f in faults if f.kind in TRANSPORT])

    do_GET = do_POST = do_PATCH = do_PUT = do_DELETE = do_HEAD = _any

    def _mishap(
        self, faults: list[Fault], request: Request, parts: dict[str, str], object_name: str
    ) -> Answer | None:
        front = self.server.front
        for fault in faults:
            if fault.kind == "hang":
                front.stopping.wait(float(fault.get("seconds", 30)))
                if fault.get("then", "answer") == "close":
                    self._drop()
                    return None
            elif fault.kind == "refuse":
                self._drop(reset=True)
                front.refuse_connections(float(fault.get("seconds", 1)))
                return None
            elif fault.kind in BEFORE:
                answer = mishaps.before(front.org, fault, request, parts, object_name)
                if answer is not None:
                    return answer
        return None

    def _too_long(self) -> Answer:
        status, reason = (
            (414, "URI Too Long")
            if len(self.path) > 8000
            else (431, "Request Header Fields Too Large")
        )
        page = f"<h1>Bad Message {status}</h1><pre>reason: {reason}</pre>"
        return Answer(status, page.encode(), "text/html;charset=iso-8859-1")

    def _drop(self, reset: bool = False) -> None:
        """End the connection: with RST (SO_LINGER 0) or cleanly."""
        self.close_connection = self.dropped = True
        if reset:
            self.wfile.flush()
            linger = struct.pack("ii", 1, 0)
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            # the files share the socket: only with all of them closed does it go
            self.rfile.close()
            self.wfile.close()
            self.connection.close()

    # -- the answer ---------------------------------------------------------------------

    def _head(self, endpoint: str, answer: Answer) -> None:
        org = self.server.front.org
        self.send_response_only(answer.status)
        self.send_header("Date", formatdate(org.now(), usegmt=True))
        if endpoint not in Routes.OPEN and endpoint != "userinfo" and answer.status != 401:
            self.send_header("Sforce-Limit-Info", org.usage())
        for name, value in answer.headers.items():
            self.send_header(name, value)

    def _send(self, endpoint: str, answer: Answer, faults: list[Fault]) -> None:
        if first(faults, "lost_answer"):
            return self._drop(reset=True)
        self._head(endpoint, answer)
        if answer.status in (204, 304) or self.command == "HEAD":
            self.end_headers()
            self.wfile.flush()
            return None
        self.send_header("Content-Type", answer.content_type)
        self.send_header("Vary", "Accept-Encoding")
        wants_gzip = "gzip" in self.headers.get("Accept-Encoding", "").lower()
        wants_gzip = wants_gzip and first(faults, "identity") is None
        wants_gzip = wants_gzip and self.server.front.org.doubts.pages_compressed
        faults = [f for f in faults if f.kind != "identity"]
        if answer.length is not None and not wants_gzip and [f.kind for f in faults] == ["reset"]:
            return self._send_then_reset(answer, int(faults[0].get("after", answer.length // 2)))
        if faults:
            return self._send_spoiled(answer, faults, wants_gzip)
        if isinstance(answer.body, bytes):
            body = answer.body
            if wants_gzip and len(body) > 800:
                body = b"".join(gzipped(iter([body])))
                self.send_header("Content-Encoding", "gzip")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if not self._paced(body, self._throttle(), self.wfile.write):
                return self._drop()
        elif answer.length is not None and not wants_gzip:
            self.send_header("Content-Length", str(answer.length))
            self.end_headers()
            throttle = self._throttle()
            for part in answer.body:
                if not self._paced(part, throttle, self.wfile.write):
                    return self._drop()
        else:
            if wants_gzip:
                self.send_header("Content-Encoding", "gzip")
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            throttle = self._throttle()
            for part in gzipped(answer.body) if wants_gzip else answer.body:
                if not self._paced(part, throttle, self._chunk):
                    return self._drop()
            self.wfile.write(b"0\r\n\r\n")
        self.wfile.flush()
        return None

    def _send_then_reset(self, answer: Answer, after: int) -> None:
        """The beginning of a large body, never whole in memory."""
        self.send_header("Content-Length", str(answer.length))
        self.end_headers()
        for part in answer.body:
            self.wfile.write(part[:after])  # type: ignore[index]
            after -= len(part)  # type: ignore[arg-type]
            if after <= 0:
                break
        self._drop(reset=True)

    def _throttle(self) -> Throttle | None:
        front = self.server.front
        rate = front.pace.stream_bytes_per_second
        return Throttle(rate, front.stopping.wait) if rate else None

    def _paced(
        self, body: bytes, throttle: Throttle | None, write: Callable[[bytes], object]
    ) -> bool:
        """Write at the stream's rate; False when the server stopped meanwhile."""
        if throttle is None:
            write(body)
            return True
        for piece in mishaps.pieces(body, throttle.PIECE):
            write(piece)
            self.wfile.flush()
            if not throttle.passed(len(piece)):
                return False
        return True

    def _chunk(self, part: bytes) -> None:
        self.wfile.write(b"%x\r\n" % len(part))
        self.wfile.write(part)
        self.wfile.write(b"\r\n")

    def _send_spoiled(self, answer: Answer, faults: list[Fault], wants_gzip: bool) -> None:
        front = self.server.front
        explosive = first(faults, "bomb")
        if explosive is not None:
            letter = str(explosive.get("letter", "A")).encode()
            body = mishaps.bomb(int(explosive.get("size", 1 << 30)), letter)
            wants_gzip = True
        else:
            body = answer.text()
            if wants_gzip:
                body = b"".join(gzipped(iter([body])))
        for fault in faults:
            body = mishaps.spoil(fault, body, wants_gzip)
        if wants_gzip:
            self.send_header("Content-Encoding", "gzip")
        cut = first(faults, "chunk_cut")
        if cut is not None:
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            keep = int(cut.get("after", len(body) // 2))
            if keep:
                self._chunk(body[:keep])
            if cut.get("where", "inside") == "inside":
                rest = body[keep:] or b"?"
                self.wfile.write(b"%x\r\n" % (len(rest) + 1) + rest[: len(rest) // 2])
            self.wfile.flush()
            return self._drop()
        short = first(faults, "close_short")
        missing = int(short.get("missing", 1000)) if short else 0
        self.send_header("Content-Length", str(len(body) + missing))
        self.end_headers()
        cut = first(faults, "reset")
        if cut is not None:
            self.wfile.write(body[: int(cut.get("after", len(body) // 2))])
            return self._drop(reset=True)
        drip = first(faults, "slow_drip")
        if drip is not None:
            rate = float(drip.get("rate", 1))
            step = max(1, int(rate / 10))
            for piece in mishaps.pieces(body, step):
                self.wfile.write(piece)
                self.wfile.flush()
                if front.stopping.wait(len(piece) / rate):
                    return self._drop()
        else:
            self.wfile.write(body)
        self.wfile.flush()
        if short:
            self._drop()
        return None


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128
    block_on_close = False
    allow_reuse_address = True

    def __init__(self, front: SimulatedServer, port: int, tls: ssl.SSLContext | None) -> None:
        self.front = front
        self.tls = tls
        self.open_sockets: set[socket.socket] = set()
        super().__init__((front.host, port), _Handler)

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002
        """Keep what went wrong in our own code; a broken connection is no news."""
        if not isinstance(sys.exception(), OSError):
            self.front.crashes.append(traceback.format_exc())


class SimulatedServer:
    """A running server; a context manager."""

    host = "127.0.0.1"

    def __init__(
        self,
        org: SimulatedOrg,
        faults: FaultPlan | None,
        tls: ssl.SSLContext | None,
        port: int,
        pace: Pace | None = None,
    ) -> None:
        self.org = org
        self.pace = pace if pace is not None else Pace()
        org.jobs.pace = self.pace
        self.faults = faults if faults is not None else FaultPlan()
        self.tls = tls
        self.routes = Routes(org)
        self.requests: list[LogEntry] = []
        #: Tracebacks of errors in the simulated org itself; tests want this empty.
        self.crashes: list[str] = []
        self.stopping = threading.Event()
        self._gate = threading.Lock()
        self._server = _Server(self, port, tls)
        self.port: int = self._server.server_address[1]
        self._listening = True
        self._thread = self._run()

    def _run(self) -> threading.Thread:
        thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
        )
        thread.start()
        return thread

    def fail(self, kind: str, endpoint: str = "*", **details: Any) -> Fault:
        """Plan one more fault while running."""
        fault = Fault(kind, endpoint, **details)
        self.faults.add(fault)
        return fault

    def refuse_connections(self, seconds: float | None = None) -> None:
        """Close the listening socket: connections are refused until ``accept_connections``, or
        for some seconds."""

        def stop() -> None:
            with self._gate:
                self._stop_listening()
            if seconds is not None and not self.stopping.wait(seconds):
                self.accept_connections()

        if seconds is None:
            stop()
        else:
            threading.Thread(target=stop, daemon=True).start()

    def accept_connections(self) -> None:
        """Listen again, on the same port."""
        with self._gate:
            if not self._listening and not self.stopping.is_set():
                self._server = _Server(self, self.port, self.tls)
                self._thread = self._run()
                self._listening = True

    def _stop_listening(self) -> None:
        if not self._listening:
            return
        self._listening = False
        self._server.shutdown()
        self._server.server_close()
        for open_socket in list(self._server.open_sockets):
            with suppress(OSError):
                open_socket.shutdown(socket.SHUT_RDWR)
        self._thread.join(5)

    @property
    def netloc(self) -> str:
        """Host and port."""
        return f"{self.host}:{self.port}"

    @property
    def url(self) -> str:
        """The instance URL."""
        return f"{'https' if self.tls else 'http'}://{self.netloc}"

    def close(self) -> None:
        """Stop listening and end open connections."""
        self.stopping.set()
        with self._gate:
            self._stop_listening()

    def __enter__(self) -> SimulatedServer:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def serve(
    org: SimulatedOrg,
    faults: FaultPlan | None = None,
    tls: ssl.SSLContext | None = None,
    port: int = 0,
    pace: Pace | None = None,
) -> SimulatedServer:
    """Serve ``org`` on 127.0.0.1 in a background thread, as slowly as ``pace`` says."""
    return SimulatedServer(org, faults, tls, port, pace)
