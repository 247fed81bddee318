"""What a licence costs: the contract's own line, else a price seen in public, else nothing."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from importlib.resources import files

from sfexit.contract.terms import Contract, Line


@dataclass(frozen=True)
class Price:
    """Net, for one seat and a year. `source` says where it stands."""

    yearly: Decimal
    currency: str
    source: str
    from_contract: bool


@dataclass(frozen=True)
class Seen:
    """An entry of the price book."""

    license: str
    edition: str
    currency: str
    amount: Decimal
    per: str
    words: tuple[str, ...]
    source: str
    as_of: date
    verified: bool


def price_book() -> tuple[Seen, ...]:
    """All prices that are shipped."""
    told = tomllib.loads(files("sfexit.licenses").joinpath("prices.toml").read_text("utf-8"))
    return tuple(
        Seen(**{**one, "amount": Decimal(one["amount"]), "words": tuple(one["words"])})
        for one in told["prices"]
    )


def price(license_name: str, edition: str, contract: Contract | None) -> Price | None:
    """The price of a licence, or None: then only seats are told.

    Of several lines of a contract the cheapest is taken: which seats fall is not known, and a
    saving should rather be told too small.
    """
    book = [one for one in price_book() if one.license == license_name]
    lines = _lines(book, contract.lines if contract else ())
    if contract is not None and lines:
        cheapest = min(lines, key=_yearly)
        return Price(
            _yearly(cheapest), contract.currency, f"your contract: {cheapest.product}", True
        )
    fitting = [one for one in book if one.edition in ("", edition)]
    if contract is not None:
        fitting = [one for one in fitting if one.currency == contract.currency or not one.amount]
    if not fitting:
        return None
    one = min(fitting, key=lambda seen: seen.amount)
    checked = "" if one.verified else ", not verified"
    return Price(
        one.amount * (12 if one.per == "month" else 1),
        contract.currency if contract and not one.amount else one.currency,
        f"{one.source}, {one.as_of}{checked}",
        False,
    )


def _lines(book: Sequence[Seen], lines: Sequence[Line]) -> list[Line]:
    words = {word for one in book for word in one.words}
    others = {w for one in price_book() if one not in book for w in one.words} - words
    return [
        one
        for one in lines
        if one.per != "term"
        and any(f" {word} " in f" {one.product.lower()} " for word in words)
        and not any(f" {word} " in f" {one.product.lower()} " for word in others)
    ]


def _yearly(line: Line) -> Decimal:
    return line.unit_price * (12 if line.per == "month" else 1)
