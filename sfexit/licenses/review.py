"""Who could do without a seat, or with a cheaper one, and what that saves from the renewal on."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

from sfexit.contract.costs import rounded
from sfexit.contract.days import DAY
from sfexit.contract.terms import Contract
from sfexit.licenses.facts import API, SSO, Facts, Person
from sfexit.licenses.prices import Price, price

#: Stable: an id never changes its meaning (docs/licenses.md).
RULES = {
    "LIC01": "nobody signs in",
    "LIC02": "frozen, but still on a seat",
    "LIC03": "deactivated, but still holds an extra",
    "LIC04": "permission set licence that nothing needs",
    "LIC05": "full licence, no work with sales objects",
    "LIC06": "an integration on a full licence",
    "LIC07": "signs in to other apps only",
    "LIC08": "one person on two seats",
    "LIC09": "bought and given to nobody",
    "LIC10": "community member who seldom signs in",
}
FULL = "Salesforce"
PLATFORM, INTEGRATION, IDENTITY, NONE = (
    "Salesforce Platform",
    "Salesforce Integration",
    "Identity",
    "",
)
# A Platform licence has none of these; cases are listed with footnotes, so they count as well:
# https://help.salesforce.com/s/articleView?id=platform.users_license_types_communities_lightning_platform_details.htm
_FULL_OBJECTS = frozenset(
    {
        "Lead",
        "Opportunity",
        "OpportunityLineItem",
        "Quote",
        "Campaign",
        "CampaignMember",
        "Contract",
        "Order",
        "Product2",
        "PricebookEntry",
        "Pricebook2",
        "Case",
        "Solution",
    }
)
# Each has a kin that is paid by the sign-in instead of by the member. Below so many sign-ins a
# month paying for each is commonly cheaper; your own order form decides.
_MEMBERS = frozenset({"Customer Community", "Customer Community Plus", "Partner Community"})
SELDOM = 2
_SYSTEM_TYPES = ("AutomatedProcess", "CloudIntegrationUser", "Guest")


@dataclass(frozen=True)
class Advice:
    """One finding about a user or a pool. `seats` fall, or move to `instead` ("" is no seat)."""

    rule: str
    license: str
    seats: int
    evidence: str
    instead: str = NONE
    user_id: str = ""
    user: str = ""
    counts: bool = True  # False: the same seat is counted by another rule already

    @property
    def title(self) -> str:
        """The rule in a few words."""
        return RULES[self.rule]


@dataclass(frozen=True)
class Saving:
    """What falls of one licence, for a year from the renewal; money only where a price is known.

    `break_even_percent`: if the seats that stay get dearer by so much, nothing is saved.
    """

    license: str
    instead: str
    seats: int
    stay: int
    price: Price | None
    instead_price: Price | None
    yearly: Decimal | None
    break_even_percent: Decimal | None


@dataclass(frozen=True)
class Review:
    """The whole outcome. `renewal` is the first day on which fewer seats can be bought."""

    facts: Facts
    advice: tuple[Advice, ...]
    savings: tuple[Saving, ...]
    renewal: date | None
    notes: tuple[str, ...]
    warnings: tuple[str, ...]


def review(facts: Facts, contract: Contract | None) -> Review:
    """Apply all rules. Pure."""
    advice = tuple(_advice(facts))
    return Review(
        facts,
        advice,
        tuple(_savings(facts, advice, contract)),
        contract.end + DAY if contract else None,
        _notes(facts),
        (
            "quantities cannot fall before the renewal",
            "a smaller renewal can be re-priced without regard to the old unit price: hold the "
            "saving against the break-even",
            "changing a user's licence takes away permission sets that the new one does not allow",
            "deactivating a user lowers no bill before the renewal",
        ),
    )


def _advice(facts: Facts) -> Iterator[Advice]:
    double = _doubles(facts.people)
    for one in facts.people:
        if one.user_type in _SYSTEM_TYPES:
            continue
        if not one.active:
            for extra in one.extras:
                yield _about(one, "LIC03", f"is deactivated and still holds {extra}", extra)
            continue
        for extra in one.unneeded:
            yield _about(one, "LIC04", f"no permission set of theirs needs {extra}", extra)
        if one.license:
            found = [*_of_user(one, facts)]
            if one.id in double:
                found.append(_about(one, "LIC08", f"the same {double[one.id]}", one.license))
            for number, told in enumerate(found):
                yield told if not number else _again(told)
    for pool in facts.pools:
        if pool.empty and pool.kind in ("user licence", "permission set licence", "package"):
            yield Advice(
                "LIC09", pool.name, pool.empty, f"{pool.used:,} of {pool.total:,} are given out"
            )


def _of_user(one: Person, facts: Facts) -> Iterator[Advice]:
    limit = facts.as_of - timedelta(days=facts.window_days)
    if one.last_login is None and one.created and one.created < limit:
        yield _about(one, "LIC01", f"never signed in, made on {one.created}", one.license)
    elif one.last_login and one.last_login < limit:
        yield _about(one, "LIC01", f"last signed in on {one.last_login}", one.license)
    if one.frozen:
        yield _about(one, "LIC02", "frozen users are billed like others", one.license)
    monthly = Decimal(sum(one.logins.values()) * 30) / facts.window_days
    if one.license in _MEMBERS and 0 < monthly < SELDOM:
        count = sum(one.logins.values())
        evidence = f"{count:,} sign-in{'s' * (count != 1)} in {facts.window_days} days"
        yield _about(one, "LIC10", evidence, one.license, f"{one.license} Login")
    if one.license != FULL:
        return
    if one.kind == API:
        evidence = f"{one.logins[API]:,} sign-ins by API, none by a person; {worked(one)}"
        yield _about(one, "LIC06", evidence, one.license, INTEGRATION)
    elif one.kind == SSO:
        evidence = f"{one.logins[SSO]:,} sign-ins by connected apps, no record made or changed"
        yield _about(one, "LIC07", evidence, one.license, IDENTITY)
    elif one.last_login and one.last_login >= limit and not one.touched & _FULL_OBJECTS:
        yield _about(one, "LIC05", worked(one), one.license, PLATFORM)


def worked(one: Person) -> str:
    """What a user did in the window, in words."""
    parts = [
        f"{verb} {', '.join(f'{count:,} {name}' for name, count in some.most_common(3))}"
        for verb, some in (("made", one.made), ("changed", one.changed), ("owns", one.owned))
        if some
    ]
    return "; ".join(parts) or "no record made, changed or owned"


def _about(one: Person, rule: str, evidence: str, license_name: str, instead: str = NONE) -> Advice:
    return Advice(rule, license_name, 1, evidence, instead, one.id, one.name or one.username)


def _again(told: Advice) -> Advice:
    return Advice(
        told.rule, told.license, 1, told.evidence, told.instead, told.user_id, told.user, False
    )


def _doubles(people: Sequence[Person]) -> dict[str, str]:
    """The less used ones of active users with one e-mail or one name on one licence."""
    groups: dict[tuple[str, str, str], list[Person]] = defaultdict(list)
    for one in people:
        if one.active and one.license and one.user_type not in _SYSTEM_TYPES:
            for kind, value in (("e-mail address", one.email), ("name", one.name)):
                if value.strip():
                    groups[one.license, kind, value.strip().casefold()].append(one)
    found: dict[str, str] = {}
    for (_, kind, _), some in groups.items():
        some.sort(key=lambda one: (one.last_login or date.min, one.id), reverse=True)
        for one in some[1:]:
            found.setdefault(one.id, f"{kind} as {some[0].username}")
    return found


def _savings(facts: Facts, advice: Sequence[Advice], contract: Contract | None) -> Iterator[Saving]:
    falling: Counter[tuple[str, str]] = Counter()
    for one in advice:
        if one.counts:
            falling[one.license, one.instead] += one.seats
    total = {one.name: one.total for one in facts.pools if one.total >= 0}
    gone: Counter[str] = Counter()
    for (name, _), seats in falling.items():
        gone[name] += seats
    for (name, instead), seats in sorted(falling.items()):
        own = price(name, facts.edition, contract)
        other = price(instead, facts.edition, contract) if instead else None
        stay = max(0, total.get(name, 0) - gone[name])
        yearly = even = None
        if own and (not instead or (other and other.currency == own.currency)):
            each = own.yearly - (other.yearly if other else Decimal(0))
            if each > 0:
                yearly = rounded(each * seats, own.currency)
                if stay and own.yearly:
                    even = rounded(yearly * 100 / (own.yearly * stay), "EUR")
        yield Saving(name, instead, seats, stay, own, other, yearly, even)


def _notes(facts: Facts) -> tuple[str, ...]:
    told = list(facts.lacking)
    told.append(
        "sign-ins are kept by Salesforce for six months; who only reads leaves no trace in "
        "records: ask before a seat is taken away"
    )
    if facts.edition not in ("Enterprise Edition", "Unlimited Edition", ""):
        told.append(f"free Identity and Integration licences differ by edition ({facts.edition})")
    return tuple(told)
