"""Settings from files and the environment, merged once; options are laid over them by commands.

Options override the environment, the environment overrides the home's `sfexit.toml`, that one
the user's. A settings file holds no secrets: those come from the environment.
"""

from __future__ import annotations

import difflib
import os
import stat
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from email.utils import parseaddr
from pathlib import Path
from typing import Any

from sfexit.errors import UsageProblem

FILE_NAME = "sfexit.toml"


@dataclass(frozen=True)
class Settings:
    """What can be set. `api_budget` is a share (0.5 = half of the calls left today)."""

    api_version: str | None = None
    ca_bundle: str | None = None
    allow_hosts: tuple[str, ...] = ()
    api_budget: float = 0.5
    objects: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    strict: bool = False
    notify_to: tuple[str, ...] = ()
    notify_from: str | None = None
    notify_server: str | None = None
    notify_user: str | None = None
    notify_webhook: str | None = None
    stamp_url: str | None = None
    stamp_roots: str | None = None


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value.strip():
        raise ValueError("must be a text")
    return value.strip()


def _version(value: Any) -> str:
    text = str(value) if isinstance(value, (int, float)) else _text(value)
    number = text.removeprefix("v")
    if not number.replace(".", "", 1).isdigit():
        raise ValueError('must be an API version such as "66.0"')
    return number if "." in number else f"{number}.0"


def _names(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise ValueError('must be a list of texts, such as ["Account", "Contact"]')
    return tuple(one.strip() for one in value)


def _share(value: Any) -> float:
    """A share given as 0.5, 50 or "50%"."""
    if isinstance(value, bool):
        raise ValueError("must be a share such as 0.5 or 50%")
    try:
        if isinstance(value, str) and value.strip().endswith("%"):
            share = float(value.strip()[:-1]) / 100
        else:
            share = float(value)
            share = share / 100 if share > 1 else share
    except (TypeError, ValueError):
        raise ValueError("must be a share such as 0.5 or 50%") from None
    if not 0 < share <= 1:
        raise ValueError("must be more than 0 and at most 100%")
    return share


def _yes_or_no(value: Any) -> bool:
    """true or false, or the words that variables have for them."""
    words = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}
    told = words.get(value.strip().lower()) if isinstance(value, str) else value
    if not isinstance(told, bool):
        raise ValueError("must be true or false")
    return told


def _address(value: Any) -> str:
    """A mail address, plain or as `Name <name@example.com>`."""
    text = _text(value)
    if not text.isprintable() or parseaddr(text)[1].count("@") != 1:
        raise ValueError('must be a mail address, such as "admin@example.com"')
    return text


def _addresses(value: Any) -> tuple[str, ...]:
    return tuple(_address(one) for one in _names(value))


def _web_address(value: Any) -> str:
    """An address of a service that needs no secret of ours."""
    text = _text(value)
    if not text.isprintable() or not text.startswith(("https://", "http://")):
        raise ValueError('must be a web address, such as "http://timestamp.example.com"')
    return text


# table → key → (attribute, check)
_KEYS: dict[str, dict[str, tuple[str, Callable[[Any], Any]]]] = {
    "org": {
        "api_version": ("api_version", _version),
        "ca_bundle": ("ca_bundle", _text),
        "allow_hosts": ("allow_hosts", _names),
    },
    "export": {
        "api_budget": ("api_budget", _share),
        "objects": ("objects", _names),
        "exclude": ("exclude", _names),
        "strict": ("strict", _yes_or_no),
    },
    "notify": {
        "to": ("notify_to", _addresses),
        "from": ("notify_from", _address),
        "server": ("notify_server", _text),
        "user": ("notify_user", _text),
        "webhook": ("notify_webhook", _text),
    },
    "proof": {
        "time_stamp": ("stamp_url", _web_address),
        "time_stamp_roots": ("stamp_roots", _text),
    },
}

_VARIABLES: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "SFEXIT_API_VERSION": ("api_version", _version),
    "SFEXIT_CA_BUNDLE": ("ca_bundle", _text),
    "SFEXIT_API_BUDGET": ("api_budget", _share),
    "SFEXIT_STRICT": ("strict", _yes_or_no),
    "SFEXIT_NOTIFY_WEBHOOK": ("notify_webhook", _text),
}


def config_folder(environment: Mapping[str, str]) -> Path:
    """The user's folder for settings and the signing key."""
    named = environment.get("SFEXIT_CONFIG_DIR")
    if named:
        return Path(named)
    from platformdirs import user_config_path  # only here: most starts do not need it

    return user_config_path("sfexit", appauthor=False, roaming=False)


def load(home: Path | None, environment: Mapping[str, str]) -> Settings:
    """The settings in force, without options. Raises UsageProblem for anything not understood."""
    settings = Settings()
    files = [config_folder(environment) / FILE_NAME]
    if home is not None:
        files.append(home / FILE_NAME)
    for path in files:
        if path.is_file():
            settings = _from_file(settings, path)
    for variable, (attribute, check) in _VARIABLES.items():
        if environment.get(variable):
            settings = _with(settings, attribute, check, environment[variable], variable)
    return settings


def override(settings: Settings, **options: Any) -> Settings:
    """Options laid over settings; None and empty ones leave what was there."""
    known = {one.name for one in fields(Settings)}
    given = {name: value for name, value in options.items() if value not in (None, ())}
    assert set(given) <= known
    if "api_budget" in given:
        settings = _with(settings, "api_budget", _share, given.pop("api_budget"), "--api-budget")
    if "api_version" in given:
        settings = _with(
            settings, "api_version", _version, given.pop("api_version"), "--api-version"
        )
    return replace(settings, **given)


def _with(
    settings: Settings, attribute: str, check: Callable[[Any], Any], value: Any, place: str
) -> Settings:
    try:
        return replace(settings, **{attribute: check(value)})
    except ValueError as error:
        raise UsageProblem(f"{place} {error}") from error


def _from_file(settings: Settings, path: Path) -> Settings:
    _refuse_shared(path)
    try:
        document = tomllib.loads(path.read_text("utf-8"))
    except UnicodeDecodeError as error:
        raise UsageProblem(f"{path} is not UTF-8 text: save it as UTF-8") from error
    except tomllib.TOMLDecodeError as error:
        raise UsageProblem(f"{path} is not valid TOML: {error}") from error
    except OSError as error:
        raise UsageProblem(f"{path} cannot be read: {error.strerror}") from error
    for table, entries in document.items():
        if table not in _KEYS:
            raise UsageProblem(f"{path}: unknown table [{_shown(table)}]{_nearest(table, _KEYS)}")
        if not isinstance(entries, dict):
            raise UsageProblem(f"{path}: [{table}] must be a table")
        for key, value in entries.items():
            if key not in _KEYS[table]:
                raise UsageProblem(
                    f"{path}: unknown key {_shown(key)} in [{table}]{_nearest(key, _KEYS[table])}"
                )
            attribute, check = _KEYS[table][key]
            settings = _with(settings, attribute, check, value, f"{path}: {key}")
    return settings


def _shown(text: str) -> str:
    return "".join(c if c.isprintable() else "?" for c in text[:60])


def _nearest(name: str, known: Mapping[str, Any]) -> str:
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    if close:
        return f"; did you mean {close[0]}?"
    return f"; known are {', '.join(sorted(known))}"


def _refuse_shared(path: Path) -> None:
    """A settings file that others can write could send an export elsewhere."""
    if os.name == "nt":
        return
    about = path.stat()
    if about.st_mode & stat.S_IWOTH:
        raise UsageProblem(f"{path} can be written by anybody: run chmod o-w {path}")
    if about.st_uid not in (os.getuid(), 0):
        raise UsageProblem(f"{path} belongs to another user: use a file of your own")
