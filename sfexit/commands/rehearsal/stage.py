"""Where the rehearsal plays: runs command lines as a person would type them, notes them down."""

from __future__ import annotations

import io
import re
import shlex
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TextIO

import click

from sfexit.commands import _exit
from sfexit.commands.rehearsal.player import Player
from sfexit.errors import Interrupted
from sfexit.simulated_org import SimulatedOrg

_PROGRESS = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d  ")


@dataclass(frozen=True)
class Ran:
    """A command line of the rehearsal. `said` is all that it printed for people."""

    line: str
    code: int
    expected: int
    said: str

    @property
    def right(self) -> bool:
        """Whether it ended as the play has it."""
        return self.code == self.expected


@dataclass
class Act:
    """A part of the rehearsal: what was run, what was made, and what was seen to be wrong."""

    title: str
    runs: list[Ran] = field(default_factory=list)
    made: list[tuple[str, Path]] = field(default_factory=list)  # (what it is, where)
    wrong: list[str] = field(default_factory=list)
    told: list[str] = field(default_factory=list)


class CutShort(Exception):
    """What an act needs was not made by the acts before it; the text says what."""


def newest(folder: Path, pattern: str) -> Path:
    """The last of what commands made there. Raises CutShort."""
    found = sorted(folder.glob(pattern))
    if not found:
        raise CutShort(f"{folder / pattern} was not made, so the rehearsal ends here")
    return found[-1]


class Stage:
    """One home, one org, one throw-away key; the acts so far.

    `settings` is a folder that stands for the user's own: a rehearsal neither makes nor uses the
    key that real archives are signed with, nor any setting of the user's. Use it in `with`.
    """

    def __init__(self, home: Path, org: SimulatedOrg, url: str, settings: Path) -> None:
        self.home = home
        self.org = org
        self.acts: list[Act] = []
        self._settings = settings
        self._url = url
        self._token = org.new_session()
        self._player = Player()

    def __enter__(self) -> Stage:
        return self

    def __exit__(self, *_: object) -> None:
        self._player.close()

    def act(self, title: str) -> Act:
        """Begin the next act."""
        self.acts.append(Act(title))
        if len(self.acts) > 1:
            self.say("")
        self.say(f"{len(self.acts)}. {title}")
        return self.acts[-1]

    def sign_in_again(self) -> None:
        """The old session is gone; commands from now on have a new one."""
        self._token = self.org.new_session()

    def run(
        self,
        *words: str | Path,
        expect: int = _exit.DONE,
        most: int = 6,
        into: Path | None = None,
        watch: bool = False,
    ) -> Ran:
        """Run `sfexit …`, show the first `most` lines of what it says, and note how it ended.

        `into`: a file that gets what is for programs. `watch`: show its progress too. Raises
        Interrupted when a person stops it.
        """
        line = shlex.join(["sfexit", *map(str, words)]) + (f" > {into}" if into else "")
        self.say(f"   $ {_short(line)}")
        shown = _Indented(sys.stderr, most, watch=watch)
        document = io.StringIO()
        code = self._player.run(
            [str(one) for one in words],
            {
                "SFEXIT_INSTANCE_URL": self._url,
                "SFEXIT_ACCESS_TOKEN": self._token,
                "SFEXIT_CONFIG_DIR": str(self._settings),
                "SFEXIT_API_BUDGET": "100%",
            },
            shown.write,
            document.write if into else shown.write,
        )
        shown.finish()
        if code == _exit.INTERRUPTED:
            raise Interrupted("stopped")
        if into is not None:
            into.write_text(document.getvalue(), "utf-8")
        ran = Ran(_short(line), code, expect, shown.whole)
        self.acts[-1].runs.append(ran)
        if not ran.right:
            self.wrong(f"it ended with {code}, not {expect}")
        elif expect:
            self.say(f"   (exit {code}, as it should)")
        return ran

    def check(self, holds: bool, told: str) -> None:
        """Something that must be so by the org's own truth."""
        if holds:
            self.say(f"   {told}")
        else:
            self.wrong(f"NOT SO: {told}")

    def wrong(self, told: str) -> None:
        """Note down a failure."""
        self.say(f"   FAILED: {told}")
        self.acts[-1].wrong.append(told)

    def tell(self, told: str) -> None:
        """Say something that the last page says too."""
        self.say(f"   {told}")
        self.acts[-1].told.append(told)

    def made(self, what: str, path: Path) -> None:
        """Note down a file for the last page."""
        if path.exists():
            self.acts[-1].made.append((what, path))
        else:
            self.wrong(f"{path} was not made")

    def say(self, text: str) -> None:
        """A line of the rehearsal itself."""
        click.echo(text, err=True)

    @property
    def fingerprint(self) -> str:
        """Of the throw-away key."""
        from sfexit.archive import signing

        return signing.load_or_create(self._settings).fingerprint

    @property
    def failed(self) -> bool:
        """Whether anything went otherwise than the play has it."""
        return any(one.wrong for one in self.acts)


class _Indented(io.TextIOBase):
    """Passes lines on as they come, set in, and only the first ones; keeps all but progress."""

    def __init__(self, target: TextIO, most: int, *, watch: bool) -> None:
        self._target = target
        self._most = most
        self._watch = watch
        self._lines = 0
        self._begun = ""
        self._kept: list[str] = []

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        *lines, self._begun = (self._begun + text).split("\n")
        for line in lines:
            self._line(line)
        return len(text)

    def _line(self, line: str) -> None:
        if _PROGRESS.match(line):
            if self._watch:
                self._pass_on(line)
            return
        self._kept.append(line)
        self._lines += bool(line.strip())
        if self._lines <= self._most and (line.strip() or self._lines):
            self._pass_on(line)

    def _pass_on(self, line: str) -> None:
        self._target.write(f"     {line}".rstrip() + "\n")
        self._target.flush()

    def finish(self) -> None:
        """Say how much was not shown."""
        if self._begun:
            self.write("\n")
        if self._lines > self._most:
            self._pass_on(f"… and {self._lines - self._most} more lines")

    @property
    def whole(self) -> str:
        return "\n".join(self._kept)


def _short(line: str) -> str:
    """A command line for the eye: all hazards are accepted here, so they are not listed."""
    return re.sub(r"(?: --accept-[a-z-]+)+", " --accept-…", line)
