"""What the org holds: its objects and their fields.

The answers are returned verbatim too: they are evidence of what this user could see on that day.
Objects and fields that the user may not read are absent from them without a word ("Describe
Global"), which other checks must find.
"""

from __future__ import annotations

import json
import re
import sys
from typing import Any

from sfexit.catalog import ChildRelationship, Description, Field, ObjectEntry
from sfexit.errors import DamagedAnswer, UsageProblem
from sfexit.redaction import printable
from sfexit.salesforce.client import Client

API_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,79}")


def check_api_name(name: str) -> str:
    """`name`, if it can be the API name of an object or field. Raises UsageProblem."""
    if not API_NAME.fullmatch(name):
        raise UsageProblem(f"{printable(name, 90)!r} is not the API name of an object.")
    return name


def describe_global(client: Client) -> tuple[bytes, tuple[ObjectEntry, ...]]:
    """All objects this user sees: the answer verbatim, and as data in the org's order."""
    body = client.get_bytes(f"{client.base}/sobjects")
    return body, parse_global(body)


def parse_global(body: bytes) -> tuple[ObjectEntry, ...]:
    """A describeGlobal answer as data. Raises DamagedAnswer.

    Names are as the org gave them; one that is no API name must not reach a query or a path.
    """
    try:
        answer = json.loads(body.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        raise DamagedAnswer("The org's list of objects is not whole JSON.") from None
    listed = answer.get("sobjects") if isinstance(answer, dict) else None
    if not isinstance(listed, list):
        raise DamagedAnswer("The org's list of objects is not a list.")
    if not all(isinstance(item, dict) and isinstance(item.get("name"), str) for item in listed):
        raise DamagedAnswer("The org's list of objects has an entry without a name.")
    return tuple(_object_entry(item) for item in listed)


def describe(client: Client, name: str) -> tuple[bytes, Description]:
    """One object with its fields: the answer verbatim, and as data.

    Raises OrgRefused (404 NOT_FOUND when this user does not see it), UsageProblem for a name
    that cannot be one.
    """
    body = client.get_bytes(f"{client.base}/sobjects/{check_api_name(name)}/describe")
    return body, parse_description(body)


def _loaded(body: bytes) -> Any:
    try:
        return json.loads(body.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        raise DamagedAnswer("The description of an object is not whole JSON.") from None


def child_relationships(body: bytes) -> tuple[ChildRelationship, ...]:
    """What a describe answer tells of objects that point at this one. Raises DamagedAnswer."""
    answer = _loaded(body)
    return _children(answer.get("childRelationships") if isinstance(answer, dict) else None)


def parse_description(body: bytes) -> Description:
    """A describe answer as data. Raises DamagedAnswer."""
    answer = _loaded(body)
    if not isinstance(answer, dict) or not isinstance(answer.get("fields"), list):
        raise DamagedAnswer("The description of an object has no list of fields.")
    fields = []
    for item in answer["fields"]:
        field_name = item.get("name") if isinstance(item, dict) else None
        if not isinstance(field_name, str) or not API_NAME.fullmatch(field_name):
            raise DamagedAnswer("The description of an object holds a field without a usable name.")
        fields.append(_field(item))
    name = answer.get("name")
    if not isinstance(name, str) or not API_NAME.fullmatch(name):
        raise DamagedAnswer("The description of an object does not name it.")
    return Description(
        name=name,
        label=_text(answer, "label"),
        key_prefix=_text_or_none(answer, "keyPrefix"),
        fields=tuple(fields),
        supported_scopes=tuple(
            scope["name"]
            for scope in _list(answer, "supportedScopes")
            if isinstance(scope, dict) and isinstance(scope.get("name"), str)
        ),
        custom=_flag(answer, "custom"),
        custom_setting=_flag(answer, "customSetting"),
        queryable=_flag(answer, "queryable"),
        createable=_flag(answer, "createable"),
        updateable=_flag(answer, "updateable"),
        deletable=_flag(answer, "deletable"),
        deprecated=_flag(answer, "deprecatedAndHidden"),
    )


# Left out of every SELECT, by type and never by `compoundFieldName`: that one marks the parts of
# a compound, and Account.Name, which names itself and is plain text.
_NOT_SELECTED = {
    "base64": "holds a file, which is exported as a file",
    "address": "is a compound; its parts are exported as fields of their own",
    "location": "is a compound; its parts are exported as fields of their own",
}

# Bulk API 2.0 cannot write these as CSV ("Cannot serialize value … in CSV format").
_NOT_IN_BULK = frozenset({"complexvalue", "json", "datacategorygroupreference", "junctionidlist"})
_SOAP_TYPES_NOT_IN_BULK = ("tns:json", "urn:json", "urn:searchlayout")


def selectable(
    description: Description,
) -> tuple[tuple[Field, ...], tuple[tuple[Field, str], ...]]:
    """The fields to select, in order, and those left out, each with the reason."""
    chosen = []
    left_out = []
    for field in description.fields:
        reason = _NOT_SELECTED.get(field.type.lower())
        if reason is None:
            chosen.append(field)
        else:
            left_out.append((field, reason))
    return tuple(chosen), tuple(left_out)


def bulk_refuses(description: Description) -> str | None:
    """Why Bulk API 2.0 cannot read this object, by its fields; None if it probably can."""
    for field in description.fields:
        soap_type = field.soap_type.lower()
        if field.type.lower() in _NOT_IN_BULK or soap_type.startswith(_SOAP_TYPES_NOT_IN_BULK):
            kind = field.type if field.type.lower() in _NOT_IN_BULK else field.soap_type
            return f"field {field.name} is of type {printable(kind, 60)}, which CSV cannot hold"
    return None


def _object_entry(item: dict[str, Any]) -> ObjectEntry:
    return ObjectEntry(
        name=item["name"],
        label=_text(item, "label"),
        key_prefix=_text_or_none(item, "keyPrefix"),
        queryable=_flag(item, "queryable"),
        createable=_flag(item, "createable"),
        updateable=_flag(item, "updateable"),
        deletable=_flag(item, "deletable"),
        layoutable=_flag(item, "layoutable"),
        custom=_flag(item, "custom"),
        custom_setting=_flag(item, "customSetting"),
        deprecated=_flag(item, "deprecatedAndHidden"),
        associate_entity_type=_text_or_none(item, "associateEntityType"),
        associate_parent_entity=_text_or_none(item, "associateParentEntity"),
    )


def _field(item: dict[str, Any]) -> Field:
    return Field(
        name=item["name"],
        label=_text(item, "label"),
        type=sys.intern(_text(item, "type")),
        soap_type=sys.intern(_text(item, "soapType")),
        length=_number(item, "length"),
        precision=_number(item, "precision"),
        scale=_number(item, "scale"),
        digits=_number(item, "digits"),
        reference_to=tuple(name for name in _list(item, "referenceTo") if isinstance(name, str)),
        relationship_name=_text_or_none(item, "relationshipName"),
        extra_type_info=_text_or_none(item, "extraTypeInfo"),
        formula=_text_or_none(item, "calculatedFormula"),
        picklist_values=tuple(
            value["value"]
            for value in _list(item, "picklistValues")
            if isinstance(value, dict) and isinstance(value.get("value"), str)
        ),
        calculated=_flag(item, "calculated"),
        custom=_flag(item, "custom"),
        filterable=_flag(item, "filterable"),
        sortable=_flag(item, "sortable"),
        nillable=_flag(item, "nillable"),
        unique=_flag(item, "unique"),
        createable=_flag(item, "createable"),
        updateable=_flag(item, "updateable"),
        deprecated=_flag(item, "deprecatedAndHidden"),
    )


def _children(listed: Any) -> tuple[ChildRelationship, ...]:
    return tuple(
        ChildRelationship(
            child=item["childSObject"],
            field=item["field"],
            name=_text_or_none(item, "relationshipName"),
        )
        for item in (listed if isinstance(listed, list) else [])
        if isinstance(item, dict)
        and isinstance(item.get("childSObject"), str)
        and isinstance(item.get("field"), str)
    )


def _text(item: dict[str, Any], key: str) -> str:
    value = item.get(key)
    return value if isinstance(value, str) else ""


def _text_or_none(item: dict[str, Any], key: str) -> str | None:
    return _text(item, key) or None


def _flag(item: dict[str, Any], key: str) -> bool:
    return item.get(key) is True


def _number(item: dict[str, Any], key: str) -> int:
    value = item.get(key)
    return value if isinstance(value, int) and not isinstance(value, bool) else 0


def _list(item: dict[str, Any], key: str) -> list[Any]:
    value = item.get(key)
    return value if isinstance(value, list) else []
