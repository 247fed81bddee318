"""Lists of leavers as people write them."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sfexit.errors import UsageProblem
from sfexit.offboarding.wanted import FREEZE_ONLY, FULL, Leaver, from_csv, from_toml, name


@pytest.mark.parametrize("mark", [",", ";"])
def test_csv_of_a_spreadsheet(mark: str) -> None:
    text = (
        "\ufeffUser,Successor,Mode\r\no'brien@x.com,anna@x.com,\r\n\r\ncleo@x.com,,Freeze-Only\r\n"
    )
    first, second = from_csv(text.replace(",", mark).encode(), "list.csv")
    assert (first.name, first.successor, first.mode) == ("o'brien@x.com", "anna@x.com", FULL)
    assert (second.name, second.successor, second.mode) == ("cleo@x.com", "", FREEZE_ONLY)
    assert second.source == "list.csv, line 4"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("name,successor\na,b\n", "must begin with"),
        ("", "must begin with"),
        ("user,boss\na,b\n", "must begin with"),
        ("user\na,b\n", "line 2 has 2 cells"),
        ("user,mode\na@x.com,delete\n", "line 2: the mode is"),
        ('user,successor\n"  ",b\n', "no username"),
        ("user\n" + "x" * 300 + "\n", "no username"),
        ("user\na\x00b@x.com\n", "no username"),
    ],
)
def test_csv_that_is_none(text: str, told: str) -> None:
    with pytest.raises(UsageProblem, match=told):
        from_csv(text.encode(), "list.csv")


def test_csv_in_another_code() -> None:
    with pytest.raises(UsageProblem, match="UTF-8"):
        from_csv("user\ngül@x.com\n".encode("latin-1"), "list.csv")


@settings(max_examples=50, deadline=None)
@given(st.binary(max_size=200))
def test_csv_of_anything_is_read_or_refused_in_a_sentence(data: bytes) -> None:
    try:
        found = from_csv(b"user,successor,mode\n" + data, "list.csv")
    except UsageProblem as problem:
        assert str(problem).isprintable()
    else:
        assert all(isinstance(one, Leaver) and one.name.strip() for one in found)


def test_waves(tmp_path: Path) -> None:
    (tmp_path / "service.csv").write_text("user,successor\nb@x.com,\nc@x.com,d@x.com\n", "utf-8")
    text = """
        [successors]
        rule = "manager"
        fallback = "anna@x.com"
        [successors.objects]
        Case = "queue:Case_Queue"
        [[waves]]
        name = "Sales"
        users = ["a@x.com"]
        mode = "freeze_only"
        [[waves]]
        file = "service.csv"
        successor = "e@x.com"
    """
    wanted, rules = from_toml(text.encode(), "waves.toml", tmp_path)
    told = [(one.name, one.successor, one.mode, one.wave) for one in wanted.leavers]
    assert told == [
        ("a@x.com", "", FREEZE_ONLY, 1),
        ("b@x.com", "e@x.com", FULL, 2),
        ("c@x.com", "d@x.com", FULL, 2),
    ]
    assert rules is not None
    assert (rules.rule, rules.fallback, dict(rules.objects)) == (
        "manager", "anna@x.com", {"Case": "queue:Case_Queue"},
    )  # fmt: skip


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("waves = 3", "no .*waves"),
        ("[[waves]]\nuser = ['a']", "'user' is not known"),
        ("[[waves]]\nusers = 'a'", "list of texts"),
        ("[[waves]]\nusers = ['a@x.com']\nmode = 'gone'", "full or freeze_only"),
        ("[[waves]]\nfile = 'none.csv'", "cannot be read"),
        ("[[waves]]\nusers = ['a@x.com']\n[successors]\nrule = 3", "rule is a text"),
        ("[[waves]]\nusers = ['a@x.com']\n[successors]\nobjects = ['a']", "objects is a table"),
        ("[[waves", "no TOML"),
    ],
)
def test_waves_that_are_none(text: str, told: str, tmp_path: Path) -> None:
    with pytest.raises(UsageProblem, match=told):
        from_toml(text.encode(), "waves.toml", tmp_path)


def test_names_keep_their_letters() -> None:
    assert name("  O'Brien@X.com ", "there") == "O'Brien@X.com"
