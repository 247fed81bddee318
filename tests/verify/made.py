"""A home that a test may damage."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from sfexit.archive import signing


@dataclass(frozen=True)
class Made:
    """A home with a sealed bag, and the key that sealed it."""

    home: Path
    key: signing.SigningKey
    name: str = "0001"

    @property
    def bag(self) -> Path:
        return self.home / "bags" / self.name
