"""WHERE: conditions checked against the schema and turned into tests over blocks of rows."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from .columns import Value
from .errors import ApiError
from .ids import to18
from .schema import NUMERIC, Field
from .soql import Condition, Literal, located

Test = Callable[[Value], bool]
TEXT = frozenset({"string", "textarea", "phone", "email", "url", "picklist", "combobox"})


def _bad_type(text: str, f: Field, at: int, wanted: str, quoted: bool) -> ApiError:
    message = (
        f"value of filter criterion for field '{f.name}' must be of type {wanted} and should "
        f"{'' if quoted else 'not '}be enclosed in quotes"
    )
    return ApiError(400, "INVALID_FIELD", located(text, at, message))


def _date_word(word: str, now: float) -> tuple[datetime, datetime] | None:
    """First and last moment of a date literal (SOQL guide, Date Formats and Date Literals)."""
    today = datetime.fromtimestamp(now, UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    day = timedelta(days=1)
    name, _, number = word.partition(":")
    n = int(number) if number else 0
    year = today.replace(month=1, day=1)
    spans = {
        "TODAY": (today, today + day),
        "YESTERDAY": (today - day, today),
        "TOMORROW": (today + day, today + 2 * day),
        "LAST_90_DAYS": (today - 90 * day, today + day),
        "THIS_YEAR": (year, year.replace(year=year.year + 1)),
        "LAST_YEAR": (year.replace(year=year.year - 1), year),
        "LAST_N_DAYS": (today - n * day, today + day),
        "NEXT_N_DAYS": (today + day, today + (n + 1) * day),
        "N_DAYS_AGO": (today - n * day, today - (n - 1) * day),
    }
    return spans.get(name)


def _moment(text: str) -> str:
    """A datetime literal as canonical UTC text."""
    plain = text.replace(" ", "+")
    moment = datetime.fromisoformat(plain.replace("Z", "+00:00")).astimezone(UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"


class _Key:
    """How the values of one field compare."""

    def __init__(self, statement: str, f: Field, now: float) -> None:
        self.statement, self.f, self.now = statement, f, now

    def of_row(self, value: str) -> object:
        t = self.f.type
        if t in NUMERIC:
            return float(value)
        if t in TEXT or t == "multipicklist":
            return value.casefold()
        return value

    def of_literal(self, lit: Literal) -> object | None:
        t, f = self.f.type, self.f
        if lit.kind == "null":
            return None
        if t in ("id", "reference"):
            if lit.kind != "string":
                raise _bad_type(self.statement, f, lit.at, "ID", True)
            if lit.text == "":
                return None
            full = to18(lit.text)
            if full is None and f.ref[:1] != ("EntityDefinition",):
                raise ApiError(
                    400,
                    "INVALID_QUERY_FILTER_OPERATOR",
                    located(self.statement, lit.at, f"invalid ID field: {lit.text}"),
                )
            return full or lit.text
        if t == "boolean":
            if lit.kind != "boolean":
                raise _bad_type(self.statement, f, lit.at, "boolean", False)
            return lit.text
        if t in NUMERIC:
            if lit.kind != "number":
                wanted = "int" if t == "int" else "double"
                raise _bad_type(self.statement, f, lit.at, wanted, False)
            return float(lit.text)
        if t == "datetime":
            if lit.kind != "datetime":
                raise _bad_type(self.statement, f, lit.at, "dateTime", False)
            return _moment(lit.text)
        if t == "date":
            if lit.kind != "date":
                raise _bad_type(self.statement, f, lit.at, "date", False)
            return lit.text
        if lit.kind != "string":
            raise _bad_type(self.statement, f, lit.at, "string", True)
        return lit.text.casefold() if lit.text else None


def _like(pattern: str) -> re.Pattern[str]:
    out = "".join(".*" if c == "%" else "." if c == "_" else re.escape(c) for c in pattern)
    return re.compile(out, re.IGNORECASE | re.DOTALL)


def test_for(
    statement: str, condition: Condition, f: Field, now: float, inner: frozenset[str] | None = None
) -> Test:
    """The test one condition makes of a value."""
    if not f.filterable:
        raise ApiError(
            400,
            "INVALID_FIELD",
            located(
                statement, condition.at, f"field '{f.name}' can not be filtered in a query call"
            ),
        )
    op = condition.op
    if inner is not None:
        wanted_ids = inner
        return (lambda v: v in wanted_ids) if op == "in" else (lambda v: v not in wanted_ids)
    key = _Key(statement, f, now)
    first = condition.values[0]
    if f.type in ("date", "datetime") and first.kind == "word" and op not in ("in", "not in"):
        return _word_test(statement, condition, f, first, now)
    if op == "like":
        if f.type not in TEXT or first.kind != "string":
            raise ApiError(
                400,
                "INVALID_FIELD",
                located(statement, condition.at, f"invalid operator on {f.type} field"),
            )
        pattern = _like(first.text)
        return lambda v: v is not None and pattern.fullmatch(v) is not None
    if op in ("includes", "excludes"):
        if f.type != "multipicklist":
            raise ApiError(
                400,
                "INVALID_FIELD",
                located(
                    statement, condition.at, "includes and excludes need a multi-select picklist"
                ),
            )
        sets = [set(v.text.casefold().split(";")) for v in condition.values]

        def included(v: Value) -> bool:
            return v is not None and any(s <= set(v.casefold().split(";")) for s in sets)

        return included if op == "includes" else (lambda v: not included(v))
    if op in ("in", "not in"):
        keys = {key.of_literal(lit) for lit in condition.values}
        if op == "in":
            return lambda v: (None if v is None else key.of_row(v)) in keys
        return lambda v: (None if v is None else key.of_row(v)) not in keys
    wanted = key.of_literal(first)
    if op == "=":
        return lambda v: (None if v is None else key.of_row(v)) == wanted
    if op == "!=":
        return lambda v: (None if v is None else key.of_row(v)) != wanted
    if f.type == "boolean":
        raise ApiError(
            400,
            "INVALID_FIELD",
            located(statement, condition.at, "invalid operator on boolean field"),
        )
    if wanted is None:
        return _never
    return _ordered(op, key, wanted)


def _never(_: Value) -> bool:
    return False


def _ordered(op: str, key: _Key, wanted: object) -> Test:
    if op == "<":
        return lambda v: v is not None and key.of_row(v) < wanted  # type: ignore[operator]
    if op == "<=":
        return lambda v: v is not None and key.of_row(v) <= wanted  # type: ignore[operator]
    if op == ">":
        return lambda v: v is not None and key.of_row(v) > wanted  # type: ignore[operator]
    return lambda v: v is not None and key.of_row(v) >= wanted  # type: ignore[operator]


def _word_test(statement: str, c: Condition, f: Field, word: Literal, now: float) -> Test:
    span = _date_word(word.text, now)
    if span is None:
        raise ApiError(
            400, "MALFORMED_QUERY", located(statement, word.at, f"unexpected token: '{word.text}'")
        )
    form = "%Y-%m-%dT%H:%M:%S.000Z" if f.type == "datetime" else "%Y-%m-%d"
    low, high = span[0].strftime(form), span[1].strftime(form)
    tests: dict[str, Test] = {
        "=": lambda v: v is not None and low <= v < high,
        "!=": lambda v: v is None or not low <= v < high,
        "<": lambda v: v is not None and v < low,
        "<=": lambda v: v is not None and v < high,
        ">": lambda v: v is not None and v >= high,
        ">=": lambda v: v is not None and v >= low,
    }
    return tests[c.op]
