"""What nobody outside Salesforce knows for certain, asked of an org; reads only.

Each question ends as an answer or, where this org cannot show it, as unproven with the reason. The
simulated org has each as a switch (`sfexit/simulated_org/doubts.py`).
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

NEWEST = "68.0"


class Unproven(Exception):
    """This org cannot show it; the text says why."""


@dataclass(frozen=True)
class Finding:
    """What became of a question."""

    question: str
    answer: str
    proven: bool


def rows(place: Any, soql: str, verb: str = "query") -> list[dict[str, Any]]:
    """The records of a query. Raises Unproven when the org refuses it."""
    answer = place.query(soql, verb)
    if answer.status_code != 200:
        told = answer.json()[0] if answer.content.startswith(b"[") else {}
        raise Unproven(f"the org refused the query ({told.get('errorCode', answer.status_code)})")
    found: list[dict[str, Any]] = answer.json()["records"]
    return found


def bulk(place: Any, soql: str) -> str:
    """The CSV of a Bulk query; its job is deleted again."""
    made = place.ask("POST", "jobs/query", json={"operation": "query", "query": soql})
    if made.status_code != 200:
        raise Unproven(f"the org refused a Bulk job (HTTP {made.status_code})")
    job = made.json()["id"]
    try:
        for _ in range(60):
            state = place.get(f"jobs/query/{job}").json()["state"]
            if state == "JobComplete":
                text: str = place.get(f"jobs/query/{job}/results").text
                return text
            if state in ("Failed", "Aborted"):
                raise Unproven(f"the Bulk job ended as {state}")
            time.sleep(1)
        raise Unproven("the Bulk job did not end within a minute")
    finally:
        place.ask("DELETE", f"jobs/query/{job}")


def _range(place: Any) -> str:
    found = rows(
        place, "SELECT Id, ContentSize FROM ContentVersion WHERE ContentSize > 100 LIMIT 1"
    )
    if not found:
        raise Unproven("the org has no file of more than 100 bytes")
    path = f"sobjects/ContentVersion/{found[0]['Id']}/VersionData"
    answer = place.get(path, headers={"Range": "bytes=0-9"})
    if answer.status_code not in (200, 206):
        raise Unproven(f"the file's body was refused (HTTP {answer.status_code})")
    return "a part is sent (206)" if answer.status_code == 206 else "ignored: the whole body comes"


def _empty_result(place: Any) -> str:
    text = bulk(place, "SELECT Id, Name FROM Account WHERE Id = '001000000000000AAA'")
    return "its header line" if text.strip() else "nothing at all"


def _datetime(place: Any) -> str:
    lines = bulk(place, "SELECT CreatedDate FROM User LIMIT 1").split()
    if len(lines) < 2:
        raise Unproven("no row came back")
    return re.sub(r"\d", "9", lines[1].strip('"'))


def _links(place: Any) -> str:
    soql = "SELECT Id FROM ContentDocument WHERE IsDeleted = true LIMIT 1"
    found = rows(place, soql, "queryAll")
    if not found:
        raise Unproven("there is no deleted file in the recycle bin")
    soql = f"SELECT Id FROM ContentDocumentLink WHERE ContentDocumentId = '{found[0]['Id']}'"
    links = rows(place, soql, "queryAll")
    return "yes" if links else "no row came for the file looked at"


def _held(place: Any, name: str) -> bool:
    found = rows(place, f"SELECT Permissions{name} FROM UserPermissionAccess")
    return bool(found) and found[0][f"Permissions{name}"] is True


def _view_all_fields(place: Any) -> str:
    if not _held(place, "ViewAllFieldsGlobal"):
        raise Unproven("this user does not hold View All Fields (Global)")
    missing = []
    for name in ("Account", "Contact", "Opportunity", "Case", "Lead", "User"):
        described = place.get(f"sobjects/{name}/describe")
        if described.status_code != 200:
            continue
        known = {field["name"] for field in described.json()["fields"]}
        soql = f"SELECT QualifiedApiName FROM FieldDefinition WHERE EntityDefinitionId = '{name}'"
        defined = {row["QualifiedApiName"] for row in rows(place, soql)}
        missing += [f"{name}.{field}" for field in sorted(defined - known)]
    if missing:
        return f"no, or their features are off: {', '.join(missing[:5])} ({len(missing)} in all)"
    return "yes, for the six objects looked at"


def _hidden_objects(place: Any) -> str:
    listed = {one["name"] for one in place.get("sobjects").json()["sobjects"]}
    soql = "SELECT QualifiedApiName FROM EntityDefinition"
    more = {row["QualifiedApiName"] for row in rows(place, soql)} - listed
    if not more:
        raise Unproven("EntityDefinition names nothing that describeGlobal leaves out here")
    return f"it names {len(more)} objects more than describeGlobal, such as {min(more)}"


def _newest(place: Any) -> str:
    versions = [one["version"] for one in place.get("/services/data").json()]
    return f"{'yes' if NEWEST in versions else 'no'}; the newest is {versions[-1]}"


def _user_login(place: Any) -> str:
    found = rows(place, "SELECT Id FROM User WHERE LastLoginDate = null LIMIT 1")
    if not found:
        raise Unproven("every user has logged in")
    soql = f"SELECT Id FROM UserLogin WHERE UserId = '{found[0]['Id']}'"
    return "yes" if rows(place, soql) else "no row for the user looked at"


def _restriction_rules(place: Any) -> str:
    answer = place.get(
        "tooling/query", params={"q": "SELECT TargetEntity, IsActive FROM RestrictionRule"}
    )
    if answer.status_code != 200:
        raise Unproven("restriction rules cannot be listed by this user")
    targets = [row["TargetEntity"] for row in answer.json()["records"] if row["IsActive"]]
    if not targets:
        raise Unproven("the org has no active restriction rule")
    raise Unproven(f"{targets[0]} has one: compare its count with the rule on and off")


QUESTIONS: dict[str, Callable[[Any], str]] = {
    "Is the header Range obeyed for the bodies of files?": _range,
    "What is a Bulk result without rows?": _empty_result,
    "What does a date and time look like in Bulk results?": _datetime,
    "Can the links of deleted files be read?": _links,
    "Does View All Fields (Global) make every describe complete?": _view_all_fields,
    "Does EntityDefinition list objects that are hidden from the user?": _hidden_objects,
    f"Is API version {NEWEST} offered?": _newest,
    "Does UserLogin have a row for users who never logged in?": _user_login,
    "Do restriction rules bind users with View All Data?": _restriction_rules,
}


def ask_all(place: Any) -> list[Finding]:
    """Every question, answered or unproven."""
    findings = []
    for question, ask in QUESTIONS.items():
        try:
            findings.append(Finding(question, ask(place), True))
        except Unproven as reason:
            findings.append(Finding(question, str(reason), False))
        except (KeyError, ValueError, IndexError, TypeError) as odd:
            what = f"an answer that is not understood ({type(odd).__name__})"
            findings.append(Finding(question, what, False))
    return findings
