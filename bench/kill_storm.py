"""Kill running exports again and again, under random faults, and count broken promises.

    python bench/kill_storm.py --kills 300 --faults 0.3 --seed 1

Exports run in processes of their own against a simulated org and are ended by SIGKILL at random
instants. A violation is: a page under its final name that is not whole; a recorded page that is
gone; a sealed bag that is not valid or does not hold the org's rows; a finished page that was
fetched again; a ledger that does not add up.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "export"))

from killing import Zygote, storm


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=300)
    parser.add_argument("--faults", type=float, default=0.3, help="share of requests that fail")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rows", type=int, default=1500)
    given = parser.parse_args()
    zygote = Zygote()
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        told = storm(
            Path(folder),
            kills=given.kills,
            faults=given.faults,
            seed=given.seed,
            rows=given.rows,
            zygote=zygote,
        )
    zygote.close()
    print(f"kills                         {told.kills}")
    print(f"violations                    {len(told.violations)}")
    print(f"runs                          {told.runs}")
    print(f"faults injected               {told.faults}")
    failed = f"{told.sealed_incomplete} with a failed object"
    print(f"archives sealed               {told.sealed}, {failed}")
    print(
        f"published but not recorded    {told.unrecorded}, at most {told.most_unrecorded} at a kill"
    )
    print(f"runs that ended by an error   {dict(told.errors)}")
    print(f"seconds                       {time.monotonic() - started:.0f}")
    for violation in told.violations[:20]:
        print("VIOLATION", violation)
    return 1 if told.violations else 0


if __name__ == "__main__":
    sys.exit(main())
