"""Files that a command writes where the user named them."""

from __future__ import annotations

from pathlib import Path

import pytest

from sfexit.commands._files import write_whole
from sfexit.errors import UsageProblem


def test_a_file_is_there_whole_and_nothing_beside_it(tmp_path: Path) -> None:
    target = tmp_path / "new" / "a.html"
    write_whole(target, b"one")
    write_whole(target, b"two")
    assert target.read_bytes() == b"two"
    assert [path.name for path in target.parent.iterdir()] == ["a.html"]


@pytest.mark.parametrize("where", ["below a file", "in place of a folder"])
def test_what_cannot_be_written_is_one_sentence(tmp_path: Path, where: str) -> None:
    if where == "below a file":
        (tmp_path / "file").write_text("")
        target = tmp_path / "file" / "a.html"
    else:
        target = tmp_path / "a.html"
        target.mkdir()
    with pytest.raises(UsageProblem, match=r"a\.html cannot be written"):
        write_whole(target, b"one")
    assert not list(tmp_path.rglob(".*.new"))
