"""A warm process that forks runs of a plan, so that many of them can be killed in little time.

Reads one JSON request a line, answers {"pid": …} at once and {"status": …, …} when that run
ended; a negative status is the signal that ended it. It has one thread, so forking it is safe.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

from sfexit.errors import SfexitError
from sfexit.offboarding import applying, checking, plan
from sfexit.offboarding.checking import Caps
from sfexit.offboarding.journal import Journal
from sfexit.redaction import Secret
from sfexit.salesforce.client import Client
from sfexit.salesforce.login import GivenToken
from sfexit.salesforce.origin import Origin

CAPS = Caps(100_000, 100_000_000, 1_000)


def run(request: dict[str, Any]) -> dict[str, Any]:
    """One run of the plan, in the forked process."""
    token = GivenToken(Origin.parse(request["url"]), Secret(request["token"]))
    made = plan.load(Path(request["plan"]))
    journal = Journal(Path(request["journal"]))
    try:
        with Client(token, writable=True, budget_share=1.0, sleep=lambda _: None) as client:
            checking.check(client, made, caps=CAPS, begun=bool(journal.progress.plan))
            done = applying.apply(client, made, journal, caps=CAPS, gate="bench")
    except SfexitError as error:
        return {"error": f"{type(error).__name__}: {error.message}"}
    finally:
        journal.close()
    return {"complete": done.complete, "changes": done.changes, "moved": done.moved,
            "failed": [f"{one.place} {one.record_id} {one.code} {one.message}"
                       for one in done.failed],
            "left": sum(sum(one.rows.values()) for one in done.remains.people)}  # fmt: skip


def main() -> None:
    for line in sys.stdin:
        reading, writing = os.pipe()
        pid = os.fork()
        if pid == 0:
            os.close(reading)
            try:
                with os.fdopen(writing, "w") as out:
                    out.write(json.dumps(run(json.loads(line))))
            finally:
                os._exit(0)
        os.close(writing)
        print(json.dumps({"pid": pid}), flush=True)
        with os.fdopen(reading) as told:
            text = told.read()
        _, status = os.waitpid(pid, 0)
        answer = json.loads(text) if text else {}
        print(json.dumps({"status": os.waitstatus_to_exitcode(status), **answer}), flush=True)


if __name__ == "__main__":
    main()
