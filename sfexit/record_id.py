"""The three characters that make a record id of 15 characters one of 18.

They carry which of the fifteen are capitals, five in each, so that ids differ even where letter
case does not count (Salesforce Help, "Convert 15-character IDs to 18-character IDs").
"""

from __future__ import annotations

_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"
_CAPITALS = {
    code: "1" if chr(code).isupper() else "0" for code in range(128) if chr(code).isalnum()
}


def suffix(id15: str) -> str:
    """The check characters of 15 ASCII letters and digits."""
    bits = id15.translate(_CAPITALS)  # the first of five characters is the lowest bit
    return "".join(_ALPHABET[int(five[::-1], 2)] for five in (bits[:5], bits[5:10], bits[10:]))
