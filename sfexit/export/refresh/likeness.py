"""Whether rows with the same stamp can be expected to hold the values that the bag before has.

Not where a field became another one by the same name: a field that is converted keeps its name, and
its rows keep their stamps (Salesforce Help, "Notes on Changing Custom Field Types"); nor where this
user gets to see values altered, or did so when the bag before was made.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sfexit.archive import layout, sealing
from sfexit.archive.earlier import Earlier
from sfexit.catalog import Description, Field
from sfexit.export.means import Means
from sfexit.preflight import Sight
from sfexit.preflight.sight import UNKNOWN
from sfexit.salesforce import describe as describing

# Blind spots by which values come altered: classic encryption, and personal data of outside users.
_ALTERED = frozenset({"masked", "concealed"})
_ENCRYPTED = "encryptedstring"


def other_values(
    means: Means,
    earlier: Earlier,
    description: Description,
    columns: Sequence[str],
    seen: Sight | None,
    sight: Callable[[], Sight],
) -> str:
    """Why rows that were not stamped anew may hold other values than before; empty: they do not.

    `seen` is what the user saw when the bag before was made, `sight` gives what he sees now, and is
    asked only where it matters.
    """
    relative = layout.describe_path(means.names[description.name])
    known = earlier.file(relative)
    if known is None or known[0] != means.sha256(relative):
        stored = sealing.stored_file(earlier.index, earlier.bag, relative)
        if stored is None:
            return "its fields as they were before are not known"
        others = altered(describing.parse_description(stored), description, columns)
        if others:
            return f"fields of another kind than before: {', '.join(others)}"
    fields = (description.field(name) for name in columns)
    encrypted = any(field is not None and field.type == _ENCRYPTED for field in fields)
    if encrypted or description.name == "User":
        return _other_eyes(seen, sight(), description.name)
    return ""


def altered(before: Description, now: Description, columns: Sequence[str]) -> list[str]:
    """Columns whose field is of another kind than before. Pure."""
    return [name for name in columns if _kind(before.field(name)) != _kind(now.field(name))]


def _kind(field: Field | None) -> tuple[object, ...]:
    if field is None:
        return ()
    return (field.type, field.length, field.precision, field.scale, field.digits, field.calculated)


def _other_eyes(before: Sight | None, now: Sight, name: str) -> str:
    if before is None:
        return "it is not known in which form its values came before"
    then, here = (
        {(one.kind, one.field, one.certainty) for one in sight.of(name) if one.kind in _ALTERED}
        for sight in (before, now)
    )
    if then != here or any(certainty == UNKNOWN for _, _, certainty in then):
        return "some of its values come in another form to this user than before"
    return ""
