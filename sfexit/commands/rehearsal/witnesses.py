"""Programs that know nothing of sfexit check the archive; and sfexit refuses a damaged copy."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from sfexit.commands import _exit
from sfexit.commands.rehearsal.stage import Stage


@dataclass(frozen=True)
class Check:
    """What an outside program said of the archive."""

    name: str
    verdict: str  # "ok", "FAILED" or "not here"
    told: str


class Witnesses:
    """Outside programs that check an archive while the play goes on; `heard` waits for them."""

    def __init__(self, bag: Path) -> None:
        self._pool = ThreadPoolExecutor(1)
        self._told: Future[list[Check]] = self._pool.submit(lambda: list(_checks(bag.resolve())))

    def heard(self, stage: Stage) -> None:
        """Tell what they said."""
        stage.act("Programs that know nothing of sfexit have checked the archive meanwhile")
        try:
            told = self._told.result()
        finally:
            self._pool.shutdown()
        for check in told:
            line = f"{check.verdict:<9} {check.name:<24} {check.told}".rstrip()
            if check.verdict == "FAILED":
                stage.wrong(line)
            else:
                stage.tell(line)


def damage(stage: Stage, bag: Path) -> None:
    """Verify without the org; then a copy in which one bit is turned over."""
    stage.act("Without the org: is it what was sealed? And would a flipped bit be seen?")
    stage.run(
        "verify-backup", stage.home, "--offline", "--deep", "--expect-key", stage.fingerprint,
        most=8,
    )  # fmt: skip
    with tempfile.TemporaryDirectory() as temp:
        copy = Path(temp) / "copy"
        shutil.copytree(bag, copy, copy_function=shutil.copyfile)
        page = max((copy / "data/records").rglob("*.gz"), key=lambda path: path.stat().st_size)
        content = bytearray(page.read_bytes())
        content[len(content) // 2] ^= 1
        page.write_bytes(content)
        stage.say(f"   One bit of a copy is turned over, in {page.relative_to(copy)}:")
        stage.run("verify-backup", copy, "--offline", expect=_exit.NOT_SAFE, most=9)


def _checks(bag: Path) -> Iterator[Check]:
    """Run each outside validator that this machine has."""
    python = [sys.executable, "-I"]
    pages = [str(path) for path in sorted((bag / "data/records").glob("*/*.gz"))]
    yield run("data/tools/verify.py", [*python, str(bag / "data/tools/verify.py")], bag)
    yield run("sha256sum -c", ["sha256sum", "-c", "--quiet", "manifest-sha256.txt"], bag)
    yield run("gzip -t", ["gzip", "-t", *pages], bag, note=f"{len(pages)} pages")
    signature = "seal/tagmanifest-sha256.txt.sig"
    yield run(
        "openssl (signature)",
        [
            "openssl", "pkeyutl", "-verify", "-pubin", "-inkey", "seal/public-key.pem", "-rawin",
            "-in", "tagmanifest-sha256.txt", "-sigfile", signature,
        ],
        bag,
    )  # fmt: skip
    yield _module("bagit", "bagit.py --validate", ["--validate", "--quiet", str(bag)], bag)
    package = str(bag / "data/datapackage.json")
    tables = f"{len({Path(page).parent for page in pages})} tables"
    yield _module("frictionless", "frictionless validate", ["validate", package], bag, tables)


def _module(
    module: str, name: str, arguments: Sequence[str], folder: Path, note: str = ""
) -> Check:
    if importlib.util.find_spec(module) is None:
        return Check(name, "not here", f"to try it: pip install {module}")
    return run(name, [sys.executable, "-m", module, *arguments], folder, note=note)


def run(name: str, words: Sequence[str], folder: Path, *, note: str = "") -> Check:
    """One program, in the folder of the archive."""
    if shutil.which(words[0]) is None:
        return Check(name, "not here", "this machine does not have the program")
    # No byte-code and no settings of ours beside or in the archive that is being checked.
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(  # noqa: S603 - fixed words and paths of our own
        list(words), cwd=folder, capture_output=True, text=True, check=False, env=environment
    )
    lines = (done.stdout.strip() or done.stderr.strip()).splitlines()
    told = [line for line in lines if re.search(r"\w", line)]  # frictionless draws frames
    if done.returncode:
        return Check(name, "FAILED", told[-1][:100] if told else f"exit {done.returncode}")
    return Check(name, "ok", note or (told[-1][:60] if told else ""))
