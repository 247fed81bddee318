"""Fonts of this system for PDFs: the readers' own know Latin letters only."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

# Fonts that systems bring and that hold Latin (with Polish) and Arabic letters alike.
_FONTS = (
    "dejavu/DejaVuSans.ttf",
    "DejaVuSans.ttf",
    "arial.ttf",
    "Arial.ttf",
    "tahoma.ttf",
    "Tahoma.ttf",
    "segoeui.ttf",
    "Arial Unicode.ttf",
)
_FOLDERS = {
    "win32": ("C:/Windows/Fonts",),
    "darwin": ("/System/Library/Fonts/Supplemental", "/Library/Fonts"),
}
_UNIX = ("/usr/share/fonts/truetype", "/usr/share/fonts", "/usr/local/share/fonts")


def find_font(environment: Mapping[str, str] = os.environ) -> Path | None:
    """A font of this system that will do."""
    return next((one for one in _places(environment) if one.is_file()), None)


def _places(environment: Mapping[str, str]) -> Iterator[Path]:
    folders = [Path(one) for one in _FOLDERS.get(sys.platform, _UNIX)]
    if environment.get("HOME"):
        folders.append(Path(environment["HOME"]) / ".local/share/fonts")
    for folder in folders:
        for name in _FONTS:
            yield folder / name
