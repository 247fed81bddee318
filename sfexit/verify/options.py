"""How an offline verification is to look, and who watches it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from sfexit.verify.codes import Level


@dataclass(frozen=True)
class Options:
    """How to look. `part` is (n, of): only that share of the files, by a checksum of their names.

    `state` is a folder in which a run that was cut short finds what earlier ones did.
    """

    level: Level = Level.NORMAL
    expect_key: str | None = None
    expect_root: str | None = None
    part: tuple[int, int] = (1, 1)
    max_seconds: float | None = None
    state: Path | None = None
    workers: int = 0  # 0: as many as the machine has processors

    @property
    def whole(self) -> bool:
        """Whether it looks at everything, not at a part."""
        return self.part == (1, 1)


class Watch:
    """Who wants to know how far it is. Called from one thread."""

    def phase(self, name: str) -> None: ...

    def looked(self, files: int, of: int, size: int, rows: int) -> None: ...
