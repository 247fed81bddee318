"""What the running user cannot see of an org, before anything is read.

`look` asks and classifies; its result goes to reports, to the ledger and into the archive.
"""

from sfexit.preflight.drift import look_again
from sfexit.preflight.ledger import annotate, ledger_lines
from sfexit.preflight.looking import (
    look,
    look_closer,
    look_closer_within,
    not_looked,
    with_objects,
)
from sfexit.preflight.permission_set import package_xml, permission_set_xml
from sfexit.preflight.questions import Questions
from sfexit.preflight.rights import not_asked_again, rights_again
from sfexit.preflight.sight import BlindSpot, HiddenObject, Permission, Sight, refusals_for_strict

__all__ = [
    "BlindSpot",
    "HiddenObject",
    "Permission",
    "Questions",
    "Sight",
    "annotate",
    "ledger_lines",
    "look",
    "look_again",
    "look_closer",
    "look_closer_within",
    "not_asked_again",
    "not_looked",
    "package_xml",
    "permission_set_xml",
    "refusals_for_strict",
    "rights_again",
    "with_objects",
]
