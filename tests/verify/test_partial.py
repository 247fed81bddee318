"""Archives that hold less than everything, and say so, are intact all the same."""

from __future__ import annotations

from pathlib import Path

import pytest

from sfexit.archive import signing
from sfexit.export.plan import Selection
from sfexit.export.run import export
from sfexit.salesforce.client import Client
from sfexit.salesforce.login import credential_from_environment
from sfexit.simulated_org import SimulatedOrg, SimulatedUser, clerk, serve
from sfexit.simulated_org.catalogue import standard_objects
from sfexit.verify.codes import Level
from sfexit.verify.offline import Options, verify_offline
from sfexit.verify.verdict import Verdict

NAMES = {
    "Account", "Contact", "ContentDocument", "ContentVersion", "EntityDefinition",
    "EntityParticle", "FieldDefinition", "FieldPermissions", "ObjectPermissions", "Organization",
    "PermissionSet", "PermissionSetAssignment", "Profile", "TransactionSecurityPolicy", "User",
    "UserPermissionAccess",
}  # fmt: skip
SEES_LESS = {
    "no metadata": SimulatedUser("Reader", modify_all_data=False),
    "clerk": clerk(own_rows_only=("Account", "Contact"), hidden_fields={"Contact": ("Email",)}),
}
CHOICES = {
    "objects": Selection(objects=frozenset({"Account", "Contact"})),
    "exclude": Selection(exclude=frozenset({"Account", "ContentVersion"})),
    "files": Selection(files=False),
}


@pytest.mark.parametrize("what", [*SEES_LESS, *CHOICES])
def test_what_is_left_out_with_a_word_is_no_damage(what: str, tmp_path: Path) -> None:
    key = signing.load_or_create(tmp_path / "key")
    objects = [one for one in standard_objects() if one.name in NAMES]
    org = SimulatedOrg(seed=11, rows=300, objects=objects)
    user = SEES_LESS.get(what)
    token = org.sign_in(user) if user is not None else org.new_session()
    with serve(org) as server:
        told = {"SFEXIT_INSTANCE_URL": server.url, "SFEXIT_ACCESS_TOKEN": token}
        with Client(credential_from_environment(told)) as client:
            made = export(client, tmp_path / "home", key=lambda: key, selection=CHOICES.get(what))
    assert made.incomplete or what == "no metadata", "else this proves nothing"
    options = Options(level=Level.DEEP, expect_key=key.fingerprint, workers=1)
    judgement = verify_offline(tmp_path / "home", options).judgement
    assert judgement.verdict is Verdict.INTACT, judgement.findings
