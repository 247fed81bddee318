"""Photos of users and groups (Connect REST API Developer Guide, "Photo"; Object Reference, User).

FullPhotoUrl points at a host for browsers, at `/profilephoto/005/F` for who uploaded none. The
bytes are given to anybody at the temporary `fullEmailPhotoUrl`, where no session belongs.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from .answers import Answer
from .columns import Column, Value
from .errors import ApiError, not_found
from .ids import IdSpace, to18
from .query import as_text

if TYPE_CHECKING:
    from .org import SimulatedOrg

BROWSERS = "https://northwater.file.force.com"
OBJECTS = {"user": "User", "group": "CollaborationGroup"}
_NONE_EVERY = 3


class PhotoColumn(Column):
    """Addresses of photos; every third row has none of its own."""

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix
        self._versions = IdSpace("729", "kY", 1000 if prefix == "005" else 500_000)

    def version(self, row: int) -> str | None:
        """The id of a row's photo; None for the picture that everybody has."""
        return None if row % _NONE_EVERY == 1 else self._versions.at(row)

    def value(self, i: int) -> Value:
        return f"{BROWSERS}/profilephoto/{(self.version(i) or self._prefix)[:15]}/F"


def picture(version: str) -> bytes:
    """The bytes of a photo."""
    seed = hashlib.sha256(version.encode()).digest()
    return b"\x89PNG\r\n\x1a\n" + seed * (3 + seed[0] % 40)


def resource(org: SimulatedOrg, kind: str, row_id: str, base_url: str) -> Answer:
    """``GET /connect/user-profiles/{id}/photo`` and ``GET /chatter/groups/{id}/photo``."""
    found = org.tables.locate(to18(row_id) or "")
    if found is None or found[0].sobject.name != OBJECTS[kind]:
        raise not_found()
    if not org.chatter:
        raise ApiError(403, "FUNCTIONALITY_NOT_ENABLED", "Connect API is not enabled")
    column = found[0].column("FullPhotoUrl")
    version = column.version(found[1]) if isinstance(column, PhotoColumn) else None
    page = column.value(found[1])
    return Answer(
        200,
        as_text(
            {
                "fullEmailPhotoUrl": f"{base_url}/photos/{version or 'default'}/F",
                "largePhotoUrl": page,
                "mediumPhotoUrl": page,
                "photoVersionId": version,
                "smallPhotoUrl": (page or "")[:-1] + "T",
                "standardEmailPhotoUrl": f"{base_url}/photos/{version or 'default'}/T",
            }
        ),
    )


def public(version: str, headers: dict[str, str]) -> Answer:
    """The temporary address: anybody's, so a session that comes with it has been given away."""
    if "Authorization" in headers:
        raise ApiError(400, "SESSION_LEAKED", "a session was sent to a public address")
    return Answer(200, picture(version), "image/png")
