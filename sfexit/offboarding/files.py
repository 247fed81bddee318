"""Metadata files that name leavers: rewritten for an heir, deployed, and put back.

A step holds the whole file before and after. It is carried out only while the org has the file
exactly as it was planned, and taken back only while it is exactly as it was deployed, so that
nobody's edit is lost (Metadata API guide, deploy(): a file replaces what the org has).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from xml.parsers import expat
from xml.sax.saxutils import escape

from sfexit.offboarding.plan import Step
from sfexit.offboarding.retrieving import opened, retrieved
from sfexit.salesforce import deploying
from sfexit.salesforce.client import Client
from sfexit.salesforce.writing import Outcome

CONTENT = "content"
#: Files above this are left to people: a plan holds each of them twice.
MOST_BYTES = 1 << 20


def rewritten(
    content: bytes, names: Mapping[str, str], wanted: Callable[[str, str], bool]
) -> tuple[str, set[tuple[str, str]]]:
    """The file with other texts in elements that hold nothing but one of `names` (old → new),
    where `wanted` (the element's path with " > ", the old name) says so; and where that was.

    Everything else stays byte by byte. Raises ValueError for what is no UTF-8 XML.
    """
    found: set[tuple[str, str]] = set()
    places: list[tuple[int, int, str]] = []
    path: list[str] = []
    starts: list[int] = []
    leaf = [False]
    text: list[str] = []
    parser = expat.ParserCreate()
    parser.buffer_text = True

    def start(tag: str, _attributes: object) -> None:
        path.append(tag)
        starts.append(parser.CurrentByteIndex)
        leaf[-1] = False
        leaf.append(True)
        text.clear()

    def end(_tag: str) -> None:
        told = "".join(text).strip()
        text.clear()
        begin = content.index(b">", starts.pop()) + 1
        old = told if told in names else told.casefold()
        here = " > ".join(path[1:])
        if leaf.pop() and old in names and wanted(here, old):
            places.append((begin, parser.CurrentByteIndex, names[old]))
            found.add((here, old))
        path.pop()

    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.CharacterDataHandler = text.append
    try:
        parser.Parse(content, True)
    except expat.ExpatError as error:
        raise ValueError("no XML") from error
    out, at = [], 0
    for begin, stop, new in places:
        out += [content[at:begin], escape(new).encode()]
        at = stop
    return b"".join([*out, content[at:]]).decode(), found


def current(client: Client, steps: Sequence[Step]) -> dict[str, str]:
    """The files of these steps as the org has them now, by path; one that is gone is left out.

    Raises OrgRefused when the org does not retrieve, DamagedAnswer when its ZIP is none.
    """
    packed = retrieved(client, [(one.object, member(one.record_id)) for one in steps])
    wanted = {one.record_id for one in steps}
    found = {}
    with packed, opened(packed) as archive:
        for one in archive.infolist():
            name = one.filename.removeprefix("unpackaged/")
            if name in wanted and one.file_size <= 2 * MOST_BYTES:
                found[name] = archive.read(one).decode("utf-8", "replace")
    return found


def deployed(client: Client, step: Step) -> Outcome:
    """Deploy the file of a step: first as a check, then for good. Raises OutcomeUnknown."""
    content = {step.record_id: (step.after[CONTENT] or "").encode()}
    members = {step.object: [member(step.record_id)]}
    for check in (True, False):
        state = deploying.wait(client, deploying.deploy(client, content, members, check=check))
        if not state.success:
            told = "; ".join(state.problems) or state.status
            return Outcome(step.record_id, False, "DEPLOY_REFUSED", told)
    return Outcome(step.record_id, True)


def member(path: str) -> str:
    """The full name of the component in a file: workflows/Case.workflow holds Case."""
    return path.rpartition("/")[2].rpartition(".")[0]
