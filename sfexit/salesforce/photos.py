"""Photos of users and groups: their bytes, without the session ever leaving the org's host.

A record's FullPhotoUrl is on a host for browsers. The Connect REST API tells another address,
`fullEmailPhotoUrl`, "available to unauthenticated users" for 30 days (Connect REST API Developer
Guide, "User Profiles Photo", "Group Photo", "Photo"): that one is asked for, with nothing of ours.
It is the large picture, 200 pixels wide; no resource gives a larger one.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from sfexit.errors import DamagedAnswer, OrgRefused, SignInProblem, Transient, UsageProblem
from sfexit.salesforce.bodies import BodyAnswer
from sfexit.salesforce.client import Client
from sfexit.salesforce.ids import full_id
from sfexit.salesforce.refusals import PassingRefusal

FIELD = "FullPhotoUrl"
#: Of the picture across the top of a profile no address is told but one for browsers (Connect REST
#: API Developer Guide, "User Profiles Banner Photo", "Group Banner Photo").
BANNER = "BannerPhotoUrl"
RESOURCES: Mapping[str, str] = {
    "User": "connect/user-profiles/{0}/photo",
    "CollaborationGroup": "chatter/groups/{0}/photo",
}
UNREACHABLE = "PHOTO_UNREACHABLE"
_ANSWER_BYTES = 1 << 20
# A photo somebody uploaded has a version, whose id begins with 729; one that nobody did has the
# prefix of its object in that place (`/profilephoto/005/F`).
_VERSION = re.compile(r"/profilephoto/(729[A-Za-z0-9]{12}(?:[A-Za-z0-9]{3})?)(?:/|$)")


def version_of(address: str) -> str:
    """The 18-character id of the photo at a FullPhotoUrl; "" for the picture everybody has."""
    found = _VERSION.search(address.partition("?")[0])
    return full_id(found[1]) if found else ""


def _address(client: Client, path: str) -> str:
    """The address of a photo that anybody may open."""
    try:
        with client.stream(path, {"Accept": "application/json"}) as answer:
            told = json.loads(b"".join(answer.unpacked(_ANSWER_BYTES)))
    except PassingRefusal as fault:
        if fault.status != 503:
            raise
        # "When you exceed the rate limit, [they] return a 503" (Connect REST API Developer Guide,
        # "Chatter REST API Resources"): some hundred requests an hour, which no waiting is worth.
        why = "the Connect API takes no more requests this hour"
        raise OrgRefused(503, UNREACHABLE, why) from fault
    except (ValueError, RecursionError):
        told = None
    address = told.get("fullEmailPhotoUrl") if isinstance(told, dict) else None
    if not isinstance(address, str) or not address:
        raise OrgRefused(0, UNREACHABLE, "the org tells no address that needs no browser")
    return address


@contextmanager
def open_photo(client: Client, object_name: str, record_id: str) -> Iterator[BodyAnswer]:
    """The photo of a record on the wire; costs one call.

    Raises OrgRefused with the code UNREACHABLE where it cannot be had without a browser; there is
    no use in more tries then.
    """
    address = _address(client, f"{client.base}/{RESOURCES[object_name].format(full_id(record_id))}")
    try:
        with client.stream_public(address) as answer:
            image = answer.content_type.startswith("image/")
            if answer.status != 200 or not image:
                kind = answer.content_type or "nothing"
                raise OrgRefused(
                    answer.status, UNREACHABLE, f"HTTP {answer.status} and {kind} came for it"
                )
            yield BodyAnswer(0, "", answer.content_type, answer)
    except (DamagedAnswer, SignInProblem, UsageProblem, Transient) as fault:
        raise OrgRefused(0, UNREACHABLE, str(fault)) from fault
