"""A time stamp by an outside authority (RFC 3161): not even the holder of the key can backdate.

Opt-in, by the address of an authority. What goes there is a digest of the certificate, nothing
else. The answer is checked before it is kept, and stock `openssl ts -verify` checks it later.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from sfexit.errors import Transient, UsageProblem

if TYPE_CHECKING:
    from cryptography.x509 import Certificate
    from requests import PreparedRequest

SUFFIX = ".tsr"
_SECONDS = 30
_LIMIT = 1 << 20


def ready(url: str, roots: Path) -> None:
    """Whether `time_stamp` could ask that authority; nobody is asked yet. Raises UsageProblem."""
    try:
        import rfc3161_client  # noqa: F401
    except ImportError:
        raise UsageProblem(
            "a time stamp needs one more package: pip install 'sfexit[timestamp]'"
        ) from None
    if not url.startswith(("https://", "http://")):
        raise UsageProblem(f"{url} is no address of a time stamp authority")
    _roots(roots)


def _roots(path: Path) -> list[Certificate]:
    from cryptography.x509 import load_pem_x509_certificates

    try:
        return load_pem_x509_certificates(path.read_bytes())
    except OSError as error:
        raise UsageProblem(f"{path} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise UsageProblem(f"{path} holds no certificates in PEM form") from error


def time_stamp(
    message: bytes, url: str, roots: Path, *, ca_bundle: str | None = None
) -> tuple[bytes, datetime]:
    """Ask the authority at `url` for a time stamp of `message`; the answer and its time, UTC.

    `roots`: a PEM file with the authority's root certificates, which the answer must lead to.
    Raises UsageProblem when the extra, the address or the certificates are missing; Transient when
    the authority does not answer, or its answer does not hold.
    """
    ready(url, roots)
    import requests
    from rfc3161_client import TimestampRequestBuilder, VerifierBuilder
    from rfc3161_client import decode_timestamp_response as decode
    from rfc3161_client.errors import VerificationError

    request = TimestampRequestBuilder().data(message).nonce(nonce=True).cert_request(
        cert_request=True
    ).build()  # fmt: skip
    try:
        with requests.Session() as session:
            session.trust_env = True
            answer = session.post(
                url,
                data=request.as_bytes(),
                headers={"Content-Type": "application/timestamp-query"},
                timeout=_SECONDS,
                verify=ca_bundle or True,
                allow_redirects=False,
                stream=True,
                auth=_nobody,  # else a .netrc could send a password there
            )
            body = answer.raw.read(_LIMIT + 1, decode_content=True)
    except (requests.RequestException, OSError) as error:
        raise Transient(
            f"the time stamp authority at {url} does not answer ({type(error).__name__}): try "
            "again, or leave the time stamp out"
        ) from error
    if answer.status_code != 200 or len(body) > _LIMIT:
        raise Transient(f"the time stamp authority at {url} answered {answer.status_code}")
    verifier = VerifierBuilder.from_request(request)
    for one in _roots(roots):
        verifier = verifier.add_root_certificate(one)
    try:
        told = decode(body)
        verifier.build().verify_message(told, message)
    except (VerificationError, ValueError) as error:
        raise Transient(
            f"the answer of the time stamp authority at {url} does not hold ({error})"
        ) from error
    return body, told.tst_info.gen_time.astimezone(UTC)


def _nobody(request: PreparedRequest) -> PreparedRequest:
    return request
