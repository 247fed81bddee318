from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import responses

from sfexit.salesforce.stored import Store

from .keeping import Memory


@pytest.fixture
def org() -> Iterator[responses.RequestsMock]:
    """The org's JSON endpoints; anything that was not registered fails."""
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        yield mock


@pytest.fixture(autouse=True)
def no_settings_of_this_computer(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "REQUESTS_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """Stored sign-ins in a folder and a key ring of the test's own."""
    return Store(tmp_path / "config", keyring=Memory())
