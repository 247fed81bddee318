"""`make peers`: clients of others read the simulated org, each unmodified.

simple-salesforce comes with the development tools; jsforce and the Salesforce CLI are installed by
npm into a temporary folder. What cannot be installed is left out, and a sentence says why.
"""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
NODE = (22, 15)  # the oldest that @salesforce/cli 2.146 runs on
_SYSTEMS = {"Linux": "linux", "Darwin": "darwin"}
_MACHINES = {"x86_64": "x64", "AMD64": "x64", "aarch64": "arm64", "arm64": "arm64"}


def node_version() -> tuple[int, ...]:
    """The version of `node` on the PATH; () when there is none."""
    try:
        done = subprocess.run(["node", "--version"], capture_output=True, text=True, check=True)
        return tuple(int(part) for part in done.stdout.strip().lstrip("v").split(".")[:2])
    except (OSError, ValueError, subprocess.CalledProcessError):
        return ()


def install(folder: Path, *packages: str) -> str:
    """Install npm packages into a folder; "" when done, else why not."""
    folder.mkdir(exist_ok=True)
    npm = shutil.which("npm")
    if npm is None:
        return "npm is not on the PATH"
    words = [npm, "install", "--no-audit", "--no-fund", "--prefix", str(folder), *packages]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode == 0:
        return ""
    lines = [line for line in done.stderr.splitlines() if line.strip()]
    return f"npm says: {lines[-1][:200] if lines else done.returncode}"


def main() -> int:
    """What pytest makes of the clients that could be had."""
    with tempfile.TemporaryDirectory(prefix="sfexit-peers-") as scratch:
        folder = Path(scratch)
        environment = dict(os.environ)
        for name, variable, packages in (
            ("jsforce", "SFEXIT_JSFORCE_DIR", ["jsforce@3"]),
            ("The Salesforce CLI", "SFEXIT_SF_DIR", ["@salesforce/cli", *_newer_node()]),
        ):
            print(f"Installing {', '.join(packages)} …", flush=True)
            trouble = install(folder / variable, *packages)
            if trouble:
                print(f"{name} is left out: {trouble}")
                continue
            environment[variable] = str(folder / variable)
        for found in (folder / "SFEXIT_SF_DIR").glob("node_modules/node-*-*/bin"):
            environment["PATH"] = f"{found}{os.pathsep}{environment['PATH']}"
        words = [sys.executable, "-m", "pytest", "-v", str(HERE / "test_foreign_clients.py")]
        return subprocess.run(words, env=environment, check=False).returncode


def _newer_node() -> list[str]:
    """A package with a newer Node.js, where the one that is here is too old for the CLI."""
    if node_version() >= NODE:
        return []
    system, machine = _SYSTEMS.get(platform.system()), _MACHINES.get(platform.machine())
    return [f"node-{system}-{machine}@22"] if system and machine else []


if __name__ == "__main__":
    raise SystemExit(main())
