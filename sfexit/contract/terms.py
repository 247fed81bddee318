"""The terms of a contract, as its customer wrote them into `contract.toml`.

The customer's file is the only truth about a contract; what this program knows of usual terms is
offered with its source and never put in place of what the file says. Money is Decimal.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

from sfexit.contract.currencies import CURRENCIES
from sfexit.contract.days import BusinessDays, inclusive_days
from sfexit.contract.fields import Table
from sfexit.errors import UsageProblem

FILE_NAME = "contract.toml"
RENEWALS = ("auto", "manual")
NOTICE_UNITS = ("days", "business_days", "weeks", "months")
NOTICE_FORMS = ("letter", "courier", "email", "portal")
ROLES = ("legal", "account_executive", "billing", "support", "other")
PERIODS = ("month", "year", "term")
FEES = ("remaining_fees", "percent", "amount", "none", "unknown")
REFUNDS = ("none", "prorata", "full_within_days", "unknown")
WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
LAWS = ("eu-data-act",)
SOLD_BY = ("account_executive", "self_service", "unknown")
_LONGEST_TERM_DAYS = 3660
_ABOUT_DAYS = {"days": 1.0, "business_days": 1.4, "weeks": 7.0, "months": 30.4}


@dataclass(frozen=True)
class Line:
    """One line of the order form. `unit_price` is net for one piece and one `per`."""

    product: str
    quantity: int
    unit_price: Decimal
    per: str
    start: date
    end: date
    keep: int  # pieces that would stay after a reduction at renewal
    list_price: Decimal | None = None  # what re-pricing without the discount may come to


@dataclass(frozen=True)
class Addressee:
    """To whom a notice goes."""

    role: str
    name: str = ""
    address: str = ""
    email: str = ""


@dataclass(frozen=True)
class SeparateContract:
    """A managed package or add-on that has a contract of its own and does not end with this one."""

    vendor: str
    product: str
    end: date | None = None
    notice: str = ""


@dataclass(frozen=True)
class AgreedCredit:
    """What an amendment grants back, net. `clause` says where it stands."""

    product: str
    amount: Decimal
    clause: str = ""


@dataclass(frozen=True)
class Notice:
    """How non-renewal must be told. `count` of `unit` before the last day of service."""

    count: int
    unit: str
    clause: str
    forms: tuple[str, ...]
    addressees: tuple[Addressee, ...]
    delivery_business_days: int


@dataclass(frozen=True)
class EarlyTermination:
    """What leaving before the end costs. `value` is a percentage or an amount."""

    kind: str
    value: Decimal = Decimal(0)
    clause: str = ""


@dataclass(frozen=True)
class Refund:
    """What is paid back. `days` counts from the start of the term."""

    kind: str
    days: int = 0
    clause: str = ""


@dataclass(frozen=True)
class Contract:
    """A subscription contract. `end` is the last day of service, inclusive."""

    number: str
    customer: str
    vendor: str
    start: date
    end: date
    renewal: str
    notice: Notice
    currency: str
    org_id: str = ""
    my_domain: str = ""
    orders: tuple[str, ...] = ()
    sold_by: str = "unknown"
    customer_address: str = ""
    signatory: str = ""
    signatory_title: str = ""
    contact_email: str = ""
    billing_contact: str = ""
    renewal_term_months: int | None = None
    uplift_cap_percent: Decimal | None = None
    early_termination: EarlyTermination = EarlyTermination("unknown")
    refund: Refund = Refund("unknown")
    lines: tuple[Line, ...] = ()
    separate: tuple[SeparateContract, ...] = ()
    credits: tuple[AgreedCredit, ...] = ()
    business: BusinessDays = field(default_factory=BusinessDays)
    customer_country: str = ""
    laws: tuple[str, ...] = ()

    @property
    def term_days(self) -> int:
        """Days of the term, first and last counted."""
        return inclusive_days(self.start, self.end)


def load(path: Path) -> Contract:
    """Read and check `contract.toml`. Raises UsageProblem that names every wrong field."""
    try:
        document = tomllib.loads(path.read_text("utf-8-sig"), parse_float=Decimal)
    except FileNotFoundError as error:
        raise UsageProblem(
            f"{path} is not there: make it with sfexit contract init {path.parent}"
        ) from error
    except UnicodeDecodeError as error:
        raise UsageProblem(f"{path} is not UTF-8 text: save it as UTF-8") from error
    except tomllib.TOMLDecodeError as error:
        raise UsageProblem(f"{path} is not valid TOML: {error}") from error
    except OSError as error:
        raise UsageProblem(f"{path} cannot be read: {error.strerror}") from error
    contract, problems = read(document)
    if problems or contract is None:
        shown = "; ".join(problems[:20])
        more = f"; and {len(problems) - 20} more" if len(problems) > 20 else ""
        raise UsageProblem(f"{path} cannot be used: {shown}{more}")
    return contract


def read(document: dict[str, Any]) -> tuple[Contract | None, tuple[str, ...]]:
    """The contract in a parsed file, or None and everything that is wrong with it."""
    top = Table(document, "")
    contract = top.table("contract", needed=True)
    notice = top.table("notice", needed=True)
    fee = top.table("early_termination")
    refund = top.table("refund")
    law = top.table("law")
    calendar = top.table("calendar")
    start = contract.day("start", needed=True)
    end = contract.day("end", needed=True)
    if start and end:
        if end < start:
            contract.wrong("end", f"lies before start ({start})")
        elif inclusive_days(start, end) > _LONGEST_TERM_DAYS:
            contract.wrong("end", "makes a term of more than ten years: check the year")
    told = Contract(
        number=contract.text("number", needed=True),
        customer=contract.text("customer", needed=True),
        vendor=contract.text("vendor", needed=True),
        start=start or date.min,
        end=end or date.min,
        renewal=contract.choice("renewal", RENEWALS, needed=True),
        notice=_notice(notice, start, end),
        currency=_currency(contract),
        org_id=contract.org_id("org_id"),
        my_domain=contract.text("my_domain"),
        orders=contract.texts("orders"),
        sold_by=contract.choice("sold_by", SOLD_BY, default="unknown"),
        customer_address=contract.text("customer_address"),
        signatory=contract.text("signatory"),
        signatory_title=contract.text("signatory_title"),
        contact_email=contract.email("contact_email"),
        billing_contact=contract.text("billing_contact"),
        renewal_term_months=contract.count("renewal_term_months", least=1, most=120),
        uplift_cap_percent=contract.amount("uplift_cap_percent"),
        early_termination=_fee(fee),
        refund=_refund(refund),
        lines=tuple(_line(one, start, end) for one in top.tables("lines")),
        separate=tuple(_separate(one) for one in top.tables("separate_contracts")),
        credits=tuple(_credit(one) for one in top.tables("agreed_credits")),
        business=_business(calendar),
        customer_country=law.text("customer_country"),
        laws=tuple(law.choices("packs", LAWS)),
    )
    problems = top.problems()
    return (None if problems else told), problems


def _notice(table: Table, start: date | None, end: date | None) -> Notice:
    count = table.count("count", least=0, most=1000, needed=True)
    unit = table.choice("unit", NOTICE_UNITS, default="days")
    if count and start and end and end >= start:
        days = count * {"days": 1.0, "business_days": 1.4, "weeks": 7.0, "months": 30.4}.get(
            unit, 1
        )
        if days > inclusive_days(start, end):
            table.wrong("count", "makes the notice longer than the whole term")
    addressees = tuple(
        Addressee(
            one.choice("role", ROLES, needed=True),
            one.text("name"),
            one.text("address"),
            one.email("email"),
        )
        for one in table.tables("addressees")
    )
    if not addressees:
        table.wrong(
            "addressees",
            "is missing: name at least one [[notice.addressees]] from the order form or the MSA",
        )
    forms = tuple(table.choices("forms", NOTICE_FORMS))
    if not forms:
        table.wrong("forms", f"is missing: a list of {', '.join(NOTICE_FORMS)}")
    for form, key in (("letter", "address"), ("courier", "address"), ("email", "email")):
        if form in forms and addressees and not any(getattr(one, key) for one in addressees):
            table.wrong("forms", f"names {form}, but no addressee has an {key}")
    return Notice(
        count or 0,
        unit,
        table.text("clause", needed=True),
        forms,
        addressees,
        table.count("delivery_business_days", least=0, most=60, default=5) or 0,
    )


def _currency(table: Table) -> str:
    code = table.text("currency", needed=True).upper()
    if code and code not in CURRENCIES:
        table.wrong("currency", "is no ISO 4217 code such as EUR or USD")
    return code


def _fee(table: Table) -> EarlyTermination:
    kind = table.choice("type", FEES, default="unknown")
    value = table.amount("value")
    if kind in ("percent", "amount") and value is None:
        table.wrong("value", f"is missing: type {kind} needs one")
    if kind == "percent" and value is not None and value > 100:
        table.wrong("value", "is more than 100 percent")
    return EarlyTermination(kind, value or Decimal(0), table.text("clause"))


def _refund(table: Table) -> Refund:
    kind = table.choice("type", REFUNDS, default="unknown")
    days = table.count("days", least=1, most=366)
    if kind == "full_within_days" and days is None:
        table.wrong("days", "is missing: type full_within_days needs it")
    clause = table.text("clause")
    if kind in ("prorata", "full_within_days") and not clause:
        table.wrong("clause", "is missing: name where your contract grants this refund")
    return Refund(kind, days or 0, clause)


def _line(table: Table, start: date | None, end: date | None) -> Line:
    quantity = table.count("quantity", least=0, most=10_000_000, needed=True) or 0
    first = table.day("start") or start or date.min
    last = table.day("end") or end or date.min
    if last < first:
        table.wrong("end", f"lies before start ({first})")
    keep = table.count("keep", least=0, most=10_000_000)
    if keep is not None and keep > quantity:
        table.wrong("keep", f"is more than quantity ({quantity})")
    return Line(
        table.text("product", needed=True),
        quantity,
        table.amount("unit_price", needed=True) or Decimal(0),
        table.choice("per", PERIODS, default="month"),
        first,
        last,
        quantity if keep is None else keep,
        table.amount("list_price"),
    )


def _separate(table: Table) -> SeparateContract:
    return SeparateContract(
        table.text("vendor", needed=True),
        table.text("product", needed=True),
        table.day("end"),
        table.text("notice"),
    )


def _credit(table: Table) -> AgreedCredit:
    amount = table.amount("amount")
    if amount is None:
        table.wrong("amount", "is missing: what was agreed, net")
    return AgreedCredit(
        table.text("product", needed=True), amount or Decimal(0), table.text("clause")
    )


def _business(table: Table) -> BusinessDays:
    weekend = frozenset(WEEKDAYS.index(one) for one in table.choices("weekend", WEEKDAYS))
    if len(weekend) == 7:
        table.wrong("weekend", "leaves no business day")
    default = BusinessDays()
    return BusinessDays(frozenset(table.days("holidays")), weekend or default.weekend)
