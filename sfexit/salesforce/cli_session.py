"""The session that the Salesforce CLI (`sf`) holds, asked for each time it is needed.

Facts: plugin-org's commands `org display` and `org auth show-access-token`. Since CLI 2.136.8
(27 May 2026) the former hides the token; the latter exists since then and renews the session
first. The variable that brought the old answer back is gone from plugin-org 7: not used here.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from sfexit.errors import SessionLost, SignInProblem, Transient, UsageProblem
from sfexit.redaction import Secret, printable
from sfexit.salesforce.credential import Minting, is_token
from sfexit.salesforce.origin import Origin
from sfexit.salesforce.refusals import clean

OLDEST_VERSION = "2.136.8"  # the first with `org auth show-access-token`
TIMEOUT_SECONDS = 120.0  # the CLI may renew the session over the network before it answers

# Windows runs sf.cmd through its command interpreter, which takes characters of an argument for
# commands of its own; so an alias holds none of them on any system. No leading "-": an option.
_ALIAS = re.compile(r"[A-Za-z0-9_.@+][A-Za-z0-9_.@+-]{0,254}")
_UNKNOWN_COMMAND = re.compile(r"not (?:a|an) \S* ?command|command .{0,80}not found", re.I)
_NOT_FOUND_EXIT = 127  # oclif's plugin-not-found


@dataclass(frozen=True)
class _Answer:
    """What one call of the CLI said: `result` of a success, `name` and `words` of a failure."""

    result: Mapping[str, object] | None
    name: str
    words: str
    unknown_command: bool = False


@dataclass(frozen=True)
class _Session:
    origin: Origin
    access_token: Secret


class CliSession(Minting):
    """Signed in as the CLI is for one of its aliases or user names."""

    kind = "Salesforce CLI session"

    def __init__(
        self,
        alias: str,
        *,
        allow_hosts: Collection[str] = (),
        environment: Mapping[str, str] | None = None,
        timeout_seconds: float = TIMEOUT_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Finds the CLI, but does not start it yet. Raises UsageProblem, SignInProblem."""
        if not _ALIAS.fullmatch(alias):
            raise UsageProblem(
                f"{printable(alias, 60)} cannot be an alias or user name of the Salesforce CLI; "
                "sf org list shows them (an alias for an odd user name: sf alias set)."
            )
        super().__init__(clock)
        self._alias = alias
        self._allow_hosts = tuple(allow_hosts)
        self._environment = dict(os.environ if environment is None else environment)
        self._program = _find(self._environment)
        self._timeout_seconds = timeout_seconds
        self._old_cli = False

    def _same_again(self) -> None:
        # The CLI warns in its answer when it could not renew, and shows the old token.
        raise SessionLost(
            f"The Salesforce CLI's session for {self._alias} has ended and the CLI cannot renew "
            f"it; run sf org login web --alias {self._alias}, then the same command again. "
            "Progress is kept."
        )

    def _mint(self) -> _Session:
        """The token first: asking for it makes the CLI renew the session."""
        token = None if self._old_cli else self._shown_token()
        display = self._run("org", "display")
        if display.result is None:
            raise self._failed(display)
        if token is None:
            self._old_cli = True
            token = self._displayed_token(display.result)
        origin = self._org_at(display.result.get("instanceUrl"))
        org_id = display.result.get("id")
        value = token.reveal()
        # A session id begins with the id of its org; a token of JSON Web Token form does not.
        if isinstance(org_id, str) and value[:3] == "00D" and value[:15] != org_id[:15]:
            raise SignInProblem(
                f"The Salesforce CLI gave a session of another org than the one it shows for "
                f"{self._alias}; run sf org logout and sf org login web for it."
            )
        return _Session(origin, token)

    def _shown_token(self) -> Secret | None:
        """None when the CLI is too old to know the command."""
        answer = self._run("org", "auth", "show-access-token")
        if answer.unknown_command:
            return None
        if answer.result is None:
            raise self._failed(answer)
        token = answer.result.get("accessToken")
        if not isinstance(token, str) or not is_token(token) or "REDACTED" in token:
            raise SignInProblem(
                f"The Salesforce CLI shows no access token for {self._alias}; run sf org login "
                f"web --alias {self._alias}, and sf update if that does not help."
            )
        return Secret(token)

    def _displayed_token(self, result: Mapping[str, object]) -> Secret:
        token = result.get("accessToken")
        # Only what is a session id for sure: newer CLIs put an explanation here.
        if not (isinstance(token, str) and token[:3] == "00D" and "!" in token and is_token(token)):
            raise SignInProblem(
                "This Salesforce CLI hides access tokens and cannot show them on request; update "
                f"it to {OLDEST_VERSION} or newer (sf update)."
            )
        return Secret(token)

    def _org_at(self, instance_url: object) -> Origin:
        if not isinstance(instance_url, str) or not instance_url:
            raise SignInProblem(
                f"The Salesforce CLI does not say where {self._alias} is; run sf org display "
                f"--target-org {self._alias} to see what it knows."
            )
        try:
            return Origin.parse(instance_url.rstrip("/"), allow_hosts=self._allow_hosts)
        except UsageProblem as problem:
            raise SignInProblem(
                f"The Salesforce CLI's address for {self._alias} cannot be used: {problem.message}"
            ) from None

    def _failed(self, answer: _Answer) -> SignInProblem:
        told = f"{answer.name}: {answer.words}" if answer.name else answer.words
        return SignInProblem(
            f"The Salesforce CLI gives no session for {self._alias} ({told}); sf org list shows "
            f"what it is signed in to, sf org login web --alias {self._alias} signs in."
        )

    def _run(self, *command: str) -> _Answer:
        """Start the CLI: no shell, nothing on its stdin, none of our own secrets around it."""
        words = [self._program, *command, "--target-org", self._alias, "--json"]
        try:
            done = subprocess.run(  # noqa: S603 - a fixed command, and an alias that was checked
                words,
                stdin=subprocess.DEVNULL,
                capture_output=True,  # apart: warnings on stderr must not get into the JSON
                timeout=self._timeout_seconds,
                check=False,
                env=_without_secrets(self._environment),
            )
        except subprocess.TimeoutExpired:
            raise Transient(
                f"The Salesforce CLI did not answer within {self._timeout_seconds:.0f} seconds; "
                f"try sf org display --target-org {self._alias} by hand."
            ) from None
        except OSError as error:
            raise SignInProblem(
                f"The Salesforce CLI ({printable(self._program, 200)}) cannot be started "
                f"({error.strerror}); install it again, or use another way to sign in."
            ) from None
        return _read(done.stdout, done.stderr, done.returncode)


def _read(stdout: bytes, stderr: bytes, status: int) -> _Answer:
    """The JSON is on stdout in failure too ("status" is not 0 then)."""
    document = _document(stdout.decode("utf-8", "replace"))
    if document is None:
        said = (stderr or stdout).decode("utf-8", "replace")
        unknown = status == _NOT_FOUND_EXIT or _UNKNOWN_COMMAND.search(said) is not None
        return _Answer(None, "", f"exit {status}, no JSON: {clean(said)[:150]}", unknown)
    result = document.get("result")
    if status == 0 and document.get("status") in (0, None) and isinstance(result, dict):
        return _Answer(result, "", "")
    words = clean(document.get("message") or "no explanation given")
    name = clean(document.get("name") or "")
    unknown = status == _NOT_FOUND_EXIT or _UNKNOWN_COMMAND.search(words) is not None
    return _Answer(None, name, words, unknown)


def _document(text: str) -> dict[str, object] | None:
    """The one JSON object in `text`, even with lines of a plug-in's chatter around it."""
    start, end = text.find("{"), text.rfind("}")
    try:
        found = json.loads(text[start : end + 1]) if 0 <= start < end else None
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _find(environment: Mapping[str, str]) -> str:
    """The CLI on PATH; `shutil.which` knows that it is called sf.cmd on Windows."""
    found = shutil.which("sf", path=environment.get("PATH", ""))
    if found is None:
        raise SignInProblem(
            "The Salesforce CLI (sf) is not on the PATH of this computer; install it "
            "(npm install --global @salesforce/cli) and sign in with sf org login web, or use "
            "sfexit login."
        )
    # Windows looks into the current folder first, where anybody could have put an "sf".
    if sys.platform == "win32" and Path(found).resolve().parent == Path.cwd():
        raise SignInProblem(
            f"{printable(found, 200)} lies in the current folder and was not started; run sfexit "
            "from another folder."
        )
    return found


def _without_secrets(environment: Mapping[str, str]) -> dict[str, str]:
    kept = {name: value for name, value in environment.items() if not name.startswith("SFEXIT_")}
    kept.pop("FORCE_COLOR", None)  # it would colour even the JSON
    # SF_JSON_TO_STDOUT: a user may have turned it off, and errors would come without their JSON.
    return {**kept, "NO_COLOR": "1", "SF_JSON_TO_STDOUT": "true", "SF_AUTOUPDATE_DISABLE": "true"}
