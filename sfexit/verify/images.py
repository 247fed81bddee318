"""Images that rich texts show, as the archived texts name them: an own reader of that HTML.

A rich text shows an image by an address with `rtaImage` in its path and the image's id as the
parameter `refid` (REST API Developer Guide, "Get an Image from a Rich Text Area Field"; the
resource "doesn't work with the EmailMessage object").
"""

from __future__ import annotations

from html.parser import HTMLParser
from urllib.parse import parse_qs, urlsplit

import numpy as np

from sfexit.verify.grid import Grid
from sfexit.verify.ids import SIZE, id18, malformed

MARK = b"rtaImage"
#: Among the sorted ids: those of the index and its exceptions.
NAMED = "image:"
WITHOUT = frozenset({"EmailMessage"})


class _Sources(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "img":
            self.found += [value for name, value in attrs if name == "src" and value]


def shown(html: str) -> list[str]:
    """The 18-character ids of the images that a text shows; what has no such id is left out."""
    reader = _Sources()
    reader.feed(html)
    reader.close()
    found = []
    for source in reader.found:
        try:
            parts = urlsplit(source)
        except ValueError:
            continue
        if MARK.decode() in parts.path:
            found += [full(one) for one in parse_qs(parts.query).get("refid", [])]
    return [one for one in found if one]


def full(text: str) -> str:
    """An id with its check characters, "" for what is no id."""
    if len(text) == SIZE - 3 and text.isascii():
        text = id18(text)
    return text if not malformed([text]) else ""


def in_grid(grid: Grid, wanted: dict[int, str]) -> dict[str, set[str]]:
    """By column, the images that its values show. `wanted`: place of a column → its name."""
    found: dict[str, set[str]] = {}
    starts = grid.starts.ravel()
    width = grid.starts.shape[1]
    seen = -1
    at = grid.text.find(MARK)
    while at >= 0:
        place = int(np.searchsorted(starts, at, "right")) - 1
        name = wanted.get(place % width)
        if name is not None and place != seen:
            value = grid.column(place % width).value(place // width)
            found.setdefault(name, set()).update(shown(value))
        seen = place
        at = grid.text.find(MARK, at + len(MARK))
    return found
