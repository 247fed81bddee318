"""A permission set that shows an export everything and gives no right to change records.

Elements and their names: Metadata API guide, "PermissionSet". The schema of a metadata type is a
sequence in alphabetical order, which retrieved files keep too; so does this one. No `license`
element: the set then fits users of any licence.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from xml.sax.saxutils import escape

from sfexit.catalog import ObjectEntry
from sfexit.preflight.needs import HARMFUL, KNOWN_DEPENDENCIES, MODIFY, with_dependencies
from sfexit.preflight.sight import Sight
from sfexit.salesforce.describe import API_NAME

NAME = "sfexit_Export"
NAME_MODIFY = "sfexit_Export_Modify_All"
NAMESPACE = "http://soap.sforce.com/2006/04/metadata"

_DESCRIPTION = (
    "What sfexit needs to read everything in this org, and nothing more. It gives no right to "
    "change records. Assign it for the export, take it away afterwards."
)
_DESCRIPTION_MODIFY = (
    "What sfexit needs to read everything, with Modify All Data for private notes and attachments "
    "of others. Its holder can change everything: assign it for the export only."
)


def name_of(*, modify_all_data: bool) -> str:
    """The API name of the permission set."""
    return NAME_MODIFY if modify_all_data else NAME


def permission_set_xml(
    sight: Sight, entries: Sequence[ObjectEntry], *, modify_all_data: bool = False
) -> bytes:
    """The permission set for this org, as metadata.

    Whole for the user to export with, whatever other sets that user has. Permissions that this
    org does not have are left out, for a deployment would be refused. Objects are named only
    where View All Data may not reach: custom ones hidden from this user, and, in an org without
    View All Fields (Global), those with hidden fields.
    """
    parts = [
        *_types(sight),
        _text("description", _DESCRIPTION_MODIFY if modify_all_data else _DESCRIPTION),
        _text("hasActivationRequired", "false"),
        _text("label", "sfexit export" + (" with Modify All Data" if modify_all_data else "")),
        *_objects(sight, entries),
        *(
            _element("userPermissions", enabled="true", name=name)
            for name in user_permissions(sight, modify_all_data=modify_all_data)
        ),
    ]
    return _document("PermissionSet", parts)


def package_xml(api_version: str, *, modify_all_data: bool = False) -> bytes:
    """The manifest to deploy the permission set with."""
    member = name_of(modify_all_data=modify_all_data)
    return _document(
        "Package",
        [
            _element("types", members=member, name="PermissionSet"),
            _text("version", api_version),
        ],
    )


def user_permissions(sight: Sight, *, modify_all_data: bool = False) -> tuple[str, ...]:
    """The user permissions of the set by API name, with all that must be ticked beside them."""
    wanted = [
        one.api_name
        for one in sight.permissions
        if one.kind != HARMFUL and (one.kind != MODIFY or modify_all_data)
    ]
    if modify_all_data:
        wanted.append("ModifyAllData")
    dependencies = {**KNOWN_DEPENDENCIES, **dict(sight.dependencies)}
    names = with_dependencies(wanted, dependencies)
    if not modify_all_data:  # nothing may pull it in by the back door
        names = tuple(name for name in names if name != "ModifyAllData")
    if not sight.known_permissions:
        return names
    return tuple(name for name in names if name in sight.known_permissions)


def _types(sight: Sight) -> Iterable[str]:
    hidden = _usable(one.name for one in sight.hidden_objects if one.remedy)
    settings = {
        spot.object
        for spot in sight.blind_spots
        if spot.kind == "object_hidden" and spot.permission == "View All Custom Settings"
    }
    for name in hidden:
        if name.endswith("__mdt"):
            yield _element("customMetadataTypeAccesses", enabled="true", name=name)
    for name in _usable(settings):
        yield _element("customSettingAccesses", enabled="true", name=name)


def _objects(sight: Sight, entries: Sequence[ObjectEntry]) -> Iterable[str]:
    settings = {entry.name for entry in entries if entry.custom_setting}
    spots = [spot for spot in sight.blind_spots if spot.kind == "object_hidden"]
    hidden = {
        spot.object
        for spot in spots
        if spot.object.endswith("__c") and spot.permission != "View All Custom Settings"
    }
    by_object = sight.known_permissions and "ViewAllFieldsGlobal" not in sight.known_permissions
    with_fields = {
        spot.object for spot in sight.blind_spots if spot.kind == "field_hidden" and by_object
    }
    for name in _usable((hidden | with_fields) - settings):
        # View All Records needs Read, and none of the others (Object Reference,
        # ObjectPermissions).
        rights = {
            "allowCreate": "false",
            "allowDelete": "false",
            "allowEdit": "false",
            "allowRead": "true",
            "modifyAllRecords": "false",
            "object": name,
        }
        if name in with_fields:
            rights["viewAllFields"] = "true"  # API 63.0 and later
        yield _element("objectPermissions", **rights, viewAllRecords="true")


def _usable(names: Iterable[str]) -> list[str]:
    return sorted(name for name in names if API_NAME.fullmatch(name))


def _text(tag: str, value: str) -> str:
    return f"    <{tag}>{escape(value)}</{tag}>\n"


def _element(tag: str, **children: str) -> str:
    inner = "".join(f"        <{k}>{escape(v)}</{k}>\n" for k, v in children.items())
    return f"    <{tag}>\n{inner}    </{tag}>\n"


def _document(root: str, parts: Iterable[str]) -> bytes:
    body = "".join(parts)
    head = '<?xml version="1.0" encoding="UTF-8"?>\n'
    return f'{head}<{root} xmlns="{NAMESPACE}">\n{body}</{root}>\n'.encode()
