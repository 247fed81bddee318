"""Is it really over? Asked of the org, of the bills and of the records, question by question.

A locked org says so in words of its own; no answer at all says nothing: an address that cannot be
reached, a session that has ended and a password that was changed look alike from outside.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from sfexit.cancellation.situation import Situation
from sfexit.errors import Blocked, OrgLocked, SfexitError, SignInProblem
from sfexit.preflight.questions import Questions, query
from sfexit.redaction import printable
from sfexit.salesforce.client import Client
from sfexit.salesforce.org import identity

YES, NO, UNKNOWN = "yes", "no", "unknown"
SIGN_IN, LOCKED, RENEWAL, CONFIRMATION = "sign-in", "locked", "renewal", "confirmation"
_RENEWAL_BILLED = "BILL07"
_LARGEST_BILLS = 64 << 20
# What runs out with the contract, and by which field (Object Reference).
_RUNS_OUT = (
    ("PermissionSetLicense", "MasterLabel", "ExpirationDate"),
    ("PackageLicense", "NamespacePrefix", "ExpirationDate"),
    ("TenantUsageEntitlement", "MasterLabel", "EndDate"),
)


@dataclass(frozen=True)
class Org:
    """What the org told. `renewed`: licences that run on after the contract, None unless asked."""

    sign_in: str
    locked: str
    evidence: str
    renewed: tuple[str, ...] | None = None


@dataclass(frozen=True)
class Check:
    """A question, its answer (yes, no, unknown), by what, and what to do about it."""

    key: str
    title: str
    answer: str
    evidence: str
    action: str


def ask(told: Situation, opened: Callable[[], AbstractContextManager[Client]]) -> Org:
    """Try to sign in, and look what runs on after the end. Reads only; few calls.

    Raises Blocked when the sign-in leads to another org than the home's.
    """
    try:
        with opened() as client:
            who = identity(client)
            if told.org_id and who.organization_id[:15] != told.org_id[:15]:
                raise Blocked(
                    f"you are signed in to org {who.organization_id}, {told.home} is of org "
                    f"{told.org_id}: name the right one with --org"
                )
            end = told.contract.end if told.contract else None
            renewed = _runs_on(Questions(client), end) if end is not None else None
            return Org(YES, NO, f"signed in as {who.username or who.user_id}", renewed)
    except Blocked:
        raise
    except OrgLocked as locked:
        return Org(NO, YES, locked.message)
    except SignInProblem as problem:
        return Org(UNKNOWN, UNKNOWN, f"not with this sign-in: {problem.message}")
    except SfexitError as error:
        return Org(UNKNOWN, UNKNOWN, f"no answer: {error.message}")


def _runs_on(questions: Questions, end: date) -> tuple[str, ...] | None:
    """Licences that expire after the end of the contract; None when nothing could be read."""
    replies = questions.ask(
        [query(f"SELECT {name}, {day} FROM {table} "  # noqa: S608 - SOQL, names of our own
               f"WHERE {day} != null ORDER BY {day} DESC LIMIT 5")
         for table, name, day in _RUNS_OUT]
    )  # fmt: skip
    if not any(one.ok for one in replies):
        return None
    found = []
    for (table, name, day), reply in zip(_RUNS_OUT, replies, strict=True):
        for row in reply.rows:
            text = str(row.get(day) or "")[:10]
            if text > end.isoformat():
                found.append(printable(f"{table} {row.get(name)} runs until {text}", 150))
    return tuple(found)


def checks(told: Situation, org: Org | None) -> tuple[Check, ...]:
    """All questions, in the order in which they are asked. `org` is None when it was not asked
    now; then the last answer on file counts."""
    org = org or _on_file(told)
    end = told.contract.end if told.contract else None
    over = end is not None and told.today > end
    return (
        _sign_in(org, over),
        _locked(org, over),
        _renewal(told, org, over),
        _confirmation(told),
    )


def _on_file(told: Situation) -> Org:
    one = told.last("checked")
    if one is None:
        return Org(UNKNOWN, UNKNOWN, "the org was not asked: --ask-org")
    return Org(
        str(one.data.get("sign_in", UNKNOWN)),
        str(one.data.get("locked", UNKNOWN)),
        f"asked on {one.at:%Y-%m-%d}: {one.data.get('evidence', '')}",
    )


def _sign_in(org: Org, over: bool) -> Check:
    action = ""
    if org.sign_in == YES and over:
        action = (
            "the contract is over and the org still lets people in: ask in writing whether it was "
            "renewed, and refresh the archive while that works"
        )
    if org.sign_in == UNKNOWN:
        action = "try again with a sign-in that worked before (sfexit login)"
    return Check(SIGN_IN, "Can one still sign in?", org.sign_in, org.evidence, action)


def _locked(org: Org, over: bool) -> Check:
    action = ""
    if org.locked == YES and not over:
        action = (
            "the contract is not over yet: write to Salesforce Support at once, with Org ID and "
            "contract number (an unpaid bill can lock an org)"
        )
    if org.locked == UNKNOWN and over:
        action = "ask Salesforce Support in writing when the org was locked and when it is deleted"
    return Check(LOCKED, "Is the org locked?", org.locked, org.evidence, action)


def _renewal(told: Situation, org: Org, over: bool) -> Check:
    title = "Is the renewal gone?"
    billed = _renewals_billed(told.home / "bills.json")
    if billed:
        return Check(
            RENEWAL, title, NO, f"bills.json: {'; '.join(billed)}",
            "dispute it in writing at once, with the confirmation; sfexit billing check has the "
            "sentence",
        )  # fmt: skip
    if org.renewed:
        return Check(
            RENEWAL, title, NO, "; ".join(org.renewed),
            "ask in writing why licences run on after the end",
        )  # fmt: skip
    if org.locked == YES and over:
        return Check(RENEWAL, title, YES, "the contract is over and the org is locked", "")
    look = "look at Your Account > Manage Renewals, and check the next bills (sfexit billing check)"
    if org.renewed is None:
        return Check(RENEWAL, title, UNKNOWN, "nothing tells it yet", look)
    return Check(RENEWAL, title, UNKNOWN, "no licence in the org runs on after the end", look)


def _renewals_billed(path: Path) -> list[str]:
    """Findings about a renewal in what `sfexit billing check --json` wrote."""
    try:
        if path.is_symlink() or path.stat().st_size > _LARGEST_BILLS:
            return []
        told: Any = json.loads(path.read_bytes())
        found = told["findings"] if isinstance(told, dict) else []
        return [
            printable(f"invoice {one.get('invoice_no')}: {one.get('why')}", 200)
            for one in found
            if isinstance(one, dict) and one.get("rule") == _RENEWAL_BILLED
        ]
    except (OSError, ValueError, KeyError, TypeError):
        return []


def _confirmation(told: Situation) -> Check:
    title = "Is a confirmation on file?"
    one = told.last("confirmed")
    if one is None:
        return Check(
            CONFIRMATION, title, NO, "none was recorded",
            f"ask for it in writing, then sfexit cancellation record {told.home} confirmed "
            "--end-date DATE --document FILE",
        )  # fmt: skip
    said = f"recorded of {one.data.get('date')}"
    if not one.data.get("document"):
        return Check(
            CONFIRMATION, title, YES, f"{said}, without a document", "ask for it in writing"
        )
    if told.contract is not None and one.data.get("end") not in (None, str(told.contract.end)):
        said += f", but it names {one.data['end']} and the contract {told.contract.end}"
        return Check(CONFIRMATION, title, NO, said, "ask at once, in writing")
    return Check(CONFIRMATION, title, YES, f"{said}, with its document", "")
