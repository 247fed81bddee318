"""A CONNECT proxy on the loopback that keeps what it sees."""

from __future__ import annotations

import base64
import contextlib
import select
import socket
import threading


class Proxy:
    """Takes CONNECT and leads every tunnel to one port of this computer."""

    def __init__(self, port: int, *, login: str = "", refuse: str = "") -> None:
        self._port = port
        self._wanted = base64.b64encode(login.encode()).decode() if login else ""
        self._refuse = refuse
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.netloc = f"127.0.0.1:{self._socket.getsockname()[1]}"
        self.heads: list[bytes] = []
        self.bodies = b""
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            threading.Thread(target=self._tunnel, args=(connection,), daemon=True).start()

    def _tunnel(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            head = b""
            while b"\r\n\r\n" not in head:
                piece = connection.recv(65536)
                if not piece:
                    return
                head += piece
            self.heads.append(head)
            if self._refuse:
                connection.sendall(f"HTTP/1.1 {self._refuse}\r\n\r\n".encode())
                return
            if self._wanted and f"Basic {self._wanted}".encode() not in head:
                connection.sendall(b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n")
                return
            with socket.create_connection(("127.0.0.1", self._port)) as org:
                connection.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
                pairs = {connection: org, org: connection}
                while True:
                    for ready in select.select(list(pairs), [], [], 10)[0]:
                        data = ready.recv(65536)
                        if not data:
                            return
                        self.bodies += data
                        pairs[ready].sendall(data)

    def __enter__(self) -> Proxy:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()
