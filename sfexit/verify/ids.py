"""Record ids: are they well-formed, and what are they as numbers, which sort and compare fast.

The last 3 of the 18 characters say which of the first 15 are upper-case letters
(https://help.salesforce.com/s/articleView?id=000383751). So a well-formed id is its first 15
characters, and these are two numbers: the first 8 bytes and the other 7. A *key* is a row of both.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from sfexit.verify.grid import Bytes, Column

Keys = NDArray[np.uint64]  # (ids, 2)

SIZE = 18
_LAST_7 = np.uint64((1 << 56) - 1)
_ALPHANUMERIC = bytes(code for code in range(128) if chr(code).isalnum())
_UPPER = bytes(1 if 65 <= code <= 90 else 0 for code in range(256))
_LETTERS = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ012345" + bytes(224)
#: The 3 check characters as one number, by which of the 15 characters are upper-case letters.
_CHECKS = np.array(
    [
        _LETTERS[n & 31] | _LETTERS[n >> 5 & 31] << 8 | _LETTERS[n >> 10] << 16
        for n in range(1 << 15)
    ],
    np.uint32,
)


def id18(id15: str) -> str:
    """The id with its last three characters, which say where the first have upper-case letters."""
    upper = [sum((c.isupper()) << n for n, c in enumerate(id15[at : at + 5])) for at in (0, 5, 10)]
    return id15 + "".join(chr(_LETTERS[one]) for one in upper)


def malformed(ids: Sequence[str]) -> list[str]:
    """Those that are not 18-character ids with the right check characters.

    For ids that are texts already; `of_column` is for those of a page. Each step handles one
    character of every id.
    """
    together = "".join(ids)
    sizes = set(map(len, ids))
    if sizes - {18} or not (together.isascii() and (together.isalnum() or not together)):
        good = [i for i in ids if len(i) == 18 and i.isascii() and i.isalnum()]
        bad = [i for i in ids if not (len(i) == 18 and i.isascii() and i.isalnum())]
        return bad + malformed(good)
    data = together.encode("ascii")
    upper = data.translate(_UPPER)
    wrong: set[int] = set()
    for group in range(3):
        # Bytes added as one long number: no byte ever exceeds 31, so none runs over.
        total = sum(int.from_bytes(upper[5 * group + at :: 18], "little") << at for at in range(5))
        right = total.to_bytes(len(ids), "little").translate(_LETTERS)
        found = data[15 + group :: 18]
        if right != found:
            wrong.update(at for at, (a, b) in enumerate(zip(right, found, strict=True)) if a != b)
    return [ids[at] for at in sorted(wrong)]


def of_column(column: Column, *, optional: bool) -> tuple[Keys, list[str]]:
    """The keys of a column's ids, and the values that are no well-formed ids.

    `optional`: there may be no value.
    """
    which, found = column.of_size(SIZE)
    keys, sound = _keys(found)
    wrong = [column.of_other_sizes(SIZE)]
    if not optional:
        wrong.append(np.flatnonzero(column.sizes == 0))
    if not sound.all():
        keys = keys[sound]
        wrong.append(which[~sound])
    return keys, column.values(np.sort(np.concatenate(wrong)))


def _keys(found: Bytes) -> tuple[Keys, NDArray[np.bool_]]:
    """The keys of a matrix (ids x 18), and which of its rows are well-formed ids."""
    first = np.ascontiguousarray(found[:, :8]).view("<u8")[:, 0]
    second = np.ascontiguousarray(found[:, 8:16]).view("<u8")[:, 0] & _LAST_7
    right = _CHECKS[_upper(first) | _upper(second) << np.uint64(8)]
    sound = right == np.ascontiguousarray(found[:, 14:]).view("<u4")[:, 0] >> np.uint32(8)
    if found.tobytes().translate(None, _ALPHANUMERIC):
        sound &= np.isin(found, np.frombuffer(_ALPHANUMERIC, np.uint8)).all(axis=1)
    keys = np.empty((len(found), 2), np.uint64)
    keys[:, 0] = first.byteswap()
    keys[:, 1] = second.byteswap() >> np.uint64(8)
    return keys, sound


def _upper(eight: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Of 8 letters and digits each, first in the lowest byte: bit n is set where number n is an
    upper-case letter. Of all these only upper-case letters have bit 6 without bit 5; the
    multiplication brings one bit of each byte together."""
    marks = eight >> np.uint64(6) & ~(eight >> np.uint64(5)) & np.uint64(0x0101010101010101)
    return marks * np.uint64(0x0102040810204080) >> np.uint64(56)


def keys_of(ids: Sequence[str]) -> Keys:
    """The keys of well-formed ids."""
    data = np.frombuffer("".join(ids).encode("ascii"), np.uint8)
    return _keys(data.reshape(len(ids), SIZE))[0]


def in_order(keys: Keys) -> Keys:
    """The keys sorted, which is the order of the ids as texts."""
    if len(keys) and (keys[:, 0] == keys[0, 0]).all():  # the rows of one object, nearly always
        found = keys.copy()
        found[:, 1] = np.sort(keys[:, 1])
        return found
    return keys[np.lexsort((keys[:, 1], keys[:, 0]))]


def changes(keys: Keys) -> NDArray[np.bool_]:
    """Of sorted keys, which are others than the one before."""
    new = np.ones(len(keys), np.bool_)
    new[1:] = (keys[1:] != keys[:-1]).any(axis=1)
    return new


def each_once(keys: Keys) -> Keys:
    """The different keys, sorted."""
    found = in_order(keys)
    return found[changes(found)]


def text(key: Sequence[int]) -> str:
    """The id of a key, 18 characters."""
    first = int(key[0]).to_bytes(8, "big") + int(key[1]).to_bytes(7, "big")
    upper = first.translate(_UPPER)
    codes = (sum(upper[5 * part + at] << at for at in range(5)) for part in range(3))
    return (first + bytes(_LETTERS[code] for code in codes)).decode("ascii")
