"""Which line of the contract a line of a bill is about, by the words of its name."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sfexit.billing.labels import folded
from sfexit.contract.terms import Contract, Line, SeparateContract

_EMPTY = frozenset(
    {"edition", "licence", "license", "licences", "licenses", "of", "subscription", "the", "user"}
    | {"users"}
)


def words_of(product: str) -> frozenset[str]:
    """The words that make a product's name, without those that every name has."""
    return frozenset(folded(product).split()) - _EMPTY


def meant(product: str, contract: Contract) -> tuple[Line, ...]:
    """The contract's lines of this product; nothing when none or more than one fits as well."""
    names = {one.product for one in contract.lines}
    name = _nearest(product, names)
    return tuple(one for one in contract.lines if one.product == name)


def separate(product: str, contracts: Sequence[SeparateContract]) -> SeparateContract | None:
    """The contract of its own that a line belongs to."""
    told = words_of(product)
    for one in contracts:
        own = words_of(one.product)
        if own and own <= told:
            return one
    return None


def _nearest(product: str, names: Iterable[str]) -> str | None:
    told = words_of(product)
    scored = []
    for name in names:
        own = words_of(name)
        if not told or not own:
            continue
        # A bill adds words ("Sales Cloud Enterprise - annual") or leaves some out.
        share = len(told & own) / min(len(told), len(own))
        if share == 1:
            scored.append((len(told & own) / len(told | own), name))
    scored.sort(reverse=True)
    if not scored or (len(scored) > 1 and scored[0][0] == scored[1][0]):
        return None
    return scored[0][1]
