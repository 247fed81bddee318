"""Which org this is, who we are in it, and what it has left."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from sfexit.errors import DamagedAnswer, OrgRefused
from sfexit.salesforce import query
from sfexit.salesforce.client import Client
from sfexit.salesforce.ids import full_id

ORGANIZATION_FIELDS = (
    "Id",
    "Name",
    "InstanceName",
    "IsSandbox",
    "OrganizationType",
    "TrialExpirationDate",
    "NamespacePrefix",
    "TimeZoneSidKey",
    "LanguageLocaleKey",
    "DefaultLocaleSidKey",
    "FiscalYearStartMonth",
    "UsesStartDateAsFiscalYearName",
    "PrimaryContact",
    "Country",
    "CreatedDate",
)
_NO_SUCH_COLUMN = re.compile(r"No such column '(\w+)'")


@dataclass(frozen=True)
class Identity:
    """Whose session it is. Ids have 18 characters; `username` is "" when it cannot be read."""

    organization_id: str
    user_id: str
    username: str


def versions(client: Client) -> tuple[str, ...]:
    """The API versions the org offers, oldest first, such as "66.0". Costs no call."""
    listed = client.get_json("/services/data")
    found = tuple(
        entry["version"]
        for entry in (listed if isinstance(listed, list) else [])
        if isinstance(entry, dict) and isinstance(entry.get("version"), str)
    )
    if not found:
        raise DamagedAnswer("The org's list of API versions holds none.")
    return found


def identity(client: Client) -> Identity:
    """The org and the user of the session.

    Asks the userinfo service; a session without the scope for it is refused there, and the
    resource list of the API names both ids as well ("Resources by Version").
    """
    try:
        found = client.get_json("/services/oauth2/userinfo")
    except OrgRefused:
        return _identity_by_api(client)
    if not isinstance(found, dict):
        raise DamagedAnswer("The org's answer about the user is not one.")
    username = found.get("preferred_username")
    return Identity(
        full_id(found.get("organization_id")),
        full_id(found.get("user_id")),
        username if isinstance(username, str) else "",
    )


def _identity_by_api(client: Client) -> Identity:
    resources = client.get_json(client.base)
    address = resources.get("identity") if isinstance(resources, dict) else None
    parts = address.split("?")[0].rstrip("/").split("/") if isinstance(address, str) else []
    if len(parts) < 2:
        raise DamagedAnswer("The org does not say whose session this is.")
    organization_id, user_id = full_id(parts[-2]), full_id(parts[-1])
    soql = f"SELECT Username FROM User WHERE Id = '{user_id}'"  # noqa: S608 - SOQL, id checked
    try:
        rows = query.first_page(client, soql, all_rows=False).records
    except OrgRefused:
        rows = []
    username = rows[0].get("Username") if rows else None
    return Identity(organization_id, user_id, username if isinstance(username, str) else "")


def organization(client: Client) -> dict[str, Any]:
    """The row of the object Organization, without `attributes`; numbers are text.

    A field that this version or this user lacks is left out.
    """
    wanted = list(ORGANIZATION_FIELDS)
    while True:
        soql = f"SELECT {', '.join(wanted)} FROM Organization"  # noqa: S608 - SOQL, fixed names
        try:
            rows = query.first_page(client, soql, all_rows=False).records
            break
        except OrgRefused as refused:
            missing = _NO_SUCH_COLUMN.search(refused.reason)
            if refused.code != "INVALID_FIELD" or wanted == ["Id"]:
                raise
            if missing and missing[1] in wanted and missing[1] != "Id":
                wanted.remove(missing[1])
            else:
                wanted = ["Id", "Name"] if len(wanted) > 2 else ["Id"]
    if len(rows) != 1:
        raise DamagedAnswer("The org does not show exactly one row of the object Organization.")
    row = {name: value for name, value in rows[0].items() if name != "attributes"}
    row["Id"] = full_id(row.get("Id"))
    return row


def limits(client: Client) -> dict[str, Any]:
    """The org's allowances, each {Max, Remaining} ("Limits"); which ones depends on the org."""
    found = client.get_json(f"{client.base}/limits")
    if not isinstance(found, dict):
        raise DamagedAnswer("The org's answer about its limits is not one.")
    return found
