"""The user's own signing key."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from sfexit.settings import config_folder

if TYPE_CHECKING:
    from sfexit.archive.signing import SigningKey


def own_key() -> SigningKey | None:
    """The key, if there is one: looking makes none."""
    from sfexit.archive import signing

    folder = config_folder(os.environ)
    return signing.load_or_create(folder) if (folder / signing.KEY_FILE).exists() else None


def own_fingerprints() -> tuple[str, ...]:
    """Keys whose proofs count for this user. Without one of their own, no proof does."""
    key = own_key()
    return (key.fingerprint,) if key is not None else ("SHA256:none",)
