"""Dashboards as rows and as files: whose access their numbers are made with.

Metadata API guide, Dashboard: ``runningUser`` is a username; "when you deploy a dashboard and the
value in this field is not defined or does not correspond to a valid user, the field is populated
with the username of the user performing the deployment". An inactive user is taken for no valid
one. Object Reference, Dashboard: rows are only read. Salesforce Help, "Configure Dashboard Data
Visibility in Lightning Experience": whom else it runs as may be said with View All Data.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape, unescape

from .components import MANAGED, NAMESPACE, Component, document

if TYPE_CHECKING:
    from .hiring import Hiring
    from .org import SimulatedOrg

_RUNNING = re.compile(rb"<runningUser>([^<]*)</runningUser>")
_NOT_YOURS = (
    "You don't have permission to edit this dashboard. Ask your Salesforce admin or the dashboard "
    "owner for help."
)


@dataclass(frozen=True)
class _Board:
    title: str
    name: str
    folder: str  # its full name in metadata; "" for somebody's own
    type: str = "SpecifiedUser"
    namespace: str = ""


_FOLDERS = (("Board Room", "Board_Room"), ("Weekly", "Board_Room/Weekly"))
#: One runs as each of the first people, in this order.
_BOARDS = (
    _Board("Sales this quarter", "Sales_Quarter", "Board_Room"),
    _Board("My team", "My_Team", "Board_Room/Weekly", "MyTeamUser"),
    _Board("Cases & <returns>", "Cases_Returns", "Board_Room/Weekly"),
    _Board("Everybody's own", "Own_View", "Board_Room", "LoggedInUser"),
    _Board("Health", "Health", "Board_Room", namespace=MANAGED),
    _Board("Old numbers", "Old_Numbers", ""),  # every table has its sixth row in the recycle bin
    _Board("Mine alone", "Mine_Alone", ""),
)


def place(h: Hiring) -> None:
    """Write folders and dashboards, as rows and as files."""
    people = h.who.people
    h.give(
        "Folder",
        [
            {"Name": label, "DeveloperName": name.rpartition("/")[2], "AccessType": "Public",
             "Type": "Dashboard", "IsReadonly": "false"}
            for label, name in _FOLDERS
        ],
    )  # fmt: skip
    folders = {name: h.id("Folder", n) for n, (_, name) in enumerate(_FOLDERS)}
    labels = {name: label for label, name in _FOLDERS}
    boards = list(zip(_BOARDS, people, strict=False))
    h.give(
        "Dashboard",
        [
            {"Title": one.title, "DeveloperName": one.name, "RunningUserId": h.id("User", person),
             "FolderId": folders.get(one.folder, h.id("User", person)), "Type": one.type,
             "FolderName": labels.get(one.folder, "Private Dashboards"),
             "NamespacePrefix": one.namespace or None, "CreatedById": h.id("User", person)}
            for one, person in boards
        ],
    )  # fmt: skip
    added = h.org.metadata.components.added
    for name, folder_id in folders.items():
        body = document("DashboardFolder", f"<name>{escape(labels[name])}</name>")
        added.append(
            Component("Dashboard", name, ((f"dashboards/{name}-meta.xml", body),),
                      folder="DashboardFolder", is_folder=True, id=folder_id)
        )  # fmt: skip
    names = h.tables["User"].column("Username")
    for n, (one, person) in enumerate(boards):
        if not one.folder:
            continue  # what lies in somebody's own folder is not listed
        prefix = f"{one.namespace}__" if one.namespace else ""
        full = f"{one.folder}/{prefix}{one.name}"
        content = _file(one, names.value(person) or "")
        added.append(
            Component("Dashboard", full, ((f"dashboards/{full}.dashboard", content),),
                      namespace=one.namespace, folder=one.folder, id=h.id("Dashboard", n),
                      state="installed" if one.namespace else "unmanaged")
        )  # fmt: skip


def _file(one: _Board, username: str) -> bytes:
    section = "<columnSize>Medium</columnSize>"
    return document(
        "Dashboard",
        "    <backgroundEndColor>#FFFFFF</backgroundEndColor>\n"
        "    <backgroundFadeDirection>Diagonal</backgroundFadeDirection>\n"
        "    <backgroundStartColor>#FFFFFF</backgroundStartColor>\n"
        f"    <dashboardType>{one.type}</dashboardType>\n"
        f"    <description>Ask {escape(username)}</description>\n"
        f"    <leftSection>{section}</leftSection>\n"
        f"    <rightSection>{section}</rightSection>\n"
        f"    <runningUser>{escape(username)}</runningUser>\n"
        "    <textColor>#000000</textColor>\n"
        f"    <title>{escape(one.title)}</title>\n"
        "    <titleColor>#000000</titleColor>\n"
        "    <titleSize>12</titleSize>\n",
    )


def problem(org: SimulatedOrg, component: Component, content: bytes, by: str) -> str:
    """Why this user may not deploy a dashboard, "" when they may."""
    if component.namespace:
        return "Cannot modify managed object: entity=Dashboard, component=" + component.full_name
    if not content.lstrip().startswith(b"<?xml") or NAMESPACE.encode() not in content:
        return "The file is no dashboard"
    told = _RUNNING.search(content)
    named = _user(org, unescape(told.group(1).decode()).strip()) if told else None
    if named is None:
        if org.doubts.unknown_running_user_refused:
            return "In field: runningUser - no User named so found"
        return ""
    if org.tables.tables["User"].ids.at(named) != by and not org.acting().user.view_all_data:
        return _NOT_YOURS
    return ""


def taken(org: SimulatedOrg, component: Component, content: bytes, by: str) -> bytes:
    """The file as the org keeps it; the row runs as whom it names, or as who deploys it."""
    users = org.tables.tables["User"]
    told = _RUNNING.search(content)
    row = _user(org, unescape(told.group(1).decode()).strip()) if told else None
    if row is None:
        row = users.ids.row(by) or 0
    username = users.value(users.changes, "Username", row) or ""
    element = f"<runningUser>{escape(username)}</runningUser>".encode()
    kept = _RUNNING.sub(lambda _: element, content)
    if not told:
        kept = kept.replace(b"</Dashboard>", element + b"</Dashboard>")
    dashboard = org.tables.tables["Dashboard"].ids.row(component.id)
    if dashboard is not None:
        org.update_rows("Dashboard", [dashboard], {"RunningUserId": users.ids.at(row)})
    return kept


def _user(org: SimulatedOrg, username: str) -> int | None:
    """The row of an active user of this name."""
    users = org.tables.tables["User"]
    changes = users.changes
    for row in range(users.total(changes)):
        if (users.value(changes, "Username", row) or "").casefold() == username.casefold():
            return row if users.value(changes, "IsActive", row) == "true" else None
    return None
