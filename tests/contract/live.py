"""`make live`: the contract, an export and the open questions, tried on a real org.

    SFEXIT_LIVE_INSTANCE_URL=https://….my.salesforce.com SFEXIT_LIVE_ACCESS_TOKEN=… make live

Reads only; the query jobs it makes are deleted again. Meant for a Developer Edition org: an export
of a large org takes its time and its API calls.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

from places import TOKEN, URL, Place  # noqa: E402 - beside this script
from questions import ask_all  # noqa: E402

MISSING = (
    f"make live needs a real org: set {URL} (https://mycompany.my.salesforce.com) and {TOKEN} (a "
    "session of a user who may use the API), then run it again."
)


def contract(environment: Mapping[str, str]) -> bool:
    """The contract suite on the real org alone."""
    print("The contract suite", flush=True)
    words = [sys.executable, "-m", "pytest", "-q", str(HERE / "test_contract.py"), "-k", "live"]
    return subprocess.run(words, env=environment, check=False).returncode == 0


def export(environment: Mapping[str, str], folder: Path) -> bool:
    """An export of the whole org, and the archive's own checker on the result."""
    print("\nAn export", flush=True)
    given = {
        **environment,
        "SFEXIT_INSTANCE_URL": environment[URL],
        "SFEXIT_ACCESS_TOKEN": environment[TOKEN],
        "SFEXIT_CONFIG_DIR": str(folder / "config"),
    }
    words = [sys.executable, "-m", "sfexit", "export", str(folder / "home"), "--json"]
    done = subprocess.run(words, env=given, stdout=subprocess.PIPE, check=False)
    if done.returncode not in (0, 3):
        print(f"the export ended with exit code {done.returncode}")
        return False
    document = json.loads(done.stdout)
    bag = sorted((folder / "home/bags").iterdir())[-1]
    checker = [sys.executable, "-I", str(bag / "data/tools/verify.py")]
    whole = subprocess.run(checker, stdout=subprocess.DEVNULL, check=False).returncode == 0
    print(f"{document['objects']:,} objects, {document['rows']:,} rows, checked: {whole}")
    return whole


def main(environment: Mapping[str, str] = os.environ) -> int:
    """0 when the contract and the export hold; 2 without an org; 1 else."""
    if not (environment.get(URL) and environment.get(TOKEN)):
        print(MISSING, file=sys.stderr)
        return 2
    held = contract(environment)
    with tempfile.TemporaryDirectory(prefix="sfexit-live-") as folder:
        held = export(environment, Path(folder)) and held
    print("\nOpen questions")
    place = Place("live", environment[URL].rstrip("/"), environment[TOKEN])
    for finding in ask_all(place):
        print(f"  {finding.question}")
        print(f"    {'answered' if finding.proven else 'unproven'}: {finding.answer}")
    return 0 if held else 1


if __name__ == "__main__":
    raise SystemExit(main())
