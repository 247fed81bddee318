from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from rig import MEMORY, Rig


@pytest.fixture(autouse=True)
def no_settings_of_this_computer(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "REQUESTS_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.fixture
def fast_folder() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="sfexit-", dir=MEMORY))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def make_rig(fast_folder: Path) -> Iterator[Callable[..., Rig]]:
    rigs: list[Rig] = []

    def made(**options: Any) -> Rig:
        rigs.append(Rig(fast_folder / f"rig{len(rigs)}", **options))
        rigs[-1].folder.mkdir()
        return rigs[-1]

    yield made
    for rig in rigs:
        rig.close()


@pytest.fixture
def rig(make_rig: Callable[..., Rig]) -> Rig:
    return make_rig()
