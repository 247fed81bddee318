"""Record ids: 15 case-sensitive characters plus the three-character case checksum.

SOAP API guide, "ID Field Type": each of the three suffix characters says which of five
characters are upper case, so that the 18-character form survives case-insensitive systems.
"""

from __future__ import annotations

from functools import lru_cache

ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
SUFFIX = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"
_DIGIT = {c: n for n, c in enumerate(ALPHABET)}
_PAIRS = [a + b for a in ALPHABET for b in ALPHABET]
_SPAN = len(_PAIRS)


def _upper_bits(text: str) -> int:
    return sum(1 << n for n, c in enumerate(text) if "A" <= c <= "Z")


def checksum(id15: str) -> str:
    """The three checksum characters of a 15-character id."""
    return "".join(SUFFIX[_upper_bits(id15[n : n + 5])] for n in (0, 5, 10))


def to18(text: str) -> str | None:
    """The 18-character form of a 15- or 18-character id, or None if it is no id."""
    if len(text) not in (15, 18) or not text.isalnum() or not text.isascii():
        return None
    full = text[:15] + checksum(text[:15])
    if len(text) == 18 and text[15:].upper() != full[15:]:
        return None
    return full


@lru_cache(maxsize=64)
def _tails(middle: str, high_bits: int) -> tuple[str, ...]:
    """Last two id characters with the whole suffix, for one pattern of the three before them."""
    return tuple(pair + middle + SUFFIX[high_bits | _upper_bits(pair) << 3] for pair in _PAIRS)


class IdSpace:
    """The ids of one object: a fixed head and a counter in the last five characters.

    Ids rise with the counter, in the byte order Salesforce itself sorts them by.
    """

    def __init__(self, prefix: str, instance: str, base: int) -> None:
        self.prefix = prefix
        self.base = base
        self._head = f"{prefix}{instance}00000"
        middle = SUFFIX[_upper_bits(self._head[:5])] + SUFFIX[_upper_bits(self._head[5:])]
        self._middle = middle
        self._runs: dict[int, tuple[str, tuple[str, ...]]] = {}

    def _run(self, high: int) -> tuple[str, tuple[str, ...]]:
        run = self._runs.get(high)
        if run is None:
            a, rest = divmod(high, 3844)
            b, c = divmod(rest, 62)
            text = ALPHABET[a] + ALPHABET[b] + ALPHABET[c]
            run = (self._head + text, _tails(self._middle, _upper_bits(text)))
            self._runs[high] = run
        return run

    def at(self, row: int) -> str:
        """The id of row number ``row`` (negative rows are purged ones, down to ``-base``)."""
        high, low = divmod(self.base + row, _SPAN)
        head, tails = self._run(high)
        return head + tails[low]

    def block(self, row: int, count: int) -> list[str]:
        """The ids of ``count`` rows from ``row`` on."""
        out: list[str] = []
        counter = self.base + row
        while count > 0:
            high, low = divmod(counter, _SPAN)
            head, tails = self._run(high)
            part = tails[low : low + count]
            out += [head + tail for tail in part]
            counter += len(part)
            count -= len(part)
        return out

    def row(self, text: str) -> int | None:
        """The row number of an id (may be negative: purged), or None if of another object."""
        full = to18(text)
        if full is None or not full.startswith(self._head):
            return None
        counter = 0
        for char in full[10:15]:
            counter = counter * 62 + _DIGIT[char]
        return counter - self.base
