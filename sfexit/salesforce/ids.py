"""Record ids: 15 characters that differ by letter case, or 18 that do not.

The last three characters of the long form encode which of the first fifteen are capitals
(Salesforce Help, "Convert 15-character IDs to 18-character IDs"). sfexit keeps the long form only.
"""

from __future__ import annotations

import re

from sfexit import record_id
from sfexit.errors import DamagedAnswer

_ID = re.compile(r"[A-Za-z0-9]{15}(?:[A-Za-z0-9]{3})?")


def full_id(text: object) -> str:
    """The 18-character form of an id of 15 or 18 characters. Raises DamagedAnswer."""
    if not isinstance(text, str) or not _ID.fullmatch(text):
        raise DamagedAnswer("The org sent a record id that is none.")
    short = text[:15]
    suffix = record_id.suffix(short)
    if len(text) == 18 and text[15:].upper() != suffix:
        raise DamagedAnswer("The org sent a record id whose check characters are wrong.")
    return short + suffix
