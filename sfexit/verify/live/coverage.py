"""Objects and fields: is everything that the org names in the archive, or explained? Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sfexit.redaction import printable
from sfexit.verify import register
from sfexit.verify.finding import Finding, not_made
from sfexit.verify.live.archived import Archived
from sfexit.verify.live.schema import BASE64, COMPOUND, Named, Shape
from sfexit.verify.verdict import RegisterEntry

OBJECTS, FIELDS, SIGHT = "objects", "fields", "sight"

HERE = frozenset({"exported", "empty"})  # outcomes whose rows are asked for
_NO_DATA = frozenset({"no_data", "covered"})
_BLIND = frozenset({"certain", "likely"})


@dataclass(frozen=True)
class Objects:
    """Which objects must be compared row by row, and what is to be said of the others."""

    to_compare: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()
    registered: tuple[RegisterEntry, ...] = ()
    looked_at: int = 0


def objects(
    ledger: Mapping[str, Archived], named: Named, *, metadata_here: bool = False
) -> Objects:
    """Every object of the org against the ledger's lines, and every line against the org.

    Two lists of the org are taken together: describeGlobal, which leaves out what this user
    cannot see, and EntityDefinition, which does not.
    """
    findings: list[Finding] = []
    entries: list[RegisterEntry] = []
    compare: list[str] = []
    for name in sorted({*named.visible, *named.defined}):
        line = ledger.get(name)
        entry = register.entry(name, queryable=named.queryable(name), metadata_here=metadata_here)
        if line is None:
            findings.append(_unknown(name, named))
            entries += [entry] if entry else []
        elif line.outcome in HERE or line.outcome == "failed":
            if name in named.visible and (named.visible[name] or line.rows):
                compare.append(name)
            elif line.outcome != "empty" or entry is None:
                why = "this user cannot see the object, so its records cannot be compared"
                findings.append(not_made(OBJECTS, why, object=name, remedy=_see(name)))
                entries += [entry] if entry and not line.rows else []
            if line.outcome == "failed":
                findings.append(_incomplete(line))
        else:
            findings.append(_left_out(line, entry is not None))
            entries += [entry] if entry else []
        if line is not None and line.outcome in HERE and line.remedy:
            findings.append(_incomplete(line))
    for name in sorted(set(ledger) - set(named.visible) - set(named.defined)):
        line = ledger[name]
        if line.outcome in HERE and line.rows:
            findings.append(
                not_made(
                    OBJECTS,
                    "the org no longer names the object: it was deleted, or is hidden from this "
                    "user, so its records cannot be compared",
                    object=name,
                    remedy=_see(name),
                )
            )
    if named.defined_unread:
        findings.append(
            not_made(
                OBJECTS,
                f"the list of all objects could not be read ({named.defined_unread}), so objects "
                "hidden from this user stay unknown",
                remedy="give the user View Setup and Configuration, then verify again",
            )
        )
    return Objects(
        tuple(compare),
        tuple(findings),
        tuple(entries),
        len({*named.visible, *named.defined}),
    )


def _see(name: str) -> str:
    return f"give the user read access to {printable(name, 80)}, then verify again"


def _unknown(name: str, named: Named) -> Finding:
    list_of = "describeGlobal" if name in named.visible else "Tooling EntityDefinition"
    return Finding(
        "object-unknown",
        OBJECTS,
        object=name,
        expected="a line in the ledger",
        found="none",
        witness=list_of,
        detail="the object is new in the org, or was left out",
    )


def _left_out(line: Archived, known: bool) -> Finding:
    claimed = line.outcome in _NO_DATA
    return Finding(
        "object-left-out",
        OBJECTS,
        object=line.name,
        expected="its records, or an entry of the register",
        found=f"{line.outcome}: {line.reason}",
        witness="data/ledger.csv",
        detail="" if known or not claimed else "the register does not say so",
        remedy=line.remedy,
    )


def _incomplete(line: Archived) -> Finding:
    return Finding(
        "object-incomplete",
        OBJECTS,
        object=line.name,
        expected="all of it",
        found=f"{line.outcome}: {line.reason}" if line.reason else line.outcome,
        witness="data/ledger.csv",
        remedy=line.remedy,
    )


# ---- fields --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Fields:
    """What is wrong with the columns of the objects."""

    findings: tuple[Finding, ...] = ()
    looked_at: int = 0
    gone: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def fields(
    ledger: Mapping[str, Archived],
    shapes: Mapping[str, Shape],
    defined: Mapping[str, set[str]],
    undefined: Mapping[str, str],
    undescribed: Mapping[str, str],
) -> Fields:
    """The columns of every object with rows against its describe and against FieldDefinition.

    Only what cannot stand in a table may be missing: bodies and compounds, whose parts have
    columns of their own. What FieldDefinition names and describe does not is hidden from this
    user: its values could be compared by nobody.
    """
    findings: list[Finding] = []
    gone: dict[str, tuple[str, ...]] = {}
    looked_at = 0
    for name, shape in sorted(shapes.items()):
        line = ledger[name]
        if not line.rows:
            continue
        looked_at += len(shape.fields)
        columns = set(line.columns)
        for one in shape.fields.values():
            if one.name not in columns and one.type not in COMPOUND and one.type != BASE64:
                findings.append(
                    Finding(
                        "field-left-out",
                        FIELDS,
                        object=name,
                        field=one.name,
                        expected="a column",
                        found=line.not_exported.get(one.name, "no column, and no reason given"),
                        witness="the org's describe of the object",
                    )
                )
        gone[name] = tuple(column for column in line.columns if column not in shape.fields)
        seen = {one.lower() for one in shape.fields}
        for hidden in sorted(defined.get(name, ())):
            if hidden.lower() not in seen and hidden not in columns:
                findings.append(
                    Finding(
                        "blind-spot",
                        FIELDS,
                        object=name,
                        field=hidden,
                        expected="a field that this user can read",
                        found="hidden from this user",
                        witness="FieldDefinition names it, describe does not",
                        remedy="give the user View All Fields (Global), export again, then verify",
                    )
                )
        for why in (undefined.get(name),):
            if why:
                findings.append(
                    not_made(FIELDS, f"hidden fields stay unknown: {why}", object=name,
                             remedy="give the user View Setup and Configuration, then verify again")
                )  # fmt: skip
    for name, why in sorted(undescribed.items()):
        findings.append(not_made(FIELDS, f"the org refused its describe: {why}", object=name))
    return Fields(tuple(findings), looked_at, {k: v for k, v in gone.items() if v})


# ---- whose eyes ----------------------------------------------------------------------------------

#: Without these, rows or values are hidden in silence: column of UserPermissionAccess, name in
#: Setup, and the objects that suffer (none: all). Object Reference, UserPermissionAccess; SOQL and
#: SOSL Reference, "Object Limits"; Object Reference, ContentDocument, Report, Dashboard.
NEEDED: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    ("PermissionsViewAllData", "View All Data", ()),
    ("PermissionsViewSetup", "View Setup and Configuration", ()),
    ("PermissionsQueryAllFiles", "Query All Files", ("ContentDocument", "ContentVersion")),
    (
        "PermissionsManagePvtRptsAndDashbds",
        "Manage All Private Reports and Dashboards",
        ("Report", "Dashboard"),
    ),
    ("PermissionsViewEncryptedData", "View Encrypted Data", ()),
)
#: Whoever holds this is given public files alone, without a word (Object Reference,
#: ContentDocument; Salesforce Help 004517924).
HARMFUL = ("PermissionsQueryNonVetoedFiles", "Query Non Vetoed Files",
           ("ContentDocument", "ContentVersion"))  # fmt: skip


def eyes(
    held: Mapping[str, Any], unread: str, compared: Iterable[str], *, masked: bool
) -> tuple[Finding, ...]:
    """What the user who verifies cannot see, whatever the export's user saw.

    `held`: the row of UserPermissionAccess. `masked`: the org has encrypted text fields.
    """
    names = set(compared)
    found = []
    for column, label, where in NEEDED:
        if where and not names.intersection(where):
            continue
        if column == "PermissionsViewEncryptedData" and not masked:
            continue
        if held.get(column) is True:
            continue
        remedy = f"sign in with a user that holds {label}, then verify again"
        if held.get(column) is False:
            found.append(
                Finding("blind-spot", SIGHT, object=label, expected="held by this user",
                        found="missing", witness="UserPermissionAccess", remedy=remedy)
            )  # fmt: skip
        else:
            why = unread or "the org does not say whether the user holds it"
            found.append(not_made(SIGHT, f"{label}: {why}", object=label, remedy=remedy))
    column, label, where = HARMFUL
    if held.get(column) is True and names.intersection(where):
        remedy = f"take {label} away from the user, then verify again"
        found.append(
            Finding("blind-spot", SIGHT, object=label, expected="not held by this user",
                    found="held: only public files are shown", witness="UserPermissionAccess",
                    remedy=remedy)
        )  # fmt: skip
    return tuple(found)


def exporting_eyes(sight: Mapping[str, Any] | None) -> tuple[Finding, ...]:
    """What the exporting user could not see of the org as a whole, as the archive itself tells.

    Blind spots of single objects stand in the ledger too, and count there.
    """
    if sight is None:
        return (not_made(SIGHT, "the archive does not say what its user could not see"),)
    spots = sight.get("blind_spots")
    found = []
    for spot in spots if isinstance(spots, list) else []:
        if not isinstance(spot, dict) or spot.get("object") or spot.get("certainty") not in _BLIND:
            continue
        found.append(
            Finding(
                "blind-spot",
                SIGHT,
                object=str(spot.get("kind", "")),
                found=str(spot.get("what", "")),
                witness="data/org/sight.json",
                remedy=str(spot.get("remedy", "")),
            )
        )
    return tuple(found)
