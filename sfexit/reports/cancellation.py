"""Notice, gates and status: for the terminal, for programs and as pages."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from textwrap import wrap
from typing import Any

from sfexit.cancellation import package
from sfexit.cancellation.aftermath import Check
from sfexit.cancellation.gates import OPEN, Gate, gates, send_by
from sfexit.cancellation.ladder import Reminder, reminders
from sfexit.cancellation.letters import Facts
from sfexit.cancellation.records import FOLDER, Entry
from sfexit.cancellation.situation import Situation
from sfexit.contract.laws import COUNSEL
from sfexit.redaction import printable
from sfexit.reports import html
from sfexit.reports.contract import day_name, left

STATUS_SCHEMA = "sfexit-cancellation-status/1"
PACKAGE_SCHEMA = "sfexit-cancellation-package/1"
_WIDTH = 100

WAYS = {
    "provider": "switch to another provider",
    "on_premises": "switch to an on-premises ICT infrastructure",
    "erase": "no switch: the contract ends with the notice period, then all data is erased",
}
SELF_SERVICE = (
    "Sign in as a user with the permission Manage Billing.",
    "Open Your Account (the app launcher, or Setup > Your Account; older contracts: Checkout).",
    "Open Manage Renewals. It lists each contract with its end, its type and the last day to act; "
    "changes open 90 days before the end and close about 30 days before it.",
    "Choose Request changes or Don't renew for the contract, give the reason, and check what was "
    "typed before you submit.",
    "Keep a screenshot of the confirmation page and the mail that follows: record them with "
    "sfexit cancellation record HOME sent --channel portal --document FILE.",
    "Send the letter all the same, where the contract asks for one.",
)
ACCOUNT_EXECUTIVE = (
    "A contract that was sold by an account executive has no cancel button in Setup.",
    "Send the letter to the address for notices that your contract names, with tracking; e-mail "
    "alone does not suffice under standard terms.",
    "Send the cover mail with a copy to the account executive and to the billing contact.",
    "If you do not know the account executive: Setup > Your Account shows them, or Salesforce "
    "Support does, with the Org ID and the contract number.",
    "A word on the telephone is no notice: ask for the confirmation in writing.",
)


def click_paths(sold_by: str) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """The ways to cancel that fit, the fitting one first; both when it is not known."""
    ways = (
        ("Contract made by self-service", SELF_SERVICE),
        ("Contract signed through an account executive", ACCOUNT_EXECUTIVE),
    )
    return ways[::-1] if sold_by == "account_executive" else ways


def gate_document(one: Gate) -> dict[str, Any]:
    """A gate for programs."""
    return {
        "gate": one.key,
        "title": one.title,
        "state": one.state,
        "evidence": one.evidence,
        "next_action": one.action,
        "due": one.due.isoformat() if one.due else None,
        "days_left": one.days_left,
        "late": one.late,
    }


def gate_lines(gates: Iterable[Gate], today: date) -> Iterator[str]:
    """Gates for the terminal."""
    for one in gates:
        mark = {True: "!!", False: "  "}[one.late]
        when = ""
        if one.state == OPEN and one.due is not None:
            when = f"by {day_name(one.due)}, {left((one.due - today).days)}"
        head = f"{mark} {one.state:<7} {one.title:<37}{when}"
        yield head.rstrip()
        yield from wrap(
            printable(one.evidence, 400), _WIDTH, initial_indent=" " * 11,
            subsequent_indent=" " * 11,
        )  # fmt: skip
        if one.action:
            yield from wrap(
                f"next: {printable(one.action, 400)}", _WIDTH, initial_indent=" " * 11,
                subsequent_indent=" " * 13, break_long_words=False, break_on_hyphens=False,
            )  # fmt: skip


def gate_table(gates: Iterable[Gate]) -> str:
    """Gates as a table of a page."""
    return html.table(
        ("Gate", "State", "Evidence", "Next", "By", "Left"),
        [
            (
                one.title,
                one.state + (" (late)" if one.late else ""),
                one.evidence,
                one.action,
                day_name(one.due) if one.due and one.state == OPEN else "",
                left(one.days_left) if one.days_left is not None and one.state == OPEN else "",
            )
            for one in gates
        ],
    )


def deadline_line(told: Situation) -> str:
    """How long there is until the notice must leave and arrive."""
    day = send_by(told)
    if told.outlook is None or day is None:
        return "No contract.toml, so nobody knows the last day for the notice."
    hard = told.outlook.day("notice_hard").day
    leave = f"must leave by {day_name(day)} ({left((day - told.today).days)}) and " * (day != hard)
    return f"The notice {leave}must arrive by {day_name(hard)} ({left((hard - told.today).days)})."


def refusal(told: Situation, open_gates: Sequence[Gate]) -> Iterator[str]:
    """Why no letters are written yet."""
    yield f"{len(open_gates)} gate{'s' * (len(open_gates) != 1)} open before a notice may be given"
    yield from gate_lines(open_gates, told.today)
    yield deadline_line(told)
    yield from wrap(
        "A late notice renews the contract. If there is no time left: --despite-open-gates REASON "
        "writes the letters all the same; the choice is recorded and stands in the package.",
        _WIDTH,
    )


def review(facts: Facts, told: Situation, languages: Sequence[str], override: str) -> Iterator[str]:
    """Everything that the letters will say, to be checked before they are written."""
    contract = facts.contract
    yield "Please check. The letters will say:"
    rows = [
        ("Customer", contract.customer),
        ("Address", " / ".join(contract.customer_address.splitlines())),
        ("Supplier", contract.vendor),
        ("Contract, orders", ", ".join((contract.number, *contract.orders))),
        ("Org ID", facts.org_id),
        ("My Domain", contract.my_domain),
        ("Last day of service", str(contract.end)),
        ("Clause", contract.notice.clause),
        ("Reason", facts.reason),
        ("Signed by", ", ".join(filter(None, (contract.signatory, contract.signatory_title)))),
        ("Reply to", contract.contact_email),
        ("Date of the letter", str(facts.written)),
        ("Languages", ", ".join(languages)),
    ]
    for one in contract.notice.addressees:
        where = ", ".join(filter(None, (one.name, one.address, one.email)))
        rows.append((f"To ({one.role.replace('_', ' ')})", where))
    rows += [
        ("Line", f"{line.quantity:,} × {line.product}, {line.start} to {line.end}")
        for line in contract.lines
    ]
    if "eu-data-act" in contract.laws:
        way = WAYS[facts.destination]
        name = facts.destination_name or "(not named: a gap is left in the letter)"
        rows.append(("Data Act notice", way if facts.destination == "erase" else f"{way}: {name}"))
    rows += [("Separate", f"{apart.product} ({apart.vendor})") for apart in contract.separate]
    for name, value in rows:
        yield from wrap(
            f"   {name:<24}{printable(value, 500) or '(empty: a gap is left in the letter)'}",
            _WIDTH,
            subsequent_indent=" " * 27,
        )
    yield deadline_line(told)
    if override:
        yield from wrap(f"WITHOUT A PROVEN BACKUP: {printable(override, 500)}", _WIDTH)
    yield COUNSEL


def checklist(facts: Facts) -> tuple[str, ...]:
    """What to do with a package of letters, in order."""
    contract = facts.contract
    gaps = facts.blank
    return (
        "Have counsel check the letters, the addressees and the clause against your own contract.",
        *(
            (f"Fill the gaps ({', '.join(gaps)}): in contract.toml, then write the package anew.",)
            if gaps
            else ()
        ),
        *(
            (
                "Decide with counsel whether the notice under the EU Data Act goes out too: it may "
                "end the contract before its last day, and a fee for that may be claimed.",
            )
            if "eu-data-act" in contract.laws
            else ()
        ),
        "Remove the first line (draft) from the Word files, print and sign.",
        f"Send by {', '.join(contract.notice.forms)} to every addressee; keep receipt and tracking "
        "number.",
        "Follow the click path, if the contract can be ended online too.",
        "Put the signed letters into the cover mail in place of the attached drafts, and send it.",
        "Give notice of each separate contract by itself.",
        "Record it: sfexit cancellation record HOME sent --date … --channel … --tracking … "
        "--document …",
        "Put the reminders into your calendar: sfexit cancellation status HOME shows them.",
        "Record the answer: sfexit cancellation record HOME confirmed, or refused.",
        "If you need Salesforce Support: open a case with Org ID and contract number, and attach "
        "the letter.",
    )


def guide(facts: Facts, told: Situation, gates: Sequence[Gate], override: str) -> bytes:
    """The page that goes with the letters: checklist, click paths, contracts, gates."""
    contract = facts.contract
    body = [
        f"<h1>Cancelling contract {html.text(contract.number)}</h1>",
        f'<p class="small">{html.text(contract.customer)} with {html.text(contract.vendor)}, '
        f"Org {html.text(facts.org_id or 'not named')}. Written on {facts.written}.</p>",
    ]
    if override:
        body.append(
            '<p class="alarm">These letters were written without a proven backup. Reason given: '
            f"{html.text(override)}</p>"
        )
    else:
        body.append(f'<p class="calm">{html.prose(_proof(told))}</p>')
    body += [
        f"<p>{html.prose(deadline_line(told))}</p>",
        "<h2>Checklist</h2>",
        html.items(checklist(facts), ordered=True),
        "<h2>Click path</h2>",
    ]
    for title, steps in click_paths(contract.sold_by):
        body += [f"<h3>{html.text(title)}</h3>", html.items(steps, ordered=True)]
    body.append("<h2>Contracts of their own</h2>")
    if contract.separate:
        body.append(
            html.table(
                ("Supplier", "Product", "End", "Notice"),
                [
                    (one.vendor, one.product, one.end or "not in contract.toml", one.notice)
                    for one in contract.separate
                ],
            )
        )
    else:
        body.append(
            "<p>None in contract.toml. Managed packages, add-ons and products such as Marketing "
            "Cloud or Slack often have contracts of their own: look at Setup &gt; Installed "
            "Packages and at your invoices.</p>"
        )
    body += ["<h2>Where the exit stands</h2>", gate_table(gates)]
    body.append(f'<p class="small">{html.text(COUNSEL)}</p>')
    return html.page(f"Cancelling contract {contract.number}", "\n".join(body)).encode()


def _proof(told: Situation) -> str:
    if told.standing is None:
        return "No certificate stands."
    one = told.standing.certificate
    return (
        f"Backup proven complete: {one.title}, archive {one.generation:04d}, root digest "
        f"{one.root_digest}, certificate of {one.made:%Y-%m-%d %H:%M} UTC, holds until "
        f"{one.expires:%Y-%m-%d %H:%M} UTC, signed with {one.signing_key}."
    )


def package_document(
    facts: Facts,
    told: Situation,
    gates: Sequence[Gate],
    override: str,
    files: Mapping[str, bytes],
    notes: Sequence[str],
) -> dict[str, Any]:
    """package.json: the facts of a package of letters, for programs."""
    contract = facts.contract
    return {
        "schema": PACKAGE_SCHEMA,
        "written": facts.written.isoformat(),
        "contract": contract.number,
        "orders": list(contract.orders),
        "customer": contract.customer,
        "vendor": contract.vendor,
        "org_id": facts.org_id,
        "my_domain": contract.my_domain,
        "end": contract.end.isoformat(),
        "clause": contract.notice.clause,
        "reason": facts.reason,
        "despite_open_gates": override or None,
        "proof": _proof(told) if told.standing else None,
        "gates": [gate_document(one) for one in gates],
        "gaps": list(facts.blank),
        "separate_contracts": [
            {"vendor": one.vendor, "product": one.product, "notice": one.notice}
            for one in contract.separate
        ],
        "files": sorted(files),
        "notes": list(notes),
        "advice": COUNSEL,
    }


_OF_CANCELLATION = ("verify", "cancel", "confirm")


def status_document(told: Situation, checks: Sequence[Check]) -> dict[str, Any]:
    """The state of the cancellation for programs."""
    return {
        "schema": STATUS_SCHEMA,
        "today": told.today.isoformat(),
        "gates": [gate_document(one) for one in gates(told) if one.key in _OF_CANCELLATION],
        "reminders": [
            {
                "day": one.day.isoformat(),
                "role": one.role,
                "action": one.action,
                "due": one.due,
                "put_forward": one.pulled,
            }
            for one in _reminders(told)
        ],
        "records": [
            {"seq": one.seq, "at": one.at.isoformat(), "event": one.event, **one.data}
            for one in told.records
        ],
        "checks": [
            {
                "check": one.key,
                "title": one.title,
                "answer": one.answer,
                "evidence": one.evidence,
                "next_action": one.action,
            }
            for one in checks
        ],
        "damage": list(damages(told)),
    }


def _reminders(told: Situation) -> tuple[Reminder, ...]:
    if told.contract is None:
        return ()
    return reminders(told.records, told.contract, told.today)


def damages(told: Situation) -> tuple[str, ...]:
    """Packages and documents that are not as they were written."""
    found = []
    folder = told.home / FOLDER
    for one in told.records:
        name = one.data.get("package")
        if one.event in ("prepared", "closed") and isinstance(name, str) and "/" not in name:
            found += [f"{name}: {what}" for what in package.damage(folder / name)]
        kept = one.data.get("document")
        if isinstance(kept, dict) and not package.document_is_whole(folder, kept):
            found.append(f"{kept.get('stored')}: missing or changed")
    return tuple(found)


def status_lines(told: Situation, checks: Sequence[Check]) -> Iterator[str]:
    """The state of the cancellation for the terminal."""
    yield deadline_line(told)
    yield ""
    yield from gate_lines((one for one in gates(told) if one.key in _OF_CANCELLATION), told.today)
    steps = _reminders(told)
    if steps:
        yield ""
        yield "Reminders while no confirmation is on file"
    for step in steps:
        pulled = " (put forward: the last day of the notice is near)" if step.pulled else ""
        mark = "! " if step.due else "  "
        when = f"{day_name(step.day)}  {left((step.day - told.today).days):>13}"
        yield f"{mark} {when}  {step.action}{pulled}"
    if told.last("sent") or told.last("checked"):
        yield ""
        yield "Is it really over?"
    else:
        checks = ()
    for check in checks:
        yield f"   {check.answer:<8} {check.title}"
        yield from _set_in(check.evidence, "")
        if check.action:
            yield from _set_in(check.action, "next: ")
    if told.records:
        yield ""
        yield "Records"
    for entry in told.records:
        yield from wrap(f"   {_entry(entry)}", _WIDTH, subsequent_indent=" " * 8)
    for what in damages(told):
        yield f"!! {printable(what, 300)}"
    yield ""
    yield COUNSEL


def _set_in(text: str, lead: str) -> list[str]:
    return wrap(
        printable(f"{lead}{text}", 400), _WIDTH, initial_indent=" " * 12,
        subsequent_indent=" " * (12 + len(lead)), break_long_words=False, break_on_hyphens=False,
    )  # fmt: skip


def _entry(entry: Entry) -> str:
    told = [
        f"{key} {value}" for key, value in entry.data.items() if isinstance(value, str) and value
    ]
    kept = entry.data.get("document")
    if isinstance(kept, dict):
        told.append(f"document {kept.get('name')}")
    return printable(f"{entry.seq:>3} {entry.event}: {', '.join(told)}", 600)
