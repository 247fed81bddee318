"""A small simulated org, and two ways to run sfexit against it: in this process and in its own."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from sfexit.commands.main import run
from sfexit.simulated_org import FaultPlan, SimulatedOrg, SimulatedServer, serve
from sfexit.simulated_org.catalogue import standard_objects

#: Enough for every kind of outcome that counts as complete, and quick.
COMPLETE = (
    "Organization", "User", "Profile", "Account", "Contact",
    "Empty__c", "AccountChangeEvent", "OauthToken",
)  # fmt: skip

_PROGRESS = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d  ")


@dataclass(frozen=True)
class Ran:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def sentences(self) -> list[str]:
        """The lines of stderr that are not progress."""
        lines = self.err.splitlines()
        return [line for line in lines if line.strip() and not _PROGRESS.match(line)]

    @property
    def sentence(self) -> str:
        """The one line that tells of a failure; fails when there is another number of lines."""
        assert len(self.sentences) == 1, self.err
        line = self.sentences[0]
        assert line.startswith("sfexit: "), line
        assert "Traceback" not in self.err
        return line


class Company:
    """A served org."""

    def __init__(self, server: SimulatedServer, faults: FaultPlan, folder: Path) -> None:
        self.server = server
        self.org: SimulatedOrg = server.org
        self.faults = faults
        self.folder = folder

    def credentials(self) -> dict[str, str]:
        """What an administrator sets to reach it."""
        return {
            "SFEXIT_INSTANCE_URL": self.server.url,
            "SFEXIT_ACCESS_TOKEN": self.org.access_token,
        }

    def start(self, *arguments: str | Path, **environment: str) -> subprocess.Popen[str]:
        """Begin `sfexit …` as a process of its own, in the test's folder."""
        return subprocess.Popen(
            [sys.executable, "-m", "sfexit", *map(str, arguments)],
            cwd=self.folder,
            env={**os.environ, **self.credentials(), **environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def finish(self, *arguments: str | Path, **environment: str) -> Ran:
        """Run `sfexit …` as a process of its own to its end."""
        process = self.start(*arguments, **environment)
        out, err = process.communicate(timeout=60)
        return Ran(process.returncode, out, err)


def small_org(**options: object) -> SimulatedOrg:
    """An org of a few hundred rows."""
    names = options.pop("names", COMPLETE)
    chosen = [one for one in standard_objects() if one.name in names]  # type: ignore[operator]
    given = {"seed": 7, "rows": 300, "bulk_page_rows": 50, **options}
    return SimulatedOrg(objects=chosen, **given)  # type: ignore[arg-type]


@pytest.fixture
def company(tmp_path: Path) -> Iterator[Company]:
    """An org of the test's own."""
    faults = FaultPlan(seed=1)
    with serve(small_org(), faults) as server:
        yield Company(server, faults, tmp_path)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home that is not there yet."""
    return tmp_path / "acme-exit"


@pytest.fixture
def sfexit(
    company: Company, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Ran]:
    """Run a command line in this process, signed in to `company`. Keywords set variables;
    an empty one takes a variable away."""

    def call(*arguments: str | Path, **environment: str) -> Ran:
        with monkeypatch.context() as patch:
            for name, value in {**company.credentials(), **environment}.items():
                patch.setenv(name, value)
            capsys.readouterr()
            code = run([str(one) for one in arguments])
        out, err = capsys.readouterr()
        assert "Traceback" not in err
        return Ran(code, out, err)

    return call
