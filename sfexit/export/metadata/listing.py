"""What metadata the org has, by its own lists."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, astuple, dataclass
from typing import Any

from sfexit.errors import OrgRefused, Transient
from sfexit.redaction import printable
from sfexit.salesforce import metadata_api
from sfexit.salesforce.client import Client
from sfexit.salesforce.metadata_api import MOST_QUERIES, Component, MetadataType

SCHEMA = "sfexit-metadata-list/1"
_CUSTOM = ("__c", "__b", "__x", "__mdt", "__kav", "__e")
# Reports and templates that lie in no folder of their own; listMetadata takes the name, though no
# list of folders has it ("ListMetadataQuery").
UNFILED = {"Report": "unfiled$public", "EmailTemplate": "unfiled$public"}


@dataclass(frozen=True)
class NotListed:
    """A type, or a folder of it, whose components the org would not list."""

    type: str
    folder: str
    reason: str


@dataclass(frozen=True)
class Listed:
    """Everything the org names. `refused`: its words when it lists no metadata at all, `passing`
    when that was a fault of the org or the way and no refusal."""

    types: tuple[MetadataType, ...] = ()
    components: tuple[Component, ...] = ()
    not_listed: tuple[NotListed, ...] = ()
    refused: str = ""
    passing: bool = False

    def as_json(self) -> dict[str, Any]:
        """The form in which it is stored; stable within `sfexit-metadata-list/1`."""
        return {
            "schema": SCHEMA,
            "refused": self.refused,
            "passing": self.passing,
            "types": [asdict(one) for one in self.types],
            "not_listed": [asdict(one) for one in self.not_listed],
            "components": [astuple(one) for one in self.components],
        }

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Listed:
        """Back from the stored form. Raises ValueError for anything else."""
        if document.get("schema") != SCHEMA:
            raise ValueError(f"not a document of the kind {SCHEMA}")
        return cls(
            types=tuple(
                MetadataType(**{**one, "children": tuple(one["children"])})
                for one in document["types"]
            ),
            components=tuple(Component(*one) for one in document["components"]),
            not_listed=tuple(NotListed(**one) for one in document["not_listed"]),
            refused=str(document["refused"]),
            passing=bool(document.get("passing", False)),
        )


def list_all(
    client: Client, go_on: Callable[[], None], insist: Callable[[Transient], None]
) -> Listed:
    """Ask the org for every type, every folder and every component.

    A type that it will not list does not keep the others from being listed: `insist` is told of
    its fault and raises when the org answers nothing at all any more. Raises what the client
    raises, but no OrgRefused.
    """
    try:
        types = metadata_api.describe(client)
    except OrgRefused as refusal:
        return Listed(refused=printable(str(refusal), 400))
    except Transient as fault:
        insist(fault)
        return Listed(refused=printable(str(fault), 400), passing=True)
    not_listed: list[NotListed] = []
    kinds = {one.folder_type: one for one in types if one.in_folder}
    folders: list[Component] = []
    for component in _each(client, [(name, "") for name in kinds], not_listed, go_on, insist):
        kind = kinds.get(component.type)
        if kind is not None:
            folders.append(_renamed(component, kind.name))
    queries = [(one.name, "") for one in types if not one.in_folder]
    queries += [(one.type, one.full_name) for one in folders]
    queries += [(one.name, UNFILED[one.name]) for one in types if one.name in UNFILED]
    found = {(one.type, one.full_name): one for one in folders}
    for component in _each(client, queries, not_listed, go_on, insist):
        found.setdefault((component.type, component.full_name), component)
    return Listed(
        types=types,
        components=tuple(found[key] for key in sorted(found)),
        not_listed=tuple(
            NotListed(kinds[one.type].name, one.folder, one.reason) if one.type in kinds else one
            for one in not_listed
        ),
    )


def custom_objects(components: Iterable[Component]) -> set[str]:
    """The custom objects among some components: another list of objects, with its own eyes.

    Standard objects are named by their describe; some of the metadata's names are no objects.
    """
    return {
        one.full_name
        for one in components
        if one.type == "CustomObject" and one.full_name.endswith(_CUSTOM)
    }


def _renamed(one: Component, kind: str) -> Component:
    """A folder as a retrieve names it: by the type whose components it holds."""
    rest = (one.file_name, one.namespace, one.state, one.modified, one.id)
    return Component(kind, one.full_name, *rest)


def _each(
    client: Client,
    queries: Sequence[tuple[str, str]],
    not_listed: list[NotListed],
    go_on: Callable[[], None],
    insist: Callable[[Transient], None],
) -> Iterator[Component]:
    """All components of all queries, a few queries a call; alone where a few were refused."""
    for at in range(0, len(queries), MOST_QUERIES):
        go_on()
        some = queries[at : at + MOST_QUERIES]
        try:
            yield from _named(metadata_api.list_components(client, some))
            continue
        except OrgRefused:
            pass  # one of them spoils the answer for all
        except Transient as fault:
            insist(fault)
        for query in some:
            go_on()
            try:
                yield from _named(metadata_api.list_components(client, [query]))
            except (OrgRefused, Transient) as fault:
                if isinstance(fault, Transient):
                    insist(fault)
                not_listed.append(NotListed(*query, printable(str(fault), 400)))


def _named(components: Iterable[Component]) -> Iterator[Component]:
    return (one for one in components if one.type and one.full_name)
