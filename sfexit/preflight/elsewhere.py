"""Signs of data that lives outside the org's API, so that no export of the org can take it.

Only signs: each names the evidence that was seen. No sign is no proof of absence, and the
administrator answers for each place before the org is closed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sfexit.catalog import ObjectEntry
from sfexit.preflight.questions import Question, Questions, Reply, query, text
from sfexit.redaction import printable

SEEN, NOT_SEEN, UNKNOWN = "seen", "not seen", "unknown"


@dataclass(frozen=True)
class Place:
    """A place outside the org, how it shows itself inside, and what to do about it.

    `licences` is searched in names of licences in use, `namespaces` are of managed packages,
    `objects` are endings or beginnings of object names, `limits` are allowances of which some is
    used.
    """

    name: str
    holds: str
    action: str
    licences: str = ""
    namespaces: tuple[str, ...] = ()
    objects: str = ""
    limits: tuple[str, ...] = ()


@dataclass(frozen=True)
class Sign:
    """Whether a place shows itself. `evidence` says by what, or why it cannot be told."""

    place: str
    state: str
    evidence: tuple[str, ...]
    holds: str
    action: str


# Names of licences as Setup > Company Information lists them; namespaces as the packages'
# publishers document them. Patterns are searched, ignoring case.
PLACES: tuple[Place, ...] = (
    Place("Einstein Activity Capture",
          "e-mails and events captured from mailboxes; they stand in activity timelines and are no "
          "rows of the org",
          "take them from the mail system (Microsoft 365, Google Workspace), which keeps the "
          "originals",
          licences=r"activity capture|sales cloud einstein|salesforce inbox"),
    Place("Marketing Cloud Engagement", "subscribers, sends, journeys and content",
          "export it in Marketing Cloud itself; its contract is often one of its own",
          licences=r"marketing cloud(?! account)", namespaces=("et4ae5", "et4ae")),
    Place("Account Engagement (Pardot)", "prospects, visitor activities, forms, e-mail templates",
          "export it in Account Engagement (Prospects > Tools > CSV Export, and its API)",
          licences=r"pardot|account engagement|b2bma|b2b marketing", namespaces=("pi",),
          objects=r"^(Pardot|pi__)"),
    Place("CRM Analytics", "datasets, recipes, lenses and dashboards",
          "download each dataset and dashboard in Analytics Studio",
          licences=r"crm analytics|analytics cloud|einstein analytics|wave analytics|"
          r"tableau crm|revenue intelligence",
          limits=("AnalyticsExternalDataSizeMB", "DailyAnalyticsDataflowJobExecutions",
                  "DailyAnalyticsUploadedFilesSizeMB")),
    Place("Slack", "channels, messages, canvases and files",
          "export it in Slack (Settings > Import/Export Data)",
          licences=r"\bslack\b", namespaces=("slackv2", "slack"), objects=r"^Slack"),
    Place("Data 360 (Data Cloud)", "data lake and data model objects, segments, activations",
          "export it through Data 360's own query API or its data shares",
          licences=r"data cloud|data 360|customer data platform|\bcdp\b",
          objects=r"(__dlm|__dll)$"),
    Place("External objects (Salesforce Connect)", "rows that each read fetches from elsewhere",
          "export them from the system that holds them", licences=r"salesforce connect",
          objects=r"__x$"),
    Place("Commerce Cloud", "storefront catalogues, orders and customers of B2C Commerce",
          "export them in Business Manager", licences=r"b2c commerce|commerce cloud digital"),
    Place("Quip", "documents and spreadsheets", "export them in Quip", licences=r"\bquip\b",
          namespaces=("quip",)),
    Place("Own, Odaseva, Gearset and other backup services", "older copies of this org's data",
          "decide what becomes of the copies when their contract ends",
          namespaces=("OwnBackup", "ownbackup", "odaseva", "GRAX", "HDAPI", "spanning")),
    Place("Files kept by document services (Box, SharePoint, S3, DocuSign, Conga, Adobe Sign)",
          "documents that records only link to",
          "export them from the service; the org holds links",
          namespaces=("box", "NEILON", "dsfs", "dfsle", "dsfs_ext", "APXTConga4", "echosign_dev1",
                      "SDOC", "Drive", "cg4sp")),
    Place("Telephony and meeting recordings", "recordings and transcripts kept by the provider",
          "export them from the provider",
          licences=r"dialer|conversation insights|service cloud voice",
          namespaces=("Gong", "Gong__", "nvmcontactworld", "rcsfl", "dialpad", "talkdesk")),
)  # fmt: skip

_LICENCES = (
    ("UserLicense", ("MasterLabel", "Name", "UsedLicenses", "Status")),
    ("PermissionSetLicense", ("MasterLabel", "DeveloperName", "UsedLicenses", "Status")),
    ("PackageLicense", ("NamespacePrefix", "Status")),
    ("ExternalDataSource", ("DeveloperName", "MasterLabel", "Type")),
)
#: Objects to describe first, since their columns differ between orgs.
DESCRIBED = tuple(name for name, _ in _LICENCES)


@dataclass(frozen=True)
class Evidence:
    """What was asked and answered."""

    licences: Mapping[str, int | None]  # name → used; None: not told
    namespaces: frozenset[str]
    sources: tuple[str, ...]  # external data sources
    sandboxes: tuple[str, ...] | None
    refused: Mapping[str, str]  # what could not be asked, and why


def ask(
    questions: Questions, entries: Sequence[ObjectEntry], *, is_sandbox: bool = False
) -> Evidence:
    """Ask for licences, packages, external sources and sandboxes: two calls."""
    names = {entry.name for entry in entries}
    wanted = [(name, fields) for name, fields in _LICENCES if name in names]
    replies: dict[str, Reply] = {}
    questions.learn(name for name, _ in wanted)
    asked: list[Question] = []
    for name, fields in wanted:
        known = questions.descriptions.get(name)
        columns = [one for one in fields if known is None or known.has(one)] or ["Id"]
        asked.append(query(f"SELECT {','.join(columns)} FROM {name}"))  # noqa: S608
    for (name, _), reply in zip(wanted, questions.ask(asked) if asked else (), strict=True):
        replies[name] = questions.more(reply)
    refused = {name: _why(reply) for name, reply in replies.items() if not reply.ok}
    for name, _ in _LICENCES[:3]:
        if name not in names:
            refused[name] = "the object is not there for this user"
    licences: dict[str, int | None] = {}
    for name in ("UserLicense", "PermissionSetLicense"):
        for row in _rows(replies, name):
            used = row.get("UsedLicenses")
            label = text(row, "MasterLabel") or text(row, "Name") or text(row, "DeveloperName")
            if row.get("Status") != "Disabled" and used != 0:
                licences[printable(label, 120)] = used if isinstance(used, int) else None
    namespaces = {
        text(row, "NamespacePrefix")
        for row in _rows(replies, "PackageLicense")
        if row.get("Status") != "Expired"
    }
    namespaces |= {name.split("__")[0] for name in names if name.count("__") >= 2}
    sources = tuple(
        printable(f"{text(row, 'MasterLabel') or text(row, 'DeveloperName')} "
                  f"({text(row, 'Type')})", 120)
        for row in _rows(replies, "ExternalDataSource")
    )  # fmt: skip
    sandboxes = None
    if not is_sandbox:
        reply = questions.tooling("SELECT SandboxName, LicenseType FROM SandboxInfo")
        if reply.ok:
            sandboxes = tuple(printable(text(row, "SandboxName"), 60) for row in reply.rows)
        else:
            refused["SandboxInfo"] = _why(reply)
    else:
        sandboxes = ()
    return Evidence(licences, frozenset(namespaces - {""}), sources, sandboxes, refused)


def signs(
    evidence: Evidence, entries: Iterable[ObjectEntry], limits: Mapping[str, Any]
) -> tuple[Sign, ...]:
    """Every place with what was seen of it; those seen first. Pure."""
    names = [entry.name for entry in entries]
    found = [_sign(place, evidence, names, limits) for place in PLACES]
    found.append(_sandboxes(evidence))
    found.append(_connected(evidence))
    order = (SEEN, UNKNOWN, NOT_SEEN)
    return tuple(sorted(found, key=lambda sign: order.index(sign.state)))


def _sign(
    place: Place, evidence: Evidence, names: Sequence[str], limits: Mapping[str, Any]
) -> Sign:
    seen = []
    if place.licences:
        seen += [
            f"licence {name}: {f'{used:,} in use' if used is not None else 'use not told'}"
            for name, used in sorted(evidence.licences.items())
            if re.search(place.licences, name, re.IGNORECASE)
        ]
    seen += [
        f"managed package with the namespace {printable(name, 40)}"
        for name in sorted(evidence.namespaces.intersection(place.namespaces))
    ]
    if place.objects:
        fitting = [name for name in names if re.search(place.objects, name)]
        if fitting:
            some = ", ".join(printable(name, 60) for name in fitting[:3])
            seen.append(
                f"{len(fitting):,} object{'s' * (len(fitting) != 1)}: {some}"
                f"{' …' if len(fitting) > 3 else ''}"
            )
    for name in place.limits:
        used = _used(limits, name)
        if used:
            seen.append(f"{used:,} of the allowance {name} used")
    unknown = [
        f"{name} could not be read ({why})"
        for name, why in evidence.refused.items()
        if name in _needed(place)
    ]
    state = SEEN if seen else UNKNOWN if unknown else NOT_SEEN
    return Sign(place.name, state, tuple(seen or unknown), place.holds, place.action)


def _needed(place: Place) -> tuple[str, ...]:
    needed: list[str] = []
    if place.licences:
        needed += ["UserLicense", "PermissionSetLicense"]
    if place.namespaces:
        needed.append("PackageLicense")
    return tuple(needed)


def _sandboxes(evidence: Evidence) -> Sign:
    if evidence.sandboxes is None:
        why = evidence.refused.get("SandboxInfo", "not asked")
        state, seen = UNKNOWN, [f"SandboxInfo could not be read ({why})"]
    elif evidence.sandboxes:
        some = ", ".join(evidence.sandboxes[:5])
        state, seen = SEEN, [f"{len(evidence.sandboxes):,} sandboxes: {some}"]
    else:
        state, seen = NOT_SEEN, []
    return Sign(
        "Sandboxes",
        state,
        tuple(seen),
        "copies of this org, and whatever was made in them since; they go with the contract",
        "export each sandbox whose data you want to keep, by itself",
    )


def _connected(evidence: Evidence) -> Sign:
    why = evidence.refused.get("ExternalDataSource")
    if evidence.sources:
        seen: tuple[str, ...] = tuple(
            f"external data source {source}" for source in evidence.sources[:5]
        )
        state = SEEN
    else:
        seen = (f"ExternalDataSource could not be read ({why})",) if why else ()
        state = UNKNOWN if why else NOT_SEEN
    return Sign(
        "Connected storage (Files Connect, external data sources)",
        state,
        seen,
        "files and tables that stay in the other system; the org holds links to them",
        "export them from the system that holds them",
    )


def _used(limits: Mapping[str, Any], name: str) -> int:
    entry = limits.get(name)
    if not isinstance(entry, dict):
        return 0
    most, left = entry.get("Max"), entry.get("Remaining")
    return most - left if isinstance(most, int) and isinstance(left, int) and most > left else 0


def _why(reply: Reply) -> str:
    return reply.code or (f"HTTP {reply.status}" if reply.status else "no answer")


def _rows(replies: Mapping[str, Reply], name: str) -> list[dict[str, Any]]:
    reply = replies.get(name)
    return reply.rows if reply is not None and reply.ok else []
