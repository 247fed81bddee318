"""What holds for every test: an environment without the developer's own settings."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# No example fails because the machine is busy; where CI is set, the examples are always the same.
settings.register_profile(
    "sfexit",
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    derandomize=bool(os.environ.get("CI")),
)
settings.load_profile("sfexit")


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Bytes do not name a test: packed ones may hold the time, and differ between two workers."""
    return argname if isinstance(val, bytes) else None


_PROXIES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")
_OTHERS = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "NO_COLOR", "FORCE_COLOR", "COLUMNS")


@pytest.fixture(autouse=True)
def clean_environment(
    monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Path]:
    """No settings, no credentials, no proxies; a user folder of the test's own (its path)."""
    for name in list(os.environ):
        if name.startswith("SFEXIT_") or name.lower() in _PROXIES or name in _OTHERS:
            monkeypatch.delenv(name)
    folder = tmp_path_factory.mktemp("config")
    monkeypatch.setenv("SFEXIT_CONFIG_DIR", str(folder))
    mask = os.umask(0o022)
    yield folder
    os.umask(mask)
