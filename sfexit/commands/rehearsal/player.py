"""The process that runs the command lines of a rehearsal, one after the other.

With a real org, too, the other end is somewhere else: here the made-up org has a process to itself.
One line of JSON asks, `{"words": […], "environment": {…}}`; the answer is lines of JSON, some
`{"err": text}` and `{"out": text}` as they are said, and `{"code": number}` at last.
"""

from __future__ import annotations

import io
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import BinaryIO

import sfexit
from sfexit.commands import _exit
from sfexit.errors import Interrupted

_PREFIX = "SFEXIT_"
_PATIENCE_SECONDS = 10.0  # for a command to end in good order after Ctrl-C


class Player:
    """The process, started at once, so that it is ready when the first line comes."""

    def __init__(self) -> None:
        # Without the folder in hand on its path (-P): whose files those are, nobody knows.
        words = [sys.executable, "-P", "-m", __name__]
        environment = {name: value for name, value in os.environ.items() if name[:7] != _PREFIX}
        paths = (str(Path(sfexit.__file__).parents[1]), os.environ.get("PYTHONPATH", ""))
        environment["PYTHONPATH"] = os.pathsep.join(filter(None, paths))
        environment["COLUMNS"] = str(shutil.get_terminal_size().columns)
        self._process = subprocess.Popen(  # noqa: S603 - ourselves
            words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment
        )

    def run(
        self,
        words: Sequence[str],
        environment: Mapping[str, str],
        err: Callable[[str], object],
        out: Callable[[str], object],
    ) -> int:
        """Run `sfexit …` with no other settings than these; returns its exit code.

        `err` and `out` hear what it says while it says it. Raises Interrupted when it was ended
        from outside.
        """
        assert self._process.stdin is not None and self._process.stdout is not None
        asked = json.dumps({"words": list(words), "environment": dict(environment)})
        try:
            self._process.stdin.write(asked.encode() + b"\n")
            self._process.stdin.flush()
            for line in self._process.stdout:
                told = json.loads(line)
                if "code" in told:
                    return int(told["code"])
                if "err" in told:
                    err(told["err"])
                else:
                    out(told["out"])
        except BrokenPipeError:
            pass
        except KeyboardInterrupt:
            raise Interrupted("stopped") from None
        raise Interrupted("the process that ran the commands was ended")

    def close(self) -> None:
        """End it; what it is doing comes to its end first."""
        assert self._process.stdin is not None and self._process.stdout is not None
        try:
            self._process.stdin.close()
            self._process.wait(_PATIENCE_SECONDS)
        except (BrokenPipeError, subprocess.TimeoutExpired):
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()


class _Teller(io.TextIOBase):
    """Sends on what is written."""

    def __init__(self, kind: str, to: BinaryIO) -> None:
        self._kind = kind
        self._to = to

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        _send(self._to, {self._kind: text})
        return len(text)


def _send(to: BinaryIO, message: Mapping[str, object]) -> None:
    to.write(json.dumps(message).encode() + b"\n")
    to.flush()


def _play(asking: BinaryIO, to: BinaryIO) -> int:
    from sfexit.commands import main

    # Commands that ask find nobody at the terminal: what they need is given on the line.
    sys.stdin = io.StringIO()
    for line in asking:
        asked = json.loads(line)
        for name in [one for one in os.environ if one.startswith(_PREFIX)]:
            del os.environ[name]
        os.environ.update(asked["environment"])
        with redirect_stderr(_Teller("err", to)), redirect_stdout(_Teller("out", to)):
            code = main.run(asked["words"])
        _send(to, {"code": code})
    return _exit.DONE


if __name__ == "__main__":
    # Between two commands Ctrl-C is for the rehearsal, which ends this process too.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    raise SystemExit(_play(sys.stdin.buffer, sys.stdout.buffer))
