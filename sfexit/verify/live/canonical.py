"""Values in one form, whichever road they came by.

The archive has Bulk's CSV texts, the other road JSON: null is an empty cell or null, "1.0E7" and
"10000000.00" are one number, "…Z" and "…+0000" one moment. Texts must be equal letter by letter.
"""

from __future__ import annotations

import json
import re
from decimal import Decimal, InvalidOperation
from typing import Any

from sfexit.verify.live.keys import stamp, stamp_text
from sfexit.verify.live.schema import FieldFact

_ELSEWHERE = re.compile(r"[A-Z_][A-Z0-9_]*\.[A-Z]")  # Account.Name, Parent__r.Code__c
_NUMBERS = frozenset({"int", "integer", "long", "double", "currency", "percent", "number"})

#: Fields that say something of the reading user or moment, not of the record (Object Reference,
#: "System Fields" and each object: LastViewedDate, LastReferencedDate).
OF_THE_READER = frozenset({"LastViewedDate", "LastReferencedDate"})


def from_cell(text: str, kind: str) -> str | None:
    """A CSV cell of the archive or of a query job."""
    return None if text == "" else _typed(text, kind)


def from_json(value: Any, kind: str) -> str | None:
    """A value of a REST answer parsed with numbers as text."""
    if value is None or value == "":
        return None
    if value is True:
        return "true"
    if value is False:
        return "false"
    if isinstance(value, str):
        return _typed(value, kind)
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _typed(text: str, kind: str) -> str:
    if kind in _NUMBERS:
        return _number(text)
    if kind == "datetime":
        return stamp_text(stamp(text)) if text[:1].isdigit() else text
    if kind == "time":
        return text.removesuffix("Z")
    if kind == "boolean":
        return text.lower()
    return text


def _number(text: str) -> str:
    try:
        value = Decimal(text)
    except InvalidOperation:
        return text
    if not value.is_finite() or abs(value.adjusted()) > 400:
        return text
    if not value:
        return "0"
    # Salesforce keeps numbers as doubles: both roads write the same one, with more or fewer
    # digits only where those are zeros.
    return format(value.normalize(), "f")


def depends_on_the_moment(field: FieldFact) -> bool:
    """Whether a formula may give another value tomorrow although its record does not change.

    It reads the clock, the user, or another record (Formula Operators and Functions: TODAY, NOW,
    TIMENOW, $User, and fields of other objects by a dot).
    """
    if not field.calculated or not field.formula:
        return False
    told = field.formula.upper()
    return any(word in told for word in ("TODAY(", "NOW(", "$")) or bool(_ELSEWHERE.search(told))
