"""Stand-ins for the wire: a socket server that lies as told, and a credential without sign-in."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections.abc import Callable, Iterable
from typing import Any

from sfexit.progress import Silent
from sfexit.redaction import Secret
from sfexit.salesforce.client import Client
from sfexit.salesforce.origin import Origin

TOKEN = "00D5g0000000001EAA!AQcAQH0dMHcanaryCANARY"
NEW_TOKEN = "00D5g0000000001EAA!AQcAQH0dMHrenewedRENEWED"
ORG = "https://acme.my.salesforce.com"


class FakeCredential:
    kind = "test"
    renewable = True

    def __init__(self, url: str = ORG, *, tokens: Iterable[str] = (TOKEN, NEW_TOKEN)) -> None:
        self.origin = Origin.parse(url)
        self._tokens = [Secret(token) for token in tokens]
        self.renewals = 0
        self._lock = threading.Lock()

    def token(self) -> Secret:
        return self._tokens[0]

    def renew(self, stale: Secret) -> Secret:
        with self._lock:
            if self._tokens[0] == stale and len(self._tokens) > 1:
                self._tokens.pop(0)
                self.renewals += 1
            return self._tokens[0]


class Notes(Silent):
    """Keeps what the client tells."""

    def __init__(self) -> None:
        self.notes: list[str] = []
        self.spent: list[tuple[int, int | None]] = []

    def note(self, text: str) -> None:
        self.notes.append(text)

    def calls(self, used: int, budget: int | None) -> None:
        self.spent.append((used, budget))


class Sleeps(list[float]):
    """A sleep that only writes down how long it would have been."""

    def __call__(self, seconds: float) -> None:
        self.append(seconds)


class Clock:
    """A clock that moves only when told, or by `step` at each look."""

    def __init__(self, step: float = 0.0) -> None:
        self.now = 1000.0
        self.step = step

    def __call__(self) -> float:
        self.now += self.step
        return self.now


def client_for(url: str = ORG, *, version: str = "66.0", **options: Any) -> Client:
    """A client that never sleeps and does not ask for the version."""
    options.setdefault("sleep", Sleeps())
    credential = options.pop("credential", None) or FakeCredential(url)
    client = Client(credential, **options)
    client._version = version
    return client


Script = Callable[[socket.socket, bytes], None]


class WireServer:
    """Answers each request with the next of `scripts` (the last one for ever)."""

    def __init__(self, *scripts: Script | bytes) -> None:
        self._scripts = list(scripts)
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.requests: list[bytes] = []
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            with connection, contextlib.suppress(OSError):
                connection.settimeout(5)
                request = self._read(connection)
                if not request:
                    continue
                self.requests.append(request)
                script = self._scripts.pop(0) if len(self._scripts) > 1 else self._scripts[0]
                if isinstance(script, bytes):
                    connection.sendall(script)
                else:
                    script(connection, request)

    @staticmethod
    def _read(connection: socket.socket) -> bytes:
        data = b""
        while b"\r\n\r\n" not in data:
            piece = connection.recv(65536)
            if not piece:
                return data
            data += piece
        head, _, body = data.partition(b"\r\n\r\n")
        for line in head.split(b"\r\n"):
            if line.lower().startswith(b"content-length:"):
                wanted = int(line.split(b":")[1])
                while len(body) < wanted:
                    body += connection.recv(65536)
        return head + b"\r\n\r\n" + body

    def close(self) -> None:
        self._socket.close()

    def __enter__(self) -> WireServer:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def reset(connection: socket.socket) -> None:
    """Close so that the other side sees a reset."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def answer(
    body: bytes,
    *,
    status: str = "200 OK",
    content_type: str = "application/json",
    length: int | None = None,
    extra: str = "",
) -> bytes:
    """A whole HTTP answer, `length` may lie."""
    size = len(body) if length is None else length
    head = (
        f"HTTP/1.1 {status}\r\nContent-Type: {content_type}\r\nContent-Length: {size}\r\n"
        f"Connection: close\r\n{extra}\r\n"
    )
    return head.encode() + body


def chunked(pieces: Iterable[bytes], *, end: bool = True, extra: str = "") -> bytes:
    """A chunked answer; `end` False leaves out the last chunk."""
    head = (
        "HTTP/1.1 200 OK\r\nContent-Type: text/csv\r\nTransfer-Encoding: chunked\r\n"
        f"Connection: close\r\n{extra}\r\n"
    )
    body = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces)
    return head.encode() + body + (b"0\r\n\r\n" if end else b"")
