"""A time stamp authority (RFC 3161) on this machine, made with openssl."""

from __future__ import annotations

import http.server
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path

CONFIG = """
[tsa]
default_tsa = here
[here]
serial = serial
crypto_device = builtin
signer_digest = sha256
default_policy = 1.2.3.4.1
digests = sha256, sha384, sha512
accuracy = secs:1
tsa_name = yes
ess_cert_id_chain = no
ess_cert_id_alg = sha256
[dn]
[root]
basicConstraints = critical,CA:TRUE
keyUsage = critical,keyCertSign
subjectKeyIdentifier = hash
[signer]
basicConstraints = CA:FALSE
keyUsage = critical,digitalSignature
extendedKeyUsage = critical,timeStamping
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
[req]
distinguished_name = dn
"""


def openssl(folder: Path, line: str) -> bytes:
    done = subprocess.run(["openssl", *line.split()], cwd=folder, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def make(folder: Path) -> Path:
    """Keys and certificates of an authority; `root.pem` is what to trust."""
    (folder / "tsa.cnf").write_text(CONFIG)
    (folder / "serial").write_text("01\n")
    new = "-newkey rsa:2048 -nodes -config tsa.cnf"
    openssl(
        folder,
        f"req -x509 {new} -extensions root -subj /CN=Root -days 30 -keyout r.key -out root.pem",
    )
    openssl(folder, f"req {new} -subj /CN=Stamps -keyout s.key -out s.csr")
    openssl(
        folder,
        "x509 -req -in s.csr -CA root.pem -CAkey r.key -CAcreateserial -days 30 "
        "-extfile tsa.cnf -extensions signer -out s.pem",
    )
    return folder


Spoil = Callable[[bytes], bytes]


def start(
    folder: Path, spoil: Spoil = lambda answer: answer, status: int = 200
) -> tuple[http.server.HTTPServer, list[dict[str, str]]]:
    """Serve the authority of a folder. The server, and the headers of every request so far."""
    seen: list[dict[str, str]] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked = self.rfile.read(int(self.headers["Content-Length"]))
            seen.append(dict(self.headers))
            (folder / "asked.tsq").write_bytes(asked)
            line = "ts -reply -config tsa.cnf -queryfile asked.tsq -signer s.pem -inkey s.key"
            answer = spoil(openssl(folder, line))
            self.send_response(status)
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: object) -> None: ...

    server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server, seen
