"""A refusal of what a command begins with: one sentence, what to do, and the right exit code."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from .conftest import Company, Ran

Sfexit = Callable[..., Ran]


@pytest.mark.parametrize("command", [("export", "acme-exit"), ("assess", "acme-exit")])
@pytest.mark.parametrize(
    ("status", "code", "exit_code", "words"),
    [
        (403, "INSUFFICIENT_ACCESS", 4, "give the user"),
        (403, "FUNCTIONALITY_NOT_ENABLED", 4, "give the user"),
        (400, "SOMETHING_NEW", 4, "SOMETHING_NEW"),
        (404, "NOT_FOUND", 2, "--api-version"),
    ],
)
def test_a_list_of_objects_that_is_refused(
    sfexit: Sfexit,
    company: Company,
    monkeypatch: pytest.MonkeyPatch,
    command: tuple[str, ...],
    status: int,
    code: str,
    exit_code: int,
    words: str,
) -> None:
    monkeypatch.chdir(company.folder)
    company.server.fail("status", "sobjects", code=status, error_code=code, times=None)
    ran = sfexit(*command, "-q")
    assert ran.code == exit_code
    assert words in ran.err and code in ran.err
    assert ran.err.strip().count("\n") == 0
    assert "Traceback" not in ran.err
    assert not (company.folder / "acme-exit" / "bags").exists()
