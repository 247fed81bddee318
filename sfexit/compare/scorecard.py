"""Each alternative against what is used: a weighted share, and how much of it is known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from sfexit.compare.alternatives import API, FILE, NONE, Alternative, alternatives
from sfexit.compare.needs import Need
from sfexit.compare.wishes import Own, Wishes
from sfexit.contract.costs import rounded

_WORTH = {FILE: Decimal(1), API: Decimal("0.5"), NONE: Decimal(0)}


@dataclass(frozen=True)
class Row:
    """One alternative. `score` and `known` are percent of the weights; what is not known counts
    nothing in `score`. `yearly` is for all users, None without a price of yours."""

    alternative: Alternative
    ratings: tuple[tuple[str, str], ...]  # (feature, file, api, none or "")
    score: int
    known: int
    yearly: Decimal | None
    in_budget: bool | None
    partner: str


def scorecard(used: Sequence[Need], wishes: Wishes) -> tuple[Row, ...]:
    """All alternatives, best score first; those over the budget last."""
    rated = [one for one in used if not one.rebuilt]
    known = alternatives()
    for key, own in wishes.own.items():
        if key not in known:
            known[key] = Alternative(key, own.name, None, False, "your file", {}, ())
    rows = [_row(one, rated, wishes) for one in known.values()]
    return tuple(
        sorted(rows, key=lambda row: (row.in_budget is False, -row.score, row.alternative.name))
    )


def _row(one: Alternative, rated: Sequence[Need], wishes: Wishes) -> Row:
    own = wishes.own.get(one.key, Own())
    ratings = {**one.ratings, **own.ratings}
    shown = tuple((need.key, ratings.get(need.key, "")) for need in rated)
    weights = {need.key: wishes.weights.get(need.key, Decimal(1)) for need in rated}
    total = sum(weights.values(), Decimal(0))
    reached = sum((weights[key] * _WORTH[rating] for key, rating in shown if rating), Decimal(0))
    told = sum((weights[key] for key, rating in shown if rating), Decimal(0))
    yearly = None
    if own.price is not None and wishes.users:
        yearly = rounded(own.price * 12 * wishes.users, wishes.currency)
    return Row(
        one,
        shown,
        _percent(reached, total),
        _percent(told, total),
        yearly,
        None if yearly is None or wishes.budget is None else yearly <= wishes.budget,
        own.partner,
    )


def _percent(part: Decimal, whole: Decimal) -> int:
    return int((part * 100 / whole).quantize(Decimal(1))) if whole else 0
