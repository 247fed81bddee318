"""The Metadata API's reading calls over SOAP, and retrieves that take a while.

Metadata API Developer Guide: describeMetadata(), listMetadata(), retrieve(),
checkRetrieveStatus(), "Metadata Limits"; fault codes as in the SOAP API guide ("API Fault
Element"). Texts of faults as clients have published them.
"""

from __future__ import annotations

import base64
import io
import re
import threading
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from xml.etree import ElementTree
from xml.sax.saxutils import escape

from .components import FOLDER_TYPES, KINDS, NAMESPACE, Component, Components, document
from .errors import ApiError
from .ids import IdSpace

if TYPE_CHECKING:
    from .org import SimulatedOrg

SOAP = "http://schemas.xmlsoap.org/soap/envelope/"
MOST_FILES, MOST_BYTES = 10_000, 39 * 1000 * 1000
MOST_QUERIES = 3
OPERATIONS = {
    "describeMetadata": "metadata.describe",
    "listMetadata": "metadata.list",
    "retrieve": "metadata.retrieve",
    "checkRetrieveStatus": "metadata.status",
}
_FIRST = re.compile(rb"<(?:[\w-]+:)?Body[^>]*>\s*<(?:[\w-]+:)?(\w+)")
_STAMP = "2026-03-01T09:30:00.000Z"


def operation_of(body: bytes) -> str:
    """The call a SOAP request makes."""
    found = _FIRST.search(body)
    return found.group(1).decode() if found else ""


def endpoint_of(body: bytes) -> str:
    """The endpoint's name; a status asked with its ZIP is `metadata.zip`."""
    name = OPERATIONS.get(operation_of(body), "metadata.unknown")
    if name == "metadata.status" and re.search(rb"includeZip>\s*true", body):
        return "metadata.zip"
    return name


def session_of(body: bytes) -> str:
    """The token in the SessionHeader."""
    found = re.search(rb"<(?:[\w-]+:)?sessionId>([^<]*)<", body)
    return found.group(1).decode().strip() if found else ""


def envelope(inner: str) -> bytes:
    """A SOAP answer."""
    return (
        f'<?xml version="1.0" encoding="UTF-8"?><soapenv:Envelope xmlns:soapenv="{SOAP}" '
        f'xmlns="{NAMESPACE}" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">'
        f"<soapenv:Body>{inner}</soapenv:Body></soapenv:Envelope>"
    ).encode()


def fault(code: str, message: str) -> bytes:
    """A SOAP fault."""
    return (
        f'<?xml version="1.0" encoding="UTF-8"?><soapenv:Envelope xmlns:soapenv="{SOAP}" '
        f'xmlns:sf="{NAMESPACE}"><soapenv:Body><soapenv:Fault><faultcode>sf:{escape(code)}'
        f"</faultcode><faultstring>{escape(code)}: {escape(message)}</faultstring>"
        "</soapenv:Fault></soapenv:Body></soapenv:Envelope>"
    ).encode()


def refused(code: str, message: str) -> ApiError:
    """The refusal of a call; faults come with status 500."""
    return ApiError(500, code, message)


@dataclass
class Retrieve:
    """A retrieve under way, or done."""

    id: str
    wanted: list[tuple[str, str]]
    single: bool
    polls: int = 0
    status: str = "Pending"
    error: tuple[str, str] | None = None
    zip: bytes | None = None
    collected: bool = False
    properties: list[str] = field(default_factory=list)
    messages: list[tuple[str, str]] = field(default_factory=list)


class Metadata:
    """The metadata of one org.

    ``polls`` is how many status calls find a retrieve unfinished. ``most_files`` and ``most_bytes``
    are the limits of a retrieve. A retrieve that holds one of ``breaking`` (type, name) fails with
    UNKNOWN_EXCEPTION; those in ``unretrievable`` are listed, but cannot be found; those in
    ``empty`` come with files without content. ``spoil`` changes the bytes of each finished ZIP.
    """

    def __init__(self, org: SimulatedOrg) -> None:
        self.org = org
        self.components = Components(org)
        self.polls = 1
        self.most_files, self.most_bytes = MOST_FILES, MOST_BYTES
        self.breaking: set[tuple[str, str]] = set()
        self.unretrievable: set[tuple[str, str]] = set()
        self.empty: set[tuple[str, str]] = set()
        self.unlistable: set[str] = set()
        self.spoil: Callable[[bytes], bytes] | None = None
        self.retrieves: dict[str, Retrieve] = {}
        self._ids = IdSpace("09S", org.tables.instance, 1000)
        self._lock = threading.Lock()

    # -- what tests compare with ----------------------------------------------------------

    def truth(self) -> dict[tuple[str, str], Component]:
        """Every component by type and full name, standard value sets and folders too."""
        return {(c.type, c.full_name): c for c in self.components}

    # -- calls ------------------------------------------------------------------------------

    def answer(self, body: bytes) -> bytes:
        """Answer an admitted call."""
        try:
            tree = ElementTree.fromstring(body)  # noqa: S314 (requests of tests)
        except ElementTree.ParseError:
            raise refused("CLIENT", "The request is not XML") from None
        user = self.org.acting().user
        if not (user.modify_all_data or user.permissions()["ModifyMetadata"]):
            raise refused(
                "INSUFFICIENT_ACCESS",
                "use of the Metadata API requires a user with the ModifyAllData or ModifyMetadata "
                "permissions",
            )
        found = tree.find(f"{{{SOAP}}}Body")
        call = found[0] if found is not None and len(found) else None
        if call is None or not call.tag.startswith(f"{{{NAMESPACE}}}"):
            raise refused("INVALID_OPERATION", "No operation available for request")
        name = call.tag.removeprefix(f"{{{NAMESPACE}}}")
        handlers: dict[str, Callable[[ElementTree.Element], str]] = {
            "describeMetadata": self._describe,
            "listMetadata": self._list,
            "retrieve": self._retrieve,
            "checkRetrieveStatus": self._status,
        }
        if name not in handlers:
            raise refused("INVALID_OPERATION", f"No operation available for request {name}")
        return envelope(f"<{name}Response>{handlers[name](call)}</{name}Response>")

    def _describe(self, _call: ElementTree.Element) -> str:
        parts = []
        for kind in KINDS:
            children = "".join(_tag("childXmlNames", c) for c in kind.children)
            parts.append(
                f"<metadataObjects>{children}{_tag('directoryName', kind.folder)}"
                f"{_tag('inFolder', _flag(kind.in_folder))}"
                f"{_tag('metaFile', _flag(kind.meta_file))}"
                + (_tag("suffix", kind.suffix) if kind.suffix else "")
                + f"{_tag('xmlName', kind.name)}</metadataObjects>"
            )
        return (
            f"<result>{''.join(parts)}<organizationNamespace></organizationNamespace>"
            "<partialSaveAllowed>true</partialSaveAllowed><testRequired>false</testRequired>"
            "</result>"
        )

    def _list(self, call: ElementTree.Element) -> str:
        queries = call.findall(f"{{{NAMESPACE}}}queries")
        if not queries or len(queries) > MOST_QUERIES:
            raise refused(
                "LIMIT_EXCEEDED", f"max number of queries for listMetadata is {MOST_QUERIES}"
            )
        known = {kind.name: kind for kind in KINDS}
        out = []
        for query in queries:
            kind, folder = _text(query, "type"), _text(query, "folder")
            if kind in self.unlistable:
                raise refused("UNKNOWN_EXCEPTION", "An unexpected error occurred.")
            if kind in FOLDER_TYPES:
                out += [
                    self._property(c, kind)
                    for c in self.components
                    if c.is_folder and c.folder == kind
                ]
                continue
            if kind not in known:
                raise refused("INVALID_TYPE", f"Unknown type:{kind}")
            for c in self.components:
                if c.type != kind or c.is_folder or not c.listed:
                    continue
                if known[kind].in_folder and c.folder != folder:
                    continue  # without a folder, nothing: and no word about it
                out.append(self._property(c))
        return "".join(f"<result>{one}</result>" for one in out)

    def _property(self, c: Component, kind: str = "", prefix: str = "") -> str:
        user = self.org.user_id
        return (
            _tag("createdById", user)
            + _tag("createdByName", "Integration User")
            + _tag("createdDate", _STAMP)
            + _tag("fileName", prefix + c.file_name)
            + _tag("fullName", c.full_name)
            + _tag("id", c.id)
            + _tag("lastModifiedById", user)
            + _tag("lastModifiedByName", "Integration User")
            + _tag("lastModifiedDate", c.modified)
            + (_tag("manageableState", c.state) if c.state else "")
            + (_tag("namespacePrefix", c.namespace) if c.namespace else "")
            + _tag("type", kind or c.type)
        )

    def _retrieve(self, call: ElementTree.Element) -> str:
        request = call.find(f"{{{NAMESPACE}}}retrieveRequest")
        package = request.find(f"{{{NAMESPACE}}}unpackaged") if request is not None else None
        if request is None or package is None:
            raise refused("INVALID_CROSS_REFERENCE_KEY", "No package named")
        wanted = [
            (_text(types, "name"), member.text or "")
            for types in package.findall(f"{{{NAMESPACE}}}types")
            for member in types.findall(f"{{{NAMESPACE}}}members")
        ]
        with self._lock:
            one = Retrieve(
                self._ids.at(len(self.retrieves)), wanted, _text(request, "singlePackage") == "true"
            )
            self.retrieves[one.id] = one
        return f"<result><done>false</done>{_tag('id', one.id)}<state>Queued</state></result>"

    def _status(self, call: ElementTree.Element) -> str:
        one = self.retrieves.get(_text(call, "asyncProcessId"))
        if one is None:
            raise refused("INVALID_ID_FIELD", "invalid async process id")
        with self._lock:
            if one.collected:
                raise refused("INVALID_LOCATOR", "retrieve result has been deleted.")
            one.polls += 1
            if one.status in ("Pending", "InProgress"):
                one.status = "InProgress"
                if one.polls > self.polls:
                    self._finish(one)
            packed = ""
            if one.zip is not None and _text(call, "includeZip") != "false":
                packed = base64.b64encode(one.zip).decode()
                one.collected = True  # it is deleted after it was handed out
        return self._result(one, packed)

    @staticmethod
    def _result(one: Retrieve, packed: str) -> str:
        done = one.status in ("Succeeded", "Failed")
        out = _tag("done", _flag(done))
        if one.error is not None:
            out += _tag("errorMessage", one.error[1]) + _tag("errorStatusCode", one.error[0])
        out += "".join(f"<fileProperties>{p}</fileProperties>" for p in one.properties)
        out += _tag("id", one.id)
        for file_name, problem in one.messages:
            inner = _tag("fileName", file_name) + _tag("problem", problem)
            out += f"<messages>{inner}</messages>"
        out += _tag("status", one.status) + _tag("success", _flag(one.status == "Succeeded"))
        out += f"<zipFile>{packed}</zipFile>" if packed else '<zipFile xsi:nil="true"/>'
        return f"<result>{out}</result>"

    # -- making the ZIP -----------------------------------------------------------------------

    def _fail(self, one: Retrieve, code: str, message: str) -> None:
        one.status, one.error = "Failed", (code, f"{code}: {message}")

    def _finish(self, one: Retrieve) -> None:
        if self.breaking.intersection(one.wanted):
            return self._fail(one, "UNKNOWN_EXCEPTION", "An unexpected error occurred.")
        everything = self.truth()
        prefix = "" if one.single else "unpackaged/"
        chosen: list[Component] = []
        for kind, name in one.wanted:
            found = self._chosen(everything, kind, name)
            if not found:
                told = f"Entity of type '{kind}' named '{name}' cannot be found"
                one.messages.append((f"{prefix}package.xml", told))
            chosen += found
        files = [(prefix + name, body) for c in chosen for name, body in self._files(c, chosen)]
        if len(files) + 1 > self.most_files:
            return self._fail(
                one,
                "LIMIT_EXCEEDED",
                f"Too many files in retrieve call, limit is: {self.most_files}",
            )
        manifest = "".join(
            f"<types>{_tag('members', name)}{_tag('name', kind)}</types>"
            for kind, name in sorted(one.wanted)
        )
        files.append((f"{prefix}package.xml", document("Package", manifest)))
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as out:
            for name, body in files:
                out.writestr(name, body)
        if len(packed.getvalue()) > self.most_bytes:
            return self._fail(
                one,
                "LIMIT_EXCEEDED",
                f"The maximum size of the retrieved zip file is {self.most_bytes} bytes",
            )
        one.zip = packed.getvalue()
        if self.spoil is not None:
            one.zip = self.spoil(one.zip)
        one.properties = [self._property(c, prefix=prefix) for c in chosen]
        one.status = "Succeeded"
        return None

    def _chosen(
        self, everything: dict[tuple[str, str], Component], kind: str, name: str
    ) -> list[Component]:
        if name == "*":  # leaves out what belongs to a managed package, and foldered types
            known = next((k for k in KINDS if k.name == kind), None)
            if known is None or known.in_folder:
                return []
            return [c for c in everything.values() if c.type == kind and not c.namespace]
        if (kind, name) in self.unretrievable:
            return []
        found = everything.get((kind, name))
        return [found] if found is not None else []

    def _files(self, c: Component, chosen: list[Component]) -> list[tuple[str, bytes]]:
        if (c.type, c.full_name) in self.empty:
            return [(name, b"") for name, _ in c.files]
        if c.type != "Profile":
            return list(c.files)
        # a profile holds settings only of what is retrieved with it
        body = "".join(
            f"<objectPermissions>{_tag('allowRead', 'true')}{_tag('object', o.full_name)}"
            "</objectPermissions>"
            for o in chosen
            if o.type == "CustomObject"
        )
        return [(c.file_name, document("Profile", body))]


def _flag(value: bool) -> str:
    return "true" if value else "false"


def _tag(name: str, text: object) -> str:
    return f"<{name}>{escape(str(text))}</{name}>"


def _text(element: ElementTree.Element, name: str) -> str:
    found = element.find(f"{{{NAMESPACE}}}{name}")
    return (found.text or "").strip() if found is not None else ""
