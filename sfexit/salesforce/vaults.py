"""Where secrets are kept on this computer: the key ring, or files that only the user reads."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from sfexit.redaction import printable
from sfexit.salesforce import private_file

_SERVICE = "sfexit"


class VaultTrouble(Exception):
    """A place for secrets cannot be used; the text names the reason without any secret."""


class Vault(Protocol):
    """A place for secrets: texts by name."""

    def put(self, name: str, text: str) -> None:
        """Keep it for good; what `get` gives from now on. Raises VaultTrouble, DiskTrouble."""

    def get(self, name: str) -> str | None:
        """None when there is none. Raises VaultTrouble, SignInProblem."""

    def drop(self, name: str) -> None:
        """Forget it, if it is there. Raises VaultTrouble, DiskTrouble."""


class KeyringVault:
    """The key ring of the system: Keychain, Credential Manager, Secret Service, KWallet.

    Each text has a service name of its own: on Windows keyring moves an older entry of the same
    service to another name when a second user name comes, and 2,560 bytes (1,280 characters) is
    the most that one entry holds there (CRED_MAX_CREDENTIAL_BLOB_SIZE, keyring #540).
    """

    @property
    def name(self) -> str:
        """What the key ring calls itself."""
        return printable(str(self._call(lambda ring: getattr(ring, "name", "key ring"))), 60)

    def put(self, name: str, text: str) -> None:
        self._call(lambda ring: ring.set_password(f"{_SERVICE}:{name}", name, text))
        # Some backends take everything and keep nothing (keyring.backends.null).
        if self.get(name) != text:
            raise VaultTrouble("it did not keep what it was given")

    def get(self, name: str) -> str | None:
        found = self._call(lambda ring: ring.get_password(f"{_SERVICE}:{name}", name))
        return found if isinstance(found, str) else None

    def drop(self, name: str) -> None:
        if self.get(name) is not None:
            self._call(lambda ring: ring.delete_password(f"{_SERVICE}:{name}", name))

    def _call(self, use: Callable[[Any], object]) -> object:
        try:
            import keyring

            return use(keyring.get_keyring())
        except Exception as error:
            # Backends raise whatever their system library raises, and may quote the secret in it.
            raise VaultTrouble(type(error).__name__) from None


class FileVault:
    """Files of mode 0600 in a folder of mode 0700."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def put(self, name: str, text: str) -> None:
        private_file.make_folder(self._folder)
        private_file.write_private(self._path(name), text.encode())

    def get(self, name: str) -> str | None:
        path = self._path(name)
        if not path.exists():
            return None
        return private_file.read_private(path, "the stored sign-in").decode("utf-8", "replace")

    def drop(self, name: str) -> None:
        private_file.remove(self._path(name))

    def _path(self, name: str) -> Path:
        return self._folder / f"{name}.secret"
