"""Blockers that lie in metadata files: which of them a deployment lifts, and the step that does.

Approval processes are left to people: the steps of one that was ever active do not change by a
deployment (Metadata API guide, ApprovalProcess). So are sites, flows and connected apps.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from sfexit.offboarding import blockers
from sfexit.offboarding.files import CONTENT, rewritten
from sfexit.offboarding.flags import IN_FILES
from sfexit.offboarding.naming import Mention
from sfexit.offboarding.people import User
from sfexit.offboarding.plan import Blocker, Step
from sfexit.redaction import printable


def of_files(
    found: Sequence[Mention],
    content: Mapping[str, bytes],
    users: Mapping[str, User],
    heirs: Mapping[str, str],
    going: Sequence[str],
    lift: Collection[str],
    first: int,
) -> list[tuple[Mention, Step]]:
    """For each mention that is lifted, the step that does it: one for each file, in the wave of
    the first leaver whom it names. `going`: leavers in the order in which they leave; `first`:
    the number of the first step."""
    wanted = [
        one
        for one in found
        if blockers.code_of(one) in set(lift) & IN_FILES
        and one.file in content
        and one.user_id in going
        and heirs.get(one.user_id, "") in users
    ]
    out: list[tuple[Mention, Step]] = []
    number = first
    for file in sorted({one.file for one in wanted}):
        own = [one for one in wanted if one.file == file]
        step, done = _step(number, file, own, content[file], users, heirs, going)
        number += step is not None
        out += [(one, step) for one in own if step and (_place(one), one.user_id) in done]
    return out


def _place(one: Mention) -> str:
    return " > ".join(one.path)


def _step(
    number: int,
    file: str,
    own: Sequence[Mention],
    content: bytes,
    users: Mapping[str, User],
    heirs: Mapping[str, str],
    going: Sequence[str],
) -> tuple[Step | None, set[tuple[str, str]]]:
    """The step, and the places and users that it takes care of."""
    places = {(_place(one), one.user_id) for one in own}
    names: dict[str, str] = {}
    whose: dict[str, str] = {}
    for one in {one.user_id for one in own}:
        user, heir = users[one], users[heirs[one]]
        for old, new in ((user.username.casefold(), heir.username),
                         (user.email.casefold(), heir.email),
                         (user.id, heir.id), (user.id[:15], heir.id)):  # fmt: skip
            if old and new:
                names[old], whose[old] = new, one
    try:
        before = content.decode()
        after, hit = rewritten(content, names, lambda path, old: (path, whose[old]) in places)
    except ValueError:
        return None, set()
    if after == before:
        return None, set()
    path = file.removeprefix("unpackaged/")
    leaver = min((one.user_id for one in own), key=list(going).index)
    told = ", ".join(sorted({printable(users[one.user_id].username, 60) for one in own}))
    step = Step(
        f"blockers-{number}", "blockers", "deploy", leaver, own[0].type, path,
        {CONTENT: before}, {CONTENT: after}, f"Name successors instead of {told} in {path}",
    )  # fmt: skip
    return step, {(path, whose[old]) for path, old in hit}


def with_steps(found: Sequence[Blocker], lifted: Sequence[tuple[Mention, Step]]) -> list[Blocker]:
    """Blockers that know the step that lifts them."""
    steps = {blockers.key_of(mention): step.id for mention, step in lifted}
    return [
        replace(one, step=steps.get((one.code, one.user_id, one.evidence), one.step))
        for one in found
    ]
