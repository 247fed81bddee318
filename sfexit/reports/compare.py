"""Requirements and scorecard: as a document, as lines and as a page."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from textwrap import wrap
from typing import Any

from sfexit.compare.needs import Need
from sfexit.compare.scorecard import Row
from sfexit.contract.laws import COUNSEL
from sfexit.redaction import printable
from sfexit.reports import html

SCHEMA = "sfexit-compare/1"
_WIDTH = 100
CAVEATS = (
    "what the systems take in is from what their makers publish, with its date, and was not tried: "
    "try it with a part of your own data",
    "the score says how easily your data moves, not which product is better",
    "what is rebuilt (automations, integrations, reports) is work wherever you go",
    "prices are only those of your own file",
)


def document(used: Sequence[Need], rows: Sequence[Row], currency: str) -> dict[str, Any]:
    """For programs."""
    return {
        "schema": SCHEMA,
        "requirements": [
            {
                "feature": one.key,
                "title": one.title,
                "count": one.count,
                "rebuilt": one.rebuilt,
                "evidence": dict(one.evidence),
            }
            for one in used
        ],
        "alternatives": [
            {
                "key": row.alternative.key,
                "name": row.alternative.name,
                "score_percent": row.score,
                "known_percent": row.known,
                "ratings": dict(row.ratings),
                "yearly": None if row.yearly is None else f"{row.yearly:f}",
                "currency": currency,
                "in_budget": row.in_budget,
                "partner": row.partner,
                "source": row.alternative.source,
                "as_of": row.alternative.as_of.isoformat() if row.alternative.as_of else None,
                "verified": row.alternative.verified,
                "notes": list(row.alternative.notes),
            }
            for row in rows
        ],
        "caveats": list(CAVEATS),
        "counsel": COUNSEL,
    }


def evidence(one: Need) -> str:
    """The largest counts in words."""
    shown = ", ".join(f"{name} {count:,}" for name, count in one.evidence[:4])
    more = len(one.evidence) - 4
    return shown + (f" and {more:,} more" if more > 0 else "")


def summary(used: Sequence[Need], rows: Sequence[Row], currency: str) -> Iterator[str]:
    """For the terminal."""
    yield f"{len(used)} features are in use." if used else "Nothing in use was found."
    yield ""
    for one in used:
        mark = "  (rebuilt by hand)" if one.rebuilt else ""
        yield from wrap(
            printable(f"{one.title}: {evidence(one)}{mark}", 300),
            _WIDTH, initial_indent="   ", subsequent_indent="      ",
        )  # fmt: skip
    yield ""
    yield "How they could move (file: CSV or ZIP, api: by program, none: no place, ?: not known)"
    for row in rows:
        cost = "" if row.yearly is None else f", {row.yearly:,} {currency} a year"
        if row.in_budget is not None:
            cost += " (in the budget)" if row.in_budget else " (OVER the budget)"
        partner = f", partner {row.partner}" if row.partner else ""
        moves = ", ".join(f"{feature} {rating or '?'}" for feature, rating in row.ratings)
        text = (
            f"{row.alternative.name:<14} {row.score:>3} %, {row.known} % known{cost}{partner}: "
            f"{moves}"
        )
        yield from wrap(
            printable(text, 500), _WIDTH, initial_indent="   ", subsequent_indent="      "
        )
    yield ""
    yield "Mind"
    for text in CAVEATS:
        yield from wrap(f"- {text}", _WIDTH, initial_indent="   ", subsequent_indent="     ")
    yield ""
    yield COUNSEL


def page(used: Sequence[Need], rows: Sequence[Row], currency: str, about: str) -> str:
    """The same as one HTML file; `about` says of which archive."""
    features = [(one.key, one.title) for one in used if not one.rebuilt]
    priced = any(row.yearly is not None for row in rows)
    partners = any(row.partner for row in rows)
    body = [
        f'<h1>What is used, and where it could go</h1><p class="small">{html.text(about)}</p>',
        "<h2>Requirements</h2>",
        html.table(
            ("Feature", "Count", "Where it shows", "How it moves"),
            [
                (one.title, one.count, evidence(one), "rebuilt by hand" if one.rebuilt else "data")
                for one in used
            ],
        ),
        "<h2>Scorecard</h2>",
        html.table(
            ("System", "Score", "Known", *(title for _, title in features),
             *(["A year"] if priced else []), *(["Partner"] if partners else [])),
            [
                (
                    row.alternative.name,
                    f"{row.score} %",
                    f"{row.known} %",
                    *(dict(row.ratings)[key] or "?" for key, _ in features),
                    *([_cost(row, currency)] if priced else []),
                    *([row.partner] if partners else []),
                )
                for row in rows
            ],
        ),
        html.items(CAVEATS),
        "<h2>Sources</h2>",
        html.table(
            ("System", "Source", "As of", "Verified", "Mind"),
            [
                (one.name, one.source, one.as_of or "", "yes" if one.verified else "no",
                 "; ".join(one.notes))
                for one in (row.alternative for row in rows)
            ],
        ),
        f'<p class="small">{html.text(COUNSEL)}</p>',
    ]  # fmt: skip
    return html.page("What is used, and where it could go", "\n".join(body))


def _cost(row: Row, currency: str) -> str:
    if row.yearly is None:
        return "no price"
    mark = {True: " (in the budget)", False: " (OVER the budget)", None: ""}[row.in_budget]
    return f"{row.yearly:,} {currency}{mark}"
