"""Deploying metadata files: a ZIP goes up, the org checks it, and carries it out or nothing of it.

Metadata API Developer Guide, "Deploy Metadata with Apex Testing Using REST" and
"Check the Status of Your Metadata Deployment Using REST"
(developer.salesforce.com/docs/atlas.en-us.api_meta.meta/api_meta/meta_rest_deploy.htm).
"""

from __future__ import annotations

import io
import json
import secrets
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from xml.sax.saxutils import escape

from sfexit.errors import DamagedAnswer
from sfexit.redaction import printable
from sfexit.salesforce.client import Client, Verbatim
from sfexit.salesforce.ids import full_id

_PATH = "/metadata/deployRequest"
_NAMESPACE = "http://soap.sforce.com/2006/04/metadata"
_SHOWN = 3


@dataclass(frozen=True)
class Deployment:
    """A deployment as the org tells of it. `problems` are in its own words."""

    id: str
    done: bool
    success: bool
    status: str
    problems: tuple[str, ...]


def deploy(
    client: Client, files: Mapping[str, bytes], members: Mapping[str, list[str]], *, check: bool
) -> Deployment:
    """Begin to deploy files (by their path in a package) of these members (type → full names);
    with `check` the org only looks whether it would do it.

    All or nothing. Raises OutcomeUnknown like every change.
    """
    options = {"checkOnly": check, "rollbackOnError": True, "singlePackage": True,
               "ignoreWarnings": False}  # fmt: skip
    boundary = f"sfexit-{secrets.token_hex(16)}"
    head = (
        f"--{boundary}\r\n"
        'Content-Disposition: form-data; name="json"\r\n'
        "Content-Type: application/json\r\n\r\n"
        f"{json.dumps({'deployOptions': options})}\r\n"
        f"--{boundary}\r\n"
        'Content-Disposition: form-data; name="file"; filename="deploy.zip"\r\n'
        "Content-Type: application/zip\r\n\r\n"
    )
    body = head.encode() + _packed(files, members, client.version)
    body += f"\r\n--{boundary}--\r\n".encode()
    kind = f"multipart/form-data; boundary={boundary}"
    return _read(client.send_once("POST", _PATH, Verbatim(kind, body)))


def look(client: Client, deployment_id: str) -> Deployment:
    """How a deployment goes."""
    return _read(client.get_json(f"{_PATH}/{full_id(deployment_id)}?includeDetails=true"))


def wait(
    client: Client, begun: Deployment, *, first: float = 0.5, most: float = 20.0
) -> Deployment:
    """Wait until a deployment is done. Raises Interrupted when asked to stop; it goes on."""
    pause, state = first, begun
    while not state.done:
        client.pause(pause)
        pause = min(most, pause * 1.6)
        state = look(client, begun.id)
    return state


def _packed(files: Mapping[str, bytes], members: Mapping[str, list[str]], version: str) -> bytes:
    types = "".join(
        f"<types>{''.join(f'<members>{escape(name)}</members>' for name in names)}"
        f"<name>{escape(kind)}</name></types>"
        for kind, names in sorted(members.items())
    )
    package = (
        f'<?xml version="1.0" encoding="UTF-8"?><Package xmlns="{_NAMESPACE}">{types}'
        f"<version>{version}</version></Package>"
    )
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as out:
        out.writestr("package.xml", package)
        for path, content in files.items():
            out.writestr(path, content)
    return packed.getvalue()


def _read(answer: Any) -> Deployment:
    told = answer.get("deployResult") if isinstance(answer, dict) else None
    if not isinstance(told, dict) or not isinstance(told.get("done"), bool):
        raise DamagedAnswer("The org did not tell about the deployment.")
    details = told.get("details")
    failures = details.get("componentFailures") if isinstance(details, dict) else None
    listed = failures if isinstance(failures, list) else [failures] if failures else []
    problems = [
        printable(f"{one.get('fullName') or ''}: {one.get('problem') or ''}", 300)
        for one in listed
        if isinstance(one, dict)
    ]
    if told.get("errorMessage"):
        problems.insert(0, printable(str(told["errorMessage"]), 300))
    return Deployment(
        full_id(answer.get("id") or told.get("id")),
        told["done"],
        told.get("success") is True,
        printable(str(told.get("status") or ""), 40),
        tuple(problems[:_SHOWN]),
    )
