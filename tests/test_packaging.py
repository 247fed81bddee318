"""What a wheel of sfexit holds. Built without the network."""

from __future__ import annotations

import email
import importlib.util
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    for module in ("build", "hatchling"):
        if importlib.util.find_spec(module) is None:
            pytest.skip(f"{module} is not installed, and nothing is fetched in tests")
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    source.mkdir()
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source / name)
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "sfexit", source / "sfexit", ignore=ignored)
    done = subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder, source],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    [path] = folder.glob("*.whl")
    return zipfile.ZipFile(path)


def test_every_module_and_data_file_is_in_it(wheel: zipfile.ZipFile) -> None:
    sources = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "sfexit").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    packed = {name for name in wheel.namelist() if name.startswith("sfexit/")}
    assert packed == sources
    assert {
        "sfexit/salesforce/object_rules.json",
        "sfexit/archive/tools/verify.py",
        "sfexit/archive/tools/README.txt.in",
    } <= packed


@pytest.mark.xfail(not (ROOT / "sfexit/py.typed").exists(), reason="sfexit/py.typed is missing")
def test_types_are_announced(wheel: zipfile.ZipFile) -> None:
    assert "sfexit/py.typed" in wheel.namelist()


def test_nothing_else_is_installed(wheel: zipfile.ZipFile) -> None:
    tops = {name.split("/")[0] for name in wheel.namelist()}
    assert {top.partition("-")[0] for top in tops} == {"sfexit"}


def test_metadata(wheel: zipfile.ZipFile) -> None:
    [name] = [one for one in wheel.namelist() if one.endswith(".dist-info/METADATA")]
    told = email.message_from_bytes(wheel.read(name))
    assert told["Name"] == "sfexit"
    assert told["License-Expression"] == "Apache-2.0"
    assert told["License-File"] == "LICENSE"
    assert told["Requires-Python"] == ">=3.11"
    needed = told.get_all("Requires-Dist") or []
    extras = [one for one in needed if "extra ==" in one]
    assert not any(
        "pandas" in one or "simple-salesforce" in one for one in set(needed) - set(extras)
    )


def test_entry_point(wheel: zipfile.ZipFile) -> None:
    [name] = [one for one in wheel.namelist() if one.endswith(".dist-info/entry_points.txt")]
    assert "sfexit = sfexit.__main__:main" in wheel.read(name).decode()
