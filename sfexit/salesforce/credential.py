"""What a way of being signed in must offer, and the part that all minting ways share."""

from __future__ import annotations

import re
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Protocol

from sfexit.errors import SignInProblem
from sfexit.redaction import Secret
from sfexit.salesforce.origin import Origin

# A token minted a moment ago by another thread is not renewed again, even when it is refused:
# clients that did so renewed for ever.
SETTLE_SECONDS = 10.0

_TOKEN = re.compile(r"[\x21-\x7e]{8,8192}")


class Credential(Protocol):
    """A way to be signed in to one org. Safe for several threads."""

    @property
    def origin(self) -> Origin:
        """Where the org is; may sign in to learn it."""

    @property
    def kind(self) -> str:
        """For people: "access token", "client credentials", "JWT bearer", …"""

    @property
    def renewable(self) -> bool:
        """Whether a long run survives the end of its session without anybody's help."""

    def token(self) -> Secret:
        """The token in use. Raises SignInProblem, Transient."""

    def renew(self, stale: Secret) -> Secret:
        """A token other than `stale`, which the org refused.

        Several threads may ask at once; one renewal serves them all. Raises SessionLost when no
        new token can be had, SignInProblem, Transient.
        """


def is_token(text: object) -> bool:
    """Whether this can be an access token: visible characters, and not too few."""
    return isinstance(text, str) and _TOKEN.fullmatch(text) is not None


def checked_token(text: str, source: str) -> Secret:
    """The token in `text`. Raises SignInProblem that names `source`."""
    token = text.strip()
    if not is_token(token):
        raise SignInProblem(
            f"What {source} holds is no access token: it is empty, too short, or has spaces in it."
        )
    return Secret(token)


def moved(before: Origin, now: Origin) -> SignInProblem:
    """The org turned up at another address in the middle of a run."""
    return SignInProblem(
        f"After signing in again the org is at {now.host} instead of {before.host}; check that it "
        "was moved, then run the same command again."
    )


class SignedIn(Protocol):
    """What a sign-in brought, as far as every way of signing in has it."""

    @property
    def origin(self) -> Origin:
        """Where the org is."""

    @property
    def access_token(self) -> Secret:
        """The token to go on with."""


class Minting(ABC):
    """A credential that gets new tokens without anybody's help: from a key, a secret, a program."""

    renewable = True

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._token: Secret | None = None
        self._origin: Origin | None = None
        self._minted_at = 0.0

    @abstractmethod
    def _mint(self) -> SignedIn:
        """Sign in once. Raises SignInProblem, Transient."""

    def _same_again(self) -> None:  # noqa: B027 - most have nothing to say
        """Called when the token that a renewal brought is the one that the org refused. Some ways
        of signing in may give the same for as long as its session lives."""

    @property
    def origin(self) -> Origin:
        self.token()
        assert self._origin is not None
        return self._origin

    def token(self) -> Secret:
        with self._lock:
            return self._token if self._token is not None else self._sign_in()

    def renew(self, stale: Secret) -> Secret:
        with self._lock:
            if self._token is not None:
                if self._token != stale:
                    return self._token
                if self._clock() - self._minted_at < SETTLE_SECONDS:
                    return self._token
            found = self._sign_in()
            if found == stale:
                self._same_again()
            return found

    def _sign_in(self) -> Secret:
        answer = self._mint()
        if self._origin is not None and answer.origin.host != self._origin.host:
            raise moved(self._origin, answer.origin)
        self._origin = answer.origin
        self._token = answer.access_token
        self._minted_at = self._clock()
        return self._token
