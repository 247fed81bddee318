"""A warm process that forks exports, so that hundreds of them can be killed in little time.

Reads one JSON request a line, answers {"pid": …} at once and {"status": …, …} when that export
ended; a negative status is the signal that ended it. It has one thread, so forking it is safe.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from pathlib import Path
from typing import Any

from sfexit.archive import signing
from sfexit.archive.durable import Disk, Handle
from sfexit.errors import SfexitError
from sfexit.export.means import Tuning
from sfexit.export.run import export
from sfexit.progress import SILENT
from sfexit.salesforce.client import Client
from sfexit.salesforce.login import credential_from_environment


class DeadlyDisk(Disk):
    """Ends its own process with SIGKILL at the n-th step; the step that is hit is half done."""

    def __init__(self, fatal: int | None) -> None:
        self._fatal = fatal
        self._lock = threading.Lock()
        self.steps = 0

    def _step(self) -> bool:
        with self._lock:
            self.steps += 1
            return self.steps == self._fatal

    def _pass(self) -> None:
        if self._step():
            os.kill(os.getpid(), signal.SIGKILL)

    def create(self, path: Path) -> Handle:
        handle = super().create(path)
        self._pass()
        return handle

    def write(self, handle: Handle, data: bytes) -> None:
        if self._step():
            super().write(handle, data[: len(data) // 2])
            flush = getattr(handle, "flush", None)
            if flush is not None:
                flush()
            os.kill(os.getpid(), signal.SIGKILL)
        super().write(handle, data)

    def sync(self, handle: Handle) -> None:
        # A killed process loses nothing that the system has, so the flush itself may be left out.
        flush = getattr(handle, "flush", None)
        if flush is not None:
            flush()
        self._pass()

    def publish(self, part: Path, final: Path) -> None:
        self._pass()
        part.replace(final)
        self._pass()

    def rename(self, part: Path, final: Path) -> None:
        self._pass()
        super().rename(part, final)
        self._pass()

    def sync_folder(self, folder: Path) -> None: ...

    def make_folder(self, folder: Path) -> None:
        if not folder.is_dir():
            super().make_folder(folder)
            self._pass()

    def remove(self, path: Path) -> None:
        if path.exists():
            self._pass()
            super().remove(path)

    def link(self, source: Path, final: Path) -> bool:
        self._pass()
        linked = super().link(source, final)
        self._pass()
        return linked

    def move(self, path: Path, target: Path) -> None:
        self._pass()
        super().move(path, target)


def run(request: dict[str, Any]) -> dict[str, Any]:
    """One export, in the forked process."""
    disk = DeadlyDisk(request.get("fatal"))
    credential = credential_from_environment(request["environment"])
    try:
        with Client(
            credential,
            sleep=lambda _: None,
            budget_share=1.0,
            timeouts=(10.0, 10.0),
        ) as client:
            result = export(
                client,
                Path(request["root"]),
                key=lambda: signing.load_or_create(Path(request["key"])),
                disk=disk,
                progress=SILENT,
                tuning=Tuning(bulk_from_rows=request["bulk_from"], scan_from_bytes=1),
                refresh=request["refresh"],
            )
    except SfexitError as error:
        return {"error": type(error).__name__, "message": error.message, "steps": disk.steps}
    assert result.bag is not None
    return {
        "bag": str(result.bag.path),
        "incomplete": [line.object for line in result.incomplete],
        "steps": disk.steps,
    }


def main() -> None:
    for line in sys.stdin:
        request = json.loads(line)
        reading, writing = os.pipe()
        pid = os.fork()
        if pid == 0:
            os.close(reading)
            code = 1
            try:
                with os.fdopen(writing, "w") as out:
                    out.write(json.dumps(run(request)))
                code = 0
            finally:
                os._exit(code)
        os.close(writing)
        print(json.dumps({"pid": pid}), flush=True)
        with os.fdopen(reading) as told:
            text = told.read()
        _, status = os.waitpid(pid, 0)
        answer = json.loads(text) if text else {}
        print(json.dumps({"status": os.waitstatus_to_exitcode(status), **answer}), flush=True)


if __name__ == "__main__":
    main()
