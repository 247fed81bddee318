"""Statement files to statements; the kind of a file is told by its first bytes, not its name."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from sfexit.billing import csv_statements, pdf_statements
from sfexit.billing.building import built
from sfexit.billing.mapping import Mapping
from sfexit.billing.statement import Statement
from sfexit.billing.written import Habits
from sfexit.errors import UsageProblem

_MOST_BYTES = 100_000_000


def read(path: Path, mapping: Mapping, told: Habits) -> list[Statement]:
    """The statements of one file. Raises UsageProblem with one sentence that names the file."""
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise UsageProblem(f"{path} is larger than 100 MB: is it a statement?")
        raw = path.read_bytes()
    except OSError as error:
        raise UsageProblem(f"{path} cannot be read: {error.strerror}") from error
    if not raw:
        raise UsageProblem(f"{path} is empty: download the statement again")
    habits = Habits(told.decimal or mapping.habits.decimal, told.dates or mapping.habits.dates)
    if raw[:1024].lstrip().startswith(b"%PDF-"):
        return built(pdf_statements.drafts(raw, path.name), habits)
    if path.suffix.lower() == ".pdf":
        raise UsageProblem(f"{path} is a damaged PDF and cannot be read: download it again")
    return built(csv_statements.drafts(raw, path.name, mapping), habits)


def read_all(paths: Sequence[Path], mapping: Mapping, told: Habits) -> list[Statement]:
    """The statements of all files. Raises UsageProblem that names each file that cannot be read."""
    found: list[Statement] = []
    problems: list[str] = []
    for path in paths:
        try:
            found += read(path, mapping, told)
        except UsageProblem as problem:
            problems.append(str(problem))
    if len(problems) > 1:
        count = f"{len(problems):,} of {len(paths):,} files"
        raise UsageProblem(f"{count} cannot be read, nothing was checked: {'; '.join(problems)}")
    if problems:
        raise UsageProblem(problems[0])
    return found


def files_of(paths: Iterable[Path]) -> list[Path]:
    """The files meant: a folder stands for the PDF and CSV files in it, in order."""
    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            inside = sorted(p for p in path.iterdir() if p.suffix.lower() in (".pdf", ".csv"))
            if not inside:
                raise UsageProblem(f"{path} holds no .pdf or .csv file: name the statements")
            found += inside
        else:
            found.append(path)
    return found
