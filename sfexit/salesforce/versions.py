"""Which API version to use: one number for a whole archive."""

from __future__ import annotations

import re
from collections.abc import Sequence

from sfexit.errors import DamagedAnswer, UsageProblem
from sfexit.redaction import printable

NEWEST_TESTED = 68.0  # the newest version that sfexit is tested with (Winter '27)
_VERSION = re.compile(r"\d{2,3}\.0")


def choose_version(
    listed: Sequence[str], pinned: str | None = None, newest_tested: float = NEWEST_TESTED
) -> str:
    """The API version to use, such as "66.0".

    `listed` are the versions the org offers. Without a pinned one, the newest that sfexit is
    tested with. Raises UsageProblem when the org does not offer a fitting one.
    """
    offered = sorted({version for version in listed if _VERSION.fullmatch(version)}, key=float)
    if not offered:
        raise DamagedAnswer("The org's list of API versions holds none.")
    span = f"{offered[0]} to {offered[-1]}"
    if pinned is not None:
        wanted = pinned.strip().removeprefix("v")
        wanted = wanted if "." in wanted else wanted + ".0"
        if wanted not in offered:
            raise UsageProblem(
                f"The org does not offer API version {printable(pinned, 20)}; it offers {span}."
            )
        return wanted
    fitting = [version for version in offered if float(version) <= newest_tested]
    if not fitting:
        raise UsageProblem(
            f"The org offers API versions {span}, all newer than the {newest_tested:.1f} that this "
            "sfexit is tested with; get a newer sfexit, or pin a version with --api-version."
        )
    return fitting[-1]
