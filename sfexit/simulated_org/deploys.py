"""Deployments of metadata files over REST (Metadata API guide, "Deploy Metadata with Apex Testing
Using REST", DeployOptions, DeployResult, DeployMessage): files that the org has are replaced.

Stricter than it may be: only what is there can be deployed, each file must be named by the
package, and whoever is named in an element for a user must be an active user; for a dashboard see
there.
"""

from __future__ import annotations

import email
import io
import json
import zipfile
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

from . import dashboards
from .components import NAMESPACE, Component
from .errors import ApiError, not_found
from .ids import IdSpace
from .writes import Change

if TYPE_CHECKING:
    from .org import SimulatedOrg

#: Elements that hold a username, by whose name a deployment is refused.
_USERS = ("assignedTo", "recipient", "defaultCaseOwner", "defaultCaseUser", "lookupValue", "name")


@dataclass
class Deploy:
    """A deployment under way, or done."""

    id: str
    options: dict[str, Any]
    package: bytes
    by: str
    polls: int = 0
    done: bool = False
    problems: list[dict[str, Any]] = field(default_factory=list)


class Deploys:
    """The deployments of an org. One is carried out when it is looked at the first time."""

    def __init__(self, org: SimulatedOrg) -> None:
        self.org = org
        self._all: dict[str, Deploy] = {}
        self._ids = IdSpace("0Af", org.tables.instance, 1000)

    def begin(self, content_type: str, body: bytes) -> dict[str, Any]:
        """``POST /metadata/deployRequest``."""
        view = self.org.acting()
        if not (view.user.modify_all_data or view.user.permissions()["ModifyMetadata"]):
            raise ApiError(403, "INSUFFICIENT_ACCESS", "The user may not modify metadata")
        parts = _parts(content_type, body)
        try:
            options = json.loads(parts["json"])["deployOptions"]
            zipfile.ZipFile(io.BytesIO(parts["file"])).close()
        except (KeyError, ValueError, TypeError, zipfile.BadZipFile):
            told = "The request needs a json and a file part"
            raise ApiError(400, "INVALID_INPUT", told) from None
        package = parts["file"]
        one = Deploy(self._ids.at(len(self._all)), options, package, view.user_id)
        self._all[one.id] = one
        return self._told(one)

    def look(self, deploy_id: str) -> dict[str, Any]:
        """``GET /metadata/deployRequest/{id}``."""
        one = self._all.get(deploy_id)
        if one is None:
            raise not_found()
        if not one.done:
            self._work(one)
        return self._told(one)

    def _told(self, one: Deploy) -> dict[str, Any]:
        status = "Pending" if not one.done else "Failed" if one.problems else "Succeeded"
        result = {
            "id": one.id,
            "done": one.done,
            "success": one.done and not one.problems,
            "status": status,
            "checkOnly": bool(one.options.get("checkOnly")),
            "rollbackOnError": bool(one.options.get("rollbackOnError")),
            "numberComponentErrors": len(one.problems),
            "details": {"componentFailures": one.problems, "componentSuccesses": []},
        }
        return {"id": one.id, "deployOptions": one.options, "deployResult": result}

    def _work(self, one: Deploy) -> None:
        one.done = True
        with zipfile.ZipFile(io.BytesIO(one.package)) as archive:
            files = {name: archive.read(name) for name in archive.namelist()}
        named = _named(files.pop("package.xml", b""))
        everything = self.org.metadata.truth()
        changed = []
        for path, content in files.items():
            found = next((c for c in everything.values() if path in dict(c.files)), None)
            problem = "No package.xml entry, or no such component"
            if found is not None and (found.type, found.full_name) in named:
                problem = self._problem(found, content, one.by)
            if problem or found is None:
                full = path.rpartition("/")[2]
                one.problems.append(
                    {"fileName": path, "fullName": full, "problem": problem,
                     "problemType": "Error", "success": False}
                )  # fmt: skip
            else:
                changed.append((found, path, content))
        if one.problems or one.options.get("checkOnly"):
            return
        added = self.org.metadata.components.added
        for component, path, told in changed:
            before = dict(component.files)
            content = told
            if component.type == "Dashboard":
                content = dashboards.taken(self.org, component, told, one.by)
            new = replace(component, files=tuple({**before, path: content}.items()))
            added[:] = [c for c in added if (c.type, c.full_name) != (new.type, new.full_name)]
            added.append(new)
            log = self.org.writes.log
            log.append(
                Change(len(log) + 1, self.org.now(), one.by, "deploy", new.type, new.id or path,
                       {"content": before[path].decode()}, {"content": content.decode()})
            )  # fmt: skip

    def _problem(self, component: Component, content: bytes, by: str) -> str:
        try:
            tree = ElementTree.fromstring(content)  # noqa: S314 (requests of tests)
        except ElementTree.ParseError:
            return "The file is not well-formed XML"
        if component.type == "Dashboard":
            return dashboards.problem(self.org, component, content, by)
        users = self.org.tables.tables["User"]
        changes = users.changes
        active = {
            users.value(changes, "Username", row)
            for row in range(users.total(changes))
            if users.value(changes, "IsActive", row) == "true"
        }
        for element in tree.iter():
            tag, text = element.tag.removeprefix(f"{{{NAMESPACE}}}"), (element.text or "").strip()
            if tag in _USERS and "@" in text and text not in active:
                return f"In field: {tag} - no User named {text} found"
        return ""


def _parts(content_type: str, body: bytes) -> dict[str, bytes]:
    """The parts of a multipart body, by their names."""
    head = f"Content-Type: {content_type}\r\n\r\n".encode()
    out = {}
    for part in email.message_from_bytes(head + body).walk():
        name = part.get_param("name", header="Content-Disposition")
        content = part.get_payload(decode=True)
        if isinstance(name, str) and isinstance(content, bytes):
            out[name] = content
    return out


def _named(package: bytes) -> set[tuple[str, str]]:
    try:
        tree = ElementTree.fromstring(package)  # noqa: S314 (requests of tests)
    except ElementTree.ParseError:
        return set()
    space = f"{{{NAMESPACE}}}"
    return {
        (types.findtext(f"{space}name") or "", member.text or "")
        for types in tree.findall(f"{space}types")
        for member in types.findall(f"{space}members")
    }
