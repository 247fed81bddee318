"""The system's key ring, as it is and as it fails."""

from __future__ import annotations

import pytest

from sfexit.salesforce.vaults import KeyringVault, VaultTrouble

from .keeping import REFRESH
from .wire import TOKEN


def test_the_systems_key_ring(monkeypatch: pytest.MonkeyPatch) -> None:
    import keyring
    from keyring.backend import KeyringBackend
    from keyring.backends import fail, null

    class Ring(KeyringBackend):
        priority = 5  # type: ignore[assignment]
        name = "test ring\x1b[31m"  # type: ignore[assignment]
        kept: dict[tuple[str, str], str] = {}  # noqa: RUF012

        def get_password(self, service: str, username: str) -> str | None:
            return self.kept.get((service, username))

        def set_password(self, service: str, username: str, password: str) -> None:
            if len(password) > 1280:
                raise OSError(1783, f"The stub received bad data {password}")
            self.kept[service, username] = password

        def delete_password(self, service: str, username: str) -> None:
            del self.kept[service, username]

    before = keyring.get_keyring()
    try:
        keyring.set_keyring(Ring())
        vault = KeyringVault()
        vault.put("abc-grant", REFRESH)
        vault.put("abc-access", TOKEN)
        assert vault.get("abc-grant") == REFRESH and vault.get("absent") is None
        assert len({service for service, _ in Ring.kept}) == 2  # no two users of one service
        assert vault.name == "test ring[31m"
        with pytest.raises(VaultTrouble) as caught:
            vault.put("abc-grant", "CANARY" * 300)
        assert "CANARY" not in str(caught.value) and caught.value.__suppress_context__
        vault.drop("abc-grant")
        vault.drop("abc-grant")
        assert vault.get("abc-grant") is None
        for useless in (null.Keyring(), fail.Keyring()):
            keyring.set_keyring(useless)
            with pytest.raises(VaultTrouble):
                vault.put("abc-grant", REFRESH)
    finally:
        keyring.set_keyring(before)
