"""What a client that only reads may send, and what each request costs.

Decided from method, address and body alone, before anything reaches the network.
"""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import parse_qsl

from sfexit.errors import Blocked
from sfexit.redaction import printable
from sfexit.salesforce.soap import Call

# Besides GET and HEAD: query jobs, and composite requests that hold nothing but GETs. They read
# the org and change no record.
_VERSIONED = r"/services/data/v\d{2,3}\.\d"
_JOB_CREATE = re.compile(_VERSIONED + r"/jobs/query")
_JOB = re.compile(_VERSIONED + r"/jobs/query/[A-Za-z0-9]{15,18}")
_BATCH = re.compile(_VERSIONED + r"/composite/batch")
_SOAP_METADATA = re.compile(r"/services/Soap/m/\d{2,3}\.\d")
# A retrieve makes a ZIP of definitions and changes none (Metadata API guide, "retrieve()").
_METADATA_READS = frozenset({"describeMetadata", "listMetadata", "retrieve", "checkRetrieveStatus"})
_COMPOSITE_READS = (
    # address of the resource, and where its body lists the parts
    (re.compile(_VERSIONED + r"/composite"), "compositeRequest"),
    (_BATCH, "batchRequests"),
)


def check(method: str, target: str, body: Any, *, writable: bool) -> None:
    """Raise Blocked for a request that could change the org through a client for reading.

    `target` is the path with its query.
    """
    path, _, query = target.partition("?")
    # ?_HttpMethod=PATCH turns one method into another (REST API guide, "Update a Record"; a help
    # for clients that know no PATCH), so it would get a change past this check.
    override = any(name.lower() == "_httpmethod" for name, _ in parse_qsl(query, True))
    if not override:
        if writable or method in ("GET", "HEAD"):
            return
        if not query and _only_reads(method, path, body):
            return
    raise Blocked(
        f"This client only reads; {method} {shown(target)} could change the org and was not sent."
    )


def _only_reads(method: str, path: str, body: Any) -> bool:
    if isinstance(body, Call):
        known = body.operation in _METADATA_READS
        return method == "POST" and known and bool(_SOAP_METADATA.fullmatch(path))
    if method == "POST":
        return bool(_JOB_CREATE.fullmatch(path)) or any(
            address.fullmatch(path) and _only_gets(body, key) for address, key in _COMPOSITE_READS
        )
    return method in ("PATCH", "DELETE") and bool(_JOB.fullmatch(path))


def _only_gets(body: Any, key: str) -> bool:
    parts = body.get(key) if isinstance(body, dict) else None
    return (
        isinstance(parts, list)
        and bool(parts)
        and all(
            isinstance(part, dict)
            and part.get("method") == "GET"
            and "_httpmethod" not in str(part.get("url", "")).lower()
            for part in parts
        )
    )


def needs_token(target: str) -> bool:
    """Whether a session is needed: the list of versions is open to all ("Versions")."""
    return target.partition("?")[0].rstrip("/") != "/services/data"


def calls(target: str, body: Any) -> int:
    """API calls that Salesforce counts for a request.

    The list of versions and the sign-in services are free ("Limit Info Header"); a batch counts
    each subrequest, a composite request counts one ("Composite Batch", "Composite").
    """
    path = target.partition("?")[0]
    if not needs_token(target) or path.startswith("/services/oauth2/"):
        return 0
    if _BATCH.fullmatch(path) and isinstance(body, dict):
        return max(len(body.get("batchRequests") or ()), 1)
    return 1


def shown(target: str) -> str:
    """The path without its query, for messages: a query may hold values of records."""
    return printable(target.partition("?")[0], 200)
