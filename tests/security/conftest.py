"""What the rows of the security table share: an org, and a host that is not the org's."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import keyring
import pytest
from commands.conftest import company, home, sfexit
from keyring.backends import fail

__all__ = ["company", "home", "sfexit"]


class Stranger:
    """A server that no token may reach; it answers whatever it is asked, and keeps the heads."""

    def __init__(self) -> None:
        heads: list[bytes] = []

        class Handler(BaseHTTPRequestHandler):
            def any(self) -> None:
                size = int(self.headers.get("Content-Length") or 0)
                heads.append(f"{self.requestline}\n{self.headers}".encode() + self.rfile.read(size))
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", "33")
                self.end_headers()
                self.wfile.write(b'{"totalSize":0,"done":true,"a":1}')

            do_GET = do_POST = do_HEAD = any

            def log_message(self, *_: object) -> None:
                pass

        self.heads = heads
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.netloc = f"127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def stranger() -> Iterator[Stranger]:
    found = Stranger()
    yield found
    found.close()


@pytest.fixture(autouse=True)
def no_key_ring() -> Iterator[None]:
    """The developer's own key ring stays out of it."""
    before = keyring.get_keyring()
    keyring.set_keyring(fail.Keyring())
    yield
    keyring.set_keyring(before)
