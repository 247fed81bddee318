"""Settings: where they come from, which wins, what is refused."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from sfexit.errors import UsageProblem
from sfexit.settings import Settings, config_folder, load, override

posix = pytest.mark.skipif(os.name == "nt", reason="Windows has no such modes")


@pytest.fixture
def user(tmp_path: Path) -> Path:
    folder = tmp_path / "user"
    folder.mkdir()
    return folder


@pytest.fixture
def home(tmp_path: Path) -> Path:
    folder = tmp_path / "home"
    folder.mkdir()
    return folder


def settings(user: Path, home: Path | None, **environment: str) -> Settings:
    return load(home, {"SFEXIT_CONFIG_DIR": str(user), **environment})


def write(folder: Path, text: str) -> Path:
    path = folder / "sfexit.toml"
    path.write_text(text, "utf-8")
    return path


def test_defaults(user: Path, home: Path) -> None:
    assert settings(user, home) == Settings()
    assert settings(user, None).api_budget == 0.5


def test_home_beats_user_and_both_are_read(user: Path, home: Path) -> None:
    write(user, '[org]\napi_version = "60.0"\n[export]\napi_budget = 0.1\n')
    write(home, '[org]\napi_version = "61.0"\n')
    told = settings(user, home)
    assert (told.api_version, told.api_budget) == ("61.0", 0.1)


def test_environment_beats_files_and_options_beat_all(user: Path, home: Path) -> None:
    write(home, '[org]\napi_version = "61.0"\n[export]\napi_budget = "10%"\n')
    told = settings(user, home, SFEXIT_API_VERSION="62", SFEXIT_API_BUDGET="20%")
    assert (told.api_version, told.api_budget) == ("62.0", 0.2)
    told = override(told, api_version="v63.0", api_budget="30", objects=("A",))
    assert (told.api_version, told.api_budget, told.objects) == ("63.0", 0.3, ("A",))


@pytest.mark.parametrize(
    ("word", "meant"), [("1", True), ("TRUE", True), ("yes", True), ("0", False), ("no", False)]
)
def test_strict_by_variable_beats_the_file(user: Path, home: Path, word: str, meant: bool) -> None:
    write(home, f"[export]\nstrict = {str(not meant).lower()}\n")
    assert settings(user, home).strict is not meant
    assert settings(user, home, SFEXIT_STRICT=word).strict is meant
    assert override(settings(user, home), strict=True).strict


@pytest.mark.parametrize("value", ['"perhaps"', "2", "[]"])
def test_strict_is_yes_or_no(user: Path, home: Path, value: str) -> None:
    write(home, f"[export]\nstrict = {value}\n")
    with pytest.raises(UsageProblem, match="true or false"):
        settings(user, home)


def test_options_that_were_not_given_change_nothing() -> None:
    told = Settings(api_version="60.0", objects=("A",))
    assert override(told, api_version=None, objects=(), ca_bundle=None) == told


def test_empty_variable_is_none(user: Path) -> None:
    assert settings(user, None, SFEXIT_API_VERSION="") == Settings()


def test_all_keys(user: Path, home: Path) -> None:
    write(
        home,
        '[org]\napi_version = 66\nca_bundle = " ca.pem "\nallow_hosts = ["crm.example.com"]\n'
        '[export]\napi_budget = "25%"\nobjects = ["Account"]\nexclude = ["CaseFeed"]\n',
    )
    assert settings(user, home) == Settings(
        api_version="66.0",
        ca_bundle="ca.pem",
        allow_hosts=("crm.example.com",),
        api_budget=0.25,
        objects=("Account",),
        exclude=("CaseFeed",),
    )


@pytest.mark.parametrize(
    ("share", "meaning"), [("0.5", 0.5), ("50%", 0.5), ("50", 0.5), ("1", 1.0), ("0.001%", 1e-5)]
)
def test_shares(share: str, meaning: float) -> None:
    assert override(Settings(), api_budget=share).api_budget == pytest.approx(meaning)


@pytest.mark.parametrize("share", ["0", "-1", "101", "120%", "half", "nan", "inf", "%"])
def test_shares_that_are_none(share: str) -> None:
    with pytest.raises(UsageProblem, match=r"^--api-budget must be"):
        override(Settings(), api_budget=share)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[export]\nobject = []\n", "unknown key object in [export]; did you mean objects?"),
        ("[exports]\n", "unknown table [exports]; did you mean export?"),
        ("[wholly]\n", "known are export, notify, org"),
        ("export = 1\n", "[export] must be a table"),
        ("[export]\nobjects = 'Account'\n", "objects must be a list of texts"),
        ("[export]\nobjects = [1]\n", "objects must be a list of texts"),
        ("[export]\napi_budget = true\n", "api_budget must be a share"),
        ("[org]\napi_version = 'new'\n", "api_version must be an API version"),
        ("[org]\nca_bundle = ''\n", "ca_bundle must be a text"),
        ("[org\n", "is not valid TOML"),
    ],
)
def test_files_that_are_refused(user: Path, home: Path, text: str, words: str) -> None:
    path = write(home, text)
    with pytest.raises(UsageProblem) as caught:
        settings(user, home)
    assert words in caught.value.message
    assert str(path) in caught.value.message
    assert "\n" not in caught.value.message


def test_file_that_is_not_utf8(user: Path, home: Path) -> None:
    (home / "sfexit.toml").write_bytes(b'[org]\nca_bundle = "\xff"\n')
    with pytest.raises(UsageProblem, match="UTF-8"):
        settings(user, home)


def test_wrong_variable_is_named(user: Path) -> None:
    with pytest.raises(UsageProblem, match=r"^SFEXIT_API_BUDGET must be"):
        settings(user, None, SFEXIT_API_BUDGET="lots")


@posix
def test_file_that_anybody_can_write_is_refused(user: Path, home: Path) -> None:
    write(home, "").chmod(0o666)
    with pytest.raises(UsageProblem, match="chmod o-w"):
        settings(user, home)


def test_config_folder_of_the_system() -> None:
    assert config_folder({}).name == "sfexit"
    assert config_folder({"SFEXIT_CONFIG_DIR": "elsewhere"}) == Path("elsewhere")
