"""Names for people out of text from the org. Pure.

The text is anybody's: it may hold path separators, device names of Windows, characters that turn
the direction of reading around, NUL, or three hundred bytes of anything.
"""

from __future__ import annotations

import re
import unicodedata

MOST_BYTES = 120  # of one name; two of them and a folder stay below what file systems take
_PLAIN = frozenset(" ._-()+&,")
_DEVICES = re.compile(
    r"(?i)(con|prn|aux|nul|clock\$|conin\$|conout\$|(com|lpt)[0-9\u00b9\u00b2\u00b3])(\..*)?"
)


def safe_name(text: str, extension: str = "", *, mark: str = "") -> str:
    """A name for a file or a folder that every common file system takes.

    `extension` (without its dot, safe already) is put behind unless the text ends in it; `mark`,
    such as " (v2)", between the two. Never empty, never `.` or `..`, without a separator, at most
    MOST_BYTES bytes of UTF-8 and in form NFC, no device of Windows, no blank or dot at the end.
    """
    ending = f".{extension}" if extension else ""
    if ending and text.lower().endswith(ending.lower()):
        text = text[: -len(ending)]
    stem = _clean(text)
    room = MOST_BYTES - len((mark + ending).encode())
    stem = _cut(stem, room).rstrip(" .") or "_"
    name = stem + mark + ending
    if _DEVICES.fullmatch(name):
        name = "_" + _cut(stem, room - 1) + mark + ending
    return name


def _clean(text: str) -> str:
    out = []
    for letter in unicodedata.normalize("NFC", text):
        kind = unicodedata.category(letter)[0]
        out.append(letter if kind in "LN" or letter in _PLAIN else "" if kind == "M" else "_")
    words = re.sub(r"_{2,}", "_", re.sub(r" {2,}", " ", "".join(out))).strip(" ")
    # A first dot hides a file, a first minus is taken for an option.
    return re.sub(r"^[.\-]+", "_", unicodedata.normalize("NFC", words))


def _cut(text: str, room: int) -> str:
    """The beginning of `text` that takes at most `room` bytes, not ending inside a character."""
    return text.encode("utf-8", "replace")[: max(room, 0)].decode("utf-8", "ignore")


def folded(path: str) -> str:
    """What two names have in common that some file system takes for one."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFKC", path).casefold())
