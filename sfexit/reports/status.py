"""The whole exit at a glance: for the terminal, for programs and as one page."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from sfexit.cancellation.gates import OPEN, Gate
from sfexit.cancellation.situation import Situation
from sfexit.contract.laws import COUNSEL
from sfexit.redaction import printable
from sfexit.reports import html
from sfexit.reports.cancellation import (
    damages,
    deadline_line,
    gate_document,
    gate_lines,
    gate_table,
)

SCHEMA = "sfexit-status/1"


def document(told: Situation, gates: Sequence[Gate]) -> dict[str, Any]:
    """The exit for programs."""
    days = told.outlook.days if told.outlook is not None else ()
    return {
        "schema": SCHEMA,
        "home": str(told.home),
        "today": told.today.isoformat(),
        "org_id": told.org_id or "",
        "contract": told.contract.number if told.contract else None,
        "contract_end": told.contract.end.isoformat() if told.contract else None,
        "gates": [gate_document(one) for one in gates],
        "next": next((one.key for one in gates if one.state == OPEN), None),
        "deadlines": [
            {"kind": one.kind, "day": one.day.isoformat(), "days_left": one.days_left,
             "state": one.state}
            for one in days
        ],
        "damage": list(damages(told)),
    }  # fmt: skip


def headline(gates: Sequence[Gate]) -> str:
    """One sentence: how far, and what next."""
    still = [one for one in gates if one.state == OPEN]
    if not still:
        return "All gates are closed: the exit is done."
    closed = f"{len(gates) - len(still)} of {len(gates)} gates closed"
    return f"{closed}. Next: {still[0].title.lower()}: {still[0].action}"


def summary(told: Situation, gates: Sequence[Gate]) -> Iterator[str]:
    """The exit for the terminal."""
    who = f"Org {told.org_id or 'not known yet'}"
    if told.contract is not None:
        who = f"{told.contract.customer}, contract {told.contract.number}, {who}"
    yield printable(who, 300)
    yield printable(headline(gates), 400)
    yield deadline_line(told)
    yield ""
    yield from gate_lines(gates, told.today)
    for what in damages(told):
        yield f"!! {printable(what, 300)}"


def page(told: Situation, gates: Sequence[Gate]) -> str:
    """The exit as one HTML file."""
    late = told.outlook is not None and told.outlook.missed
    kind = "alarm" if late or any(one.late for one in gates) else "calm"
    title = "Exit"
    about = f"Org {told.org_id or 'not known yet'}. As of {told.today}."
    if told.contract is not None:
        title = f"Exit of {told.contract.customer}"
        about = f"Contract {told.contract.number}, ends {told.contract.end}. {about}"
    body = [
        f"<h1>{html.text(title)}</h1>",
        f'<p class="small">{html.prose(about)}</p>',
        f'<p class="{kind}">{html.prose(headline(gates))}</p>',
        f"<p>{html.prose(deadline_line(told))}</p>",
        gate_table(gates),
    ]
    wrong = damages(told)
    if wrong:
        body += ["<h2>Changed since it was written</h2>", html.items(wrong)]
    body.append(f'<p class="small">{html.text(COUNSEL)}</p>')
    return html.page(title, "\n".join(body))
