"""The customer's own weights, budget, prices, ratings and contacts; all optional, all winning."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

from sfexit.compare.alternatives import RATINGS, alternatives
from sfexit.compare.needs import feature_titles
from sfexit.contract.currencies import CURRENCIES
from sfexit.contract.fields import Table
from sfexit.errors import UsageProblem


@dataclass(frozen=True)
class Own:
    """What the customer knows of one alternative. `price` is for a user and a month."""

    price: Decimal | None = None
    partner: str = ""
    ratings: dict[str, str] = field(default_factory=dict)
    name: str = ""


@dataclass(frozen=True)
class Wishes:
    """`weights` by feature, 1 where none is given; `budget` for all users and a year."""

    weights: dict[str, Decimal] = field(default_factory=dict)
    budget: Decimal | None = None
    currency: str = ""
    users: int | None = None
    own: dict[str, Own] = field(default_factory=dict)


def load(path: Path) -> Wishes:
    """Read and check a weights file. Raises UsageProblem that names every wrong field."""
    try:
        document = tomllib.loads(path.read_text("utf-8-sig"), parse_float=Decimal)
    except OSError as error:
        raise UsageProblem(f"{path} cannot be read: {error.strerror}") from error
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UsageProblem(f"{path} is not valid TOML: {error}") from error
    top = Table(document, "")
    weights, budget = top.table("weights"), top.table("budget")
    found = {key: weights.amount(key) for key in feature_titles()}
    amount, currency = budget.amount("amount"), budget.text("currency").upper()
    users = budget.count("users", least=1, most=10_000_000)
    if currency and currency not in CURRENCIES:
        budget.wrong("currency", "is no ISO 4217 code such as EUR or USD")
    if amount is not None and not (users and currency):
        budget.wrong("amount", "needs users and currency beside it")
    known = alternatives()
    own = {}
    for one in top.tables("alternatives"):
        key = one.text("key", needed=True)
        name = one.text("name")
        if key and key not in known and not name:
            one.wrong("key", f"is none of {', '.join(known)}: add a name for one of your own")
        ratings = one.table("ratings")
        told = {feature: ratings.choice(feature, RATINGS) for feature in feature_titles()}
        own[key] = Own(
            one.amount("price"),
            one.text("partner"),
            {feature: rating for feature, rating in told.items() if rating},
            name,
        )
    problems = top.problems()
    if problems:
        raise UsageProblem(f"{path} cannot be used: {'; '.join(problems[:20])}")
    return Wishes(
        {key: value for key, value in found.items() if value is not None},
        amount,
        currency,
        users,
        own,
    )
