"""What a verification has found so far, and which of its checks were made."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from sfexit.redaction import printable
from sfexit.verify.codes import Severity
from sfexit.verify.contents import UNREADABLE
from sfexit.verify.finding import Finding
from sfexit.verify.unpack import Broken
from sfexit.verify.verdict import Check, Result

MOST_TOLD = 1_000  # findings of one code that are kept; the rest is counted


class Found(list[Finding]):
    """A list of findings that does not grow without end."""

    def __init__(self) -> None:
        super().__init__()
        self.counts: dict[str, int] = {}

    def append(self, finding: Finding) -> None:
        self.counts[finding.code] = self.counts.get(finding.code, 0) + 1
        if self.counts[finding.code] <= MOST_TOLD:
            super().append(finding)

    def extend(self, findings: object) -> None:
        for finding in findings:  # type: ignore[attr-defined]
            self.append(finding)

    def __iadd__(self, findings: object) -> Found:  # type: ignore[override,misc]
        self.extend(findings)
        return self


class Record:
    """Findings and checks of one verification of one bag."""

    def __init__(self, bag: Path) -> None:
        self.found = Found()
        self.checks: list[Check] = []
        self._bag = bag

    def attempt(self, check: str, step: Callable[..., None], *given: object) -> None:
        """Make a check. What stops it makes it unknown, or is damage."""
        try:
            step(*given)
        except Broken as broken:
            self.found.append(Finding(broken.code, check, found=broken.found))
        except FileNotFoundError as error:
            name = printable(str(error.filename or ""), 200).removeprefix(f"{self._bag}/")
            self.unmade(check, f"{name} is missing")
        except OSError as error:
            self.unmade(check, f"the file system refused: {error.strerror}")
        except UNREADABLE as error:
            self.unmade(check, f"a file is not of the form it should be: {error!r:.160}")

    def unmade(self, check: str, why: str) -> None:
        self.checks.append(Check(check, Result.UNKNOWN, why=printable(why, 300)))

    def passed(self, check: str, looked_at: str) -> None:
        self.checks.append(Check(check, Result.PASSED, looked_at))

    def judged(self, required: Sequence[str]) -> list[Check]:
        """The checks with their results, now that everything was found.

        `required`: checks of the level. One that broke off at damage it named failed; it is not
        merely unmade.
        """
        failed = {one.kind for one in self.found if one.severity is Severity.DAMAGE}
        unknown = {one.kind for one in self.found if one.severity is Severity.UNKNOWN}
        checks = []
        for check in self.checks:
            result = check.result
            if check.name in failed:
                result = Result.FAILED
            elif check.name in unknown:
                result = Result.UNKNOWN
            checks.append(Check(check.name, result, check.looked_at, check.why))
        names = [check.name for check in checks]
        checks += [Check(n, Result.FAILED) for n in required if n not in names and n in failed]
        return checks
