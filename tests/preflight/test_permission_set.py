"""The permission set: what it holds, what it never holds, and that its schema accepts it."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from dataclasses import replace

import pytest

from sfexit.catalog import ObjectEntry
from sfexit.preflight import BlindSpot, Permission, Sight, package_xml, permission_set_xml
from sfexit.preflight.needs import NEEDS, columns, with_dependencies
from sfexit.preflight.permission_set import NAME, NAME_MODIFY
from sfexit.preflight.sight import HiddenObject

SPACE = "{http://soap.sforce.com/2006/04/metadata}"
#: Metadata API guide, "PermissionSet"; a type's schema is a sequence in this, alphabetical, order.
TOP = (
    "agentAccesses", "applicationVisibilities", "classAccesses", "customMetadataTypeAccesses",
    "customPermissions", "customSettingAccesses", "description", "emailRoutingAddressAccesses",
    "externalCredentialPrincipalAccesses", "externalDataSourceAccesses", "fieldPermissions",
    "flowAccesses", "hasActivationRequired", "label", "license", "objectPermissions",
    "pageAccesses", "recordTypeVisibilities", "servicePresenceStatusAccesses", "tabSettings",
    "userPermissions",
)  # fmt: skip
PARTS = {
    "objectPermissions": (
        "allowCreate", "allowDelete", "allowEdit", "allowRead", "modifyAllRecords", "object",
        "viewAllFields", "viewAllRecords",
    ),
    "userPermissions": ("enabled", "name"),
    "customMetadataTypeAccesses": ("enabled", "name"),
    "customSettingAccesses": ("enabled", "name"),
}  # fmt: skip
EVERY = frozenset(name.removeprefix("Permissions") for name in columns())
#: Words in names of permissions that change something. The one exception lists messages too.
CHANGING = ("Modify", "Edit", "Delete", "Create", "Transfer", "Author", "Customize", "Manage")
EXCEPTIONS = {"ManagePvtRptsAndDashbds", "ManageChatterMessages"}


def sight(**more: object) -> Sight:
    permissions = tuple(
        Permission(n.api_name, n.label, n.shows, n.objects, n.kind, "missing", "") for n in NEEDS
    )
    given: dict[str, object] = {
        "user_id": "005", "permissions": permissions, "blind_spots": (), "known_permissions": EVERY,
    }  # fmt: skip
    return Sight(**{**given, **more})  # type: ignore[arg-type]


def hidden(name: str, permission: str = "View All Data") -> dict[str, object]:
    spot = BlindSpot("object_hidden", name, "", "", permission, "do", "", "certain")
    line = HiddenObject(name, name, True, "not_exported", "", "", "do")
    return {"blind_spots": (spot,), "hidden_objects": (line,)}


def parsed(one: Sight, **more: bool) -> ElementTree.Element:
    root = ElementTree.fromstring(permission_set_xml(one, (), **more))
    assert root.tag == f"{SPACE}PermissionSet"
    tags = [child.tag.removeprefix(SPACE) for child in root]
    assert tags == sorted(tags, key=TOP.index), "the schema is a sequence"
    for child in root:
        allowed = PARTS.get(child.tag.removeprefix(SPACE), ())
        inner = [part.tag.removeprefix(SPACE) for part in child]
        assert inner == sorted(inner, key=allowed.index)
        assert len(set(inner)) == len(inner)
    return root


def names(root: ElementTree.Element, tag: str, part: str) -> list[str]:
    return [str(one.findtext(SPACE + part)) for one in root.iter(SPACE + tag)]


def test_reads_everything_and_changes_nothing() -> None:
    held = names(parsed(sight()), "userPermissions", "name")
    assert held == sorted(set(held))
    for name in ("ApiEnabled", "ViewAllData", "ViewAllFieldsGlobal", "QueryAllFiles", "ViewSetup",
                 "ManagePvtRptsAndDashbds", "ViewEncryptedData"):  # fmt: skip
        assert name in held
    assert "QueryNonVetoedFiles" not in held
    assert not [n for n in held if n not in EXCEPTIONS and any(word in n for word in CHANGING)]


def test_fits_every_licence_and_lengths() -> None:
    root = parsed(sight())
    assert root.find(f"{SPACE}license") is None
    assert len(root.findtext(f"{SPACE}description") or "") <= 255
    assert len(root.findtext(f"{SPACE}label") or "") <= 80
    assert len(parsed(sight(), modify_all_data=True).findtext(f"{SPACE}description") or "") <= 255


def test_modify_all_data_is_a_choice_of_its_own() -> None:
    held = names(parsed(sight(), modify_all_data=True), "userPermissions", "name")
    assert "ModifyAllData" in held
    sneaky = sight(dependencies={"ViewAllData": ("ModifyAllData",)})
    assert "ModifyAllData" not in names(parsed(sneaky), "userPermissions", "name")


def test_what_the_org_lacks_is_left_out() -> None:
    """Metadata API: "Unknown user permission" refuses the whole deployment."""
    less = sight(known_permissions=EVERY - {"ViewDataLeakageEvents", "ViewUserPII"})
    held = names(parsed(less), "userPermissions", "name")
    assert "ViewAllData" in held
    assert not {"ViewDataLeakageEvents", "ViewUserPII"} & set(held)


def test_dependencies_of_the_org_are_followed_to_their_end() -> None:
    told = {"ViewAllData": ("ViewPublicReports",), "ViewPublicReports": ("ViewRoles",)}
    assert with_dependencies(["ViewAllData"], told) == (
        "ViewAllData", "ViewPublicReports", "ViewRoles",
    )  # fmt: skip
    assert with_dependencies(["A"], {"A": ("B",), "B": ("A",)}) == ("A", "B")


def test_hidden_custom_object_is_readable_and_no_more() -> None:
    [one] = parsed(sight(**hidden("Secret__c"))).iter(f"{SPACE}objectPermissions")
    told = {part.tag.removeprefix(SPACE): part.text for part in one}
    assert told == {
        "allowCreate": "false", "allowDelete": "false", "allowEdit": "false", "allowRead": "true",
        "modifyAllRecords": "false", "object": "Secret__c", "viewAllRecords": "true",
    }  # fmt: skip


@pytest.mark.parametrize("name", ["Quote", "Bad name__c", "X</object>__c"])
def test_objects_that_a_deployment_may_not_know_are_left_out(name: str) -> None:
    assert names(parsed(sight(**hidden(name))), "objectPermissions", "object") == []


def test_types_and_settings() -> None:
    root = parsed(sight(**hidden("Type__mdt", "Customize Application")))
    assert names(root, "customMetadataTypeAccesses", "name") == ["Type__mdt"]
    root = parsed(sight(**hidden("Setting__c", "View All Custom Settings")))
    assert names(root, "customSettingAccesses", "name") == ["Setting__c"]
    assert names(root, "objectPermissions", "object") == []


def test_without_view_all_fields_global_it_is_ticked_object_by_object() -> None:
    spot = BlindSpot("field_hidden", "Account", "Secret__c", "", "", "", "", "certain")
    whole = sight(blind_spots=(spot,))
    assert names(parsed(whole), "objectPermissions", "object") == []
    less = replace(whole, known_permissions=EVERY - {"ViewAllFieldsGlobal"})
    [one] = parsed(less).iter(f"{SPACE}objectPermissions")
    assert one.findtext(f"{SPACE}viewAllFields") == "true"
    assert one.findtext(f"{SPACE}allowRead") == "true"
    setting = ObjectEntry("Account", "", custom_setting=True)
    assert b"objectPermissions" not in permission_set_xml(less, [setting])


def test_manifest() -> None:
    for modify, name in ((False, NAME), (True, NAME_MODIFY)):
        root = ElementTree.fromstring(package_xml("66.0", modify_all_data=modify))
        assert [child.tag.removeprefix(SPACE) for child in root] == ["types", "version"]
        assert root.findtext(f"{SPACE}types/{SPACE}members") == name
        assert root.findtext(f"{SPACE}types/{SPACE}name") == "PermissionSet"
        assert root.findtext(f"{SPACE}version") == "66.0"
