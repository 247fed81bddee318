"""The tree for people: names that hurt nobody, and every file where it belongs."""

from __future__ import annotations

import csv
import errno
import gzip
import hashlib
import json
import shutil
import tempfile
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sfexit.archive import layout
from sfexit.errors import ArchiveProblem, Blocked, DiskTrouble
from sfexit.materialize import tree as trees
from sfexit.materialize.names import MOST_BYTES, folded, safe_name
from sfexit.materialize.tree import FOLDER, RECORD, materialize

TEXT = st.one_of(
    st.text(max_size=400),
    st.sampled_from(
        ["..", ".", "", "CON", "nul.txt", "com1", "a/b", "C:\\x", "\u202egnp.exe", "a\0b", "LPT¹",
         "x" * 300, "é" * 200, "e\u0301", "trailing. . ", "-rf", ".hidden", "\ud800"],
    ),
)  # fmt: skip


@given(TEXT, st.sampled_from(["", "pdf", "bin", "html"]), st.sampled_from(["", " (v2)"]))
def test_any_text_gives_a_safe_name(text: str, extension: str, mark: str) -> None:
    name = safe_name(text, extension, mark=mark)
    assert name not in ("", ".", "..")
    assert len(name.encode("utf-8")) <= MOST_BYTES
    assert not set(name) & set('/\\:*?"<>|\0')
    assert all(unicodedata.category(letter)[0] not in "CZ" or letter == " " for letter in name)
    assert name == unicodedata.normalize("NFC", name)
    assert name[-1] not in " ." and name[0] not in " .-"
    stem = name.partition(".")[0].lower()
    assert stem not in ("con", "prn", "aux", "nul", "com1", "lpt¹")
    if extension:
        assert name.endswith(f"{mark}.{extension}")
    assert Path(name).name == name


def test_an_extension_is_not_put_twice() -> None:
    assert safe_name("Quote.PDF", "pdf") == "Quote.pdf"
    assert safe_name("Quote.v2", "pdf") == "Quote.v2.pdf"


LINES = [
    ("ContentVersion", "068A", "Quote 2023", "pdf", "069A", "1", "false", ""),
    ("ContentVersion", "068B", "Quote 2023", "pdf", "069A", "2", "true", ""),
    ("ContentVersion", "068C", "quote 2023", "pdf", "069B", "1", "true", ""),
    ("ContentVersion", "068D", "A note", "snote", "069C", "1", "true", "text/html"),
    ("Attachment", "00PA", "../../x.pdf", "pdf", "001C", "", "", ""),
    ("Attachment", "00PB", "gone", "bin", "001Z", "", "", ""),
]


def make_bag(root: Path, lines: list[tuple[str, ...]] = LINES) -> Path:
    """A bag as far as this command reads one: no exporter at hand."""
    bag = root / "home/bags/0001"
    tables = {
        "Account": (["Id", "Name"], [["001A", "Acme"], ["001B", "ACME"], ["001C", "../evil"]]),
        "ContentDocumentLink": (
            ["Id", "ContentDocumentId", "LinkedEntityId"],
            [["06A1", "069A", "001A"], ["06A2", "069A", "001B"], ["06A3", "069B", "001A"]],
        ),
        "ContentFolder": (
            ["Id", "Name", "ParentContentFolderId"],
            [["07H1", "Library", ""], ["07H2", "CON", "07H1"]],
        ),
        "ContentFolderMember": (
            ["Id", "ParentContentFolderId", "ChildRecordId"],
            [["04V1", "07H2", "069A"]],
        ),
    }
    resources = []
    for name, (columns, rows) in tables.items():
        path = f"records/{name}/{name}.csv.gz"
        (bag / "data" / path).parent.mkdir(parents=True)
        with gzip.open(bag / "data" / path, "wt", newline="", encoding="utf-8") as handle:
            csv.writer(handle, quoting=csv.QUOTE_ALL, lineterminator="\n").writerows(
                [columns, *rows]
            )
        fields = [{"name": column} for column in columns]
        resources.append({"title": name, "path": [path], "schema": {"fields": fields}})
    (bag / "data/datapackage.json").write_text(json.dumps({"resources": resources}))
    header = ["object", "record_id", "title", "path", "parent_id", "version_number", "is_latest",
              "content_type", "bytes", "sha256"]  # fmt: skip
    index = bag / "data/files/index.csv.gz"
    index.parent.mkdir(parents=True)
    with gzip.open(index, "wt", newline="", encoding="utf-8") as handle:
        writer = csv.writer(handle, quoting=csv.QUOTE_ALL, lineterminator="\n")
        writer.writerow(header)
        for kind, key, title, extension, parent, version, latest, content in lines:
            path = f"files/content/00/{key}.{extension}"
            (bag / "data" / path).parent.mkdir(parents=True, exist_ok=True)
            body = f"bytes of {key}".encode()
            (bag / "data" / path).write_bytes(body)
            digest = hashlib.sha256(body).hexdigest()
            writer.writerow(
                [kind, key, title, path, parent, version, latest, content, len(body), digest]
            )
    (bag / "tagmanifest-sha256.txt").write_text("the root")
    return root / "home"


def tree_of(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): path.read_text()
        for path in folder.rglob("*")
        if path.is_file() and path.name != ".sfexit-tree.json"
    }


def test_by_record(tmp_path: Path) -> None:
    home = make_bag(tmp_path)
    tree = materialize(home, tmp_path / "tree", by=RECORD)
    found = tree_of(tmp_path / "tree")
    assert found == {
        "Account/Acme/Quote 2023 (v1).pdf": "bytes of 068A",
        "Account/Acme/Quote 2023 (v2).pdf": "bytes of 068B",
        "Account/ACME (001B)/Quote 2023 (v1).pdf": "bytes of 068A",
        "Account/ACME (001B)/Quote 2023 (v2).pdf": "bytes of 068B",
        "Account/Acme/quote 2023.pdf": "bytes of 068C",
        "ContentVersion/Without a record/A note.html": "bytes of 068D",
        "Account/__evil/__.._x.pdf": "bytes of 00PA",
        "Attachment/001Z/gone.bin": "bytes of 00PB",
    }
    assert len({folded(path) for path in found}) == len(found) == tree.files == tree.made


def test_by_folder(tmp_path: Path) -> None:
    home = make_bag(tmp_path)
    materialize(home, tmp_path / "tree", by=FOLDER)
    found = tree_of(tmp_path / "tree")
    assert found["Libraries/Library/_CON/Quote 2023 (v2).pdf"] == "bytes of 068B"
    assert len(found) == 6


#: Titles of files of one record that want the same place, in the order of the index.
CROWDS = {
    "one name": ["x"] * 4,
    "a title that is the way out of another": ["x (00P0000000000002)", "x (00P0000000000003)", "x",
                                               "x", "x"],
    "letters that some file systems take for one": ["é", "e\u0301", "É", "E\u0301", "ﬁ", "fi"],
    "nothing left of them": ["", "...", "\u202e", "\0", "___"],
    "long": ["x" * 300, "x" * 300 + "y", "x" * 299],
    "a number": ["x", "x", "x (00P0000000000001) 2", "x (00P0000000000001)"],
}  # fmt: skip


@pytest.mark.parametrize("crowd", CROWDS)
def test_no_file_takes_the_place_of_another(crowd: str, tmp_path: Path) -> None:
    titles = CROWDS[crowd]
    lines = [("Attachment", f"00P{n:013d}", title, "pdf", "001A", "", "", "")
             for n, title in enumerate(titles)]  # fmt: skip
    home = make_bag(tmp_path, lines)
    tree = materialize(home, tmp_path / "tree", by=RECORD)
    found = tree_of(tmp_path / "tree")
    assert sorted(found.values()) == sorted(f"bytes of {line[1]}" for line in lines)
    assert len({folded(path) for path in found}) == len(titles) == tree.files
    assert materialize(home, tmp_path / "tree", by=RECORD).made == 0
    assert tree_of(tmp_path / "tree") == found


ALIKE = ("x", "X", "x (00P0000000000001)", "x (00P0000000000000)", "x ", "é", "e\u0301", ".", "",
         "x (00P0000000000001) 2")  # fmt: skip


@settings(max_examples=40, deadline=None)
@given(st.lists(st.sampled_from(ALIKE), max_size=8))
def test_no_crowd_of_titles_does(titles: list[str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        lines = [("Attachment", f"00P{n:013d}", title, "pdf", "001A", "", "", "")
                 for n, title in enumerate(titles)]  # fmt: skip
        home = make_bag(Path(folder), lines)
        materialize(home, Path(folder) / "tree", by=RECORD)
        found = tree_of(Path(folder) / "tree")
        assert sorted(found.values()) == sorted(f"bytes of {line[1]}" for line in lines)


def test_it_goes_on_and_gives_the_same_names(tmp_path: Path) -> None:
    home = make_bag(tmp_path)
    materialize(home, tmp_path / "tree", by=RECORD)
    before = tree_of(tmp_path / "tree")
    [gone, cut, *_] = sorted(path for path in (tmp_path / "tree").rglob("*.pdf"))
    gone.unlink()
    cut.write_text("half")
    again = materialize(home, tmp_path / "tree", by=RECORD)
    assert again.made == 2
    assert tree_of(tmp_path / "tree") == before


def test_links_share_their_bytes_with_the_archive(tmp_path: Path) -> None:
    home = make_bag(tmp_path)
    materialize(home, tmp_path / "tree", by=FOLDER, link=True)
    [note] = (tmp_path / "tree").rglob("*.html")
    assert note.stat().st_nlink == 2


@pytest.mark.parametrize("inside", ["home", "home/tree", "home/bags/0001/tree"])
def test_never_into_the_home(tmp_path: Path, inside: str) -> None:
    home = make_bag(tmp_path)
    with pytest.raises(Blocked, match="lies in the home"):
        materialize(home, tmp_path / inside, by=RECORD)


def test_never_into_what_is_not_ours(tmp_path: Path) -> None:
    home = make_bag(tmp_path)
    other = tmp_path / "other"
    other.mkdir()
    (other / "diary.txt").write_text("mine")
    with pytest.raises(Blocked, match="not empty"):
        materialize(home, other, by=RECORD)
    materialize(home, tmp_path / "tree", by=RECORD)
    with pytest.raises(Blocked, match="another"):
        materialize(home, tmp_path / "tree", by=FOLDER)
    assert (other / "diary.txt").read_text() == "mine"


DAMAGE = {
    "other bytes": lambda path: path.write_text("bytes of 068Z"),
    "half of it": lambda path: path.write_text("bytes"),
    "gone": lambda path: path.unlink(),
    "a link to somewhere else": lambda path: (path.unlink(), path.symlink_to("/etc/passwd")),
}


@pytest.mark.parametrize("link", [False, True])
@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_file_of_the_archive_is_named_and_the_others_are_made(
    damage: str, link: bool, tmp_path: Path
) -> None:
    home = make_bag(tmp_path)
    materialize(home, tmp_path / "whole", by=RECORD)
    body = home / "bags/0001/data/files/content/00/068B.pdf"
    DAMAGE[damage](body)
    tree = materialize(home, tmp_path / "tree", by=RECORD, link=link)
    found = tree_of(tmp_path / "tree")
    assert tree.damaged == 2, "it stands under two records"
    assert tree.files == tree.made == len(found) == 6
    expected = tree_of(tmp_path / "whole")
    assert found == {path: text for path, text in expected.items() if text != "bytes of 068B"}
    assert tree.examples == (body,), "said once for one file"
    # The archive was mended from its copy: the same line makes what was missing.
    body.unlink(missing_ok=True)
    body.write_text("bytes of 068B")
    again = materialize(home, tmp_path / "tree", by=RECORD, link=link)
    assert (again.made, again.damaged) == (2, 0)
    assert tree_of(tmp_path / "tree") == expected


@pytest.mark.parametrize(("old", "new"), [("sha256", "digest"), ('"13"', '"x"'), ("\n", "\n,,,")])
def test_an_index_that_is_none_is_one_sentence(old: str, new: str, tmp_path: Path) -> None:
    home = make_bag(tmp_path)
    index = home / "bags/0001" / layout.FILES_INDEX
    text = gzip.decompress(index.read_bytes()).decode()
    assert old in text
    index.chmod(0o600)
    index.write_bytes(gzip.compress(text.replace(old, new).encode()))
    with pytest.raises(ArchiveProblem, match="is damaged: verify the archive"):
        materialize(home, tmp_path / "tree", by=RECORD)


def full(*_: object, **__: object) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


def test_a_full_disk_before_the_folder_is_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = make_bag(tmp_path)
    with monkeypatch.context() as patched:
        patched.setattr(Path, "replace", full)
        with pytest.raises(DiskTrouble, match="No space left on device"):
            materialize(home, tmp_path / "tree", by=RECORD)
    assert materialize(home, tmp_path / "tree", by=RECORD).files == 8, "it goes on"


def test_a_full_disk_while_names_are_looked_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = make_bag(tmp_path)
    with monkeypatch.context() as patched:
        tables = trees._TABLES + "PRAGMA max_page_count = 1;"
        patched.setattr(trees, "_TABLES", "PRAGMA page_size = 512;" + tables)
        lines = [(*LINES[0][:1], f"068{n:012d}", *LINES[0][2:]) for n in range(400)]
        shutil.rmtree(home)
        home = make_bag(tmp_path, [*lines, *LINES])
        with pytest.raises(DiskTrouble, match="full"):
            materialize(home, tmp_path / "tree", by=RECORD)
    assert materialize(home, tmp_path / "tree", by=RECORD).files == 808
