"""What an offline verification came to."""

from __future__ import annotations

from typing import Any

from sfexit.redaction import printable
from sfexit.reports import findings, findings_pdf, html
from sfexit.reports.figures import size
from sfexit.verify.codes import Level
from sfexit.verify.offline import Offline

SCHEMA = "sfexit-verify-offline/1"

_MEANS = {
    Level.QUICK: "names, sizes, seal and sums; the files themselves were not read",
    Level.NORMAL: "names, sums, seal, and the digest of every file",
    Level.DEEP: "everything: every file, every row, every id",
}


def scope(told: Offline) -> str:
    """How far this verification looked, in words."""
    number, of = told.part
    part = "" if of == 1 else f"; part {number} of {of} only, and no ids across objects"
    return _MEANS[told.level] + part


def document(told: Offline) -> dict[str, Any]:
    """The result for programs; stable within `sfexit-verify-offline/1`."""
    return {
        "schema": SCHEMA,
        "bag": str(told.bag),
        "organization": told.organization,
        "organization_id": told.org_id,
        "generation": told.generation,
        "api_version": told.api_version,
        "sealed": told.sealed,
        "root_digest": told.root_digest,
        "signing_key": told.fingerprint,
        "signature": told.signature,
        "level": told.level.value,
        "part": list(told.part),
        "scope": scope(told),
        **findings.judgement(told.judgement),
        "findings_not_listed": told.more,
        "relations": [
            {
                "object": one.object,
                "field": one.field,
                "different_ids": one.distinct,
                "found": one.found,
                "explained": one.explained,
                "open": one.open,
                "examples": one.examples,
            }
            for one in told.relations
        ],
        "files": told.files,
        "bytes": told.bytes,
        "rows": told.rows,
        "objects": told.objects,
        "started": told.started.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "seconds": round(told.seconds, 2),
    }


def facts(told: Offline) -> list[tuple[str, str]]:
    """What was verified and how, name by name."""
    looked = f"{told.files:,} files, {size(told.bytes)}"
    looked += (
        f", {told.rows:,} rows of {told.objects:,} objects" if told.level is Level.DEEP else ""
    )
    return [
        ("Archive", str(told.bag)),
        ("Org", f"{told.organization} ({told.org_id}), sealed {told.sealed}"),
        ("Digest", told.root_digest or "none"),
        ("Signed", f"{told.fingerprint or 'by no readable key'}; {told.signature}"),
        ("Looked at", scope(told)),
        ("Read", f"{looked}, in {told.seconds:,.1f} s"),
    ]


def summary(told: Offline) -> list[str]:
    """The result for people, a line each, without the verdict: see `headline`."""
    said = [f"{name:<10} {printable(text, 300)}" for name, text in facts(told)]
    said += ["", *findings.lines(told.judgement)] if told.judgement.findings else []
    return said


def headline(told: Offline) -> str:
    """The verdict in one line, never without how far it looked."""
    title = told.judgement.title
    if told.judgement.verdict not in findings.GOOD:
        return title
    level = "" if told.level is Level.DEEP else f", as far as a {told.level.value} look goes"
    part = "" if told.part == (1, 1) else f", in part {told.part[0]} of {told.part[1]}"
    who = "; signer unknown (--expect-key)" if "unknown" in told.signature else ""
    return f"{title}{level}{part}{who}"


def page(told: Offline) -> str:
    """The result as one HTML file."""
    name = told.organization or told.org_id or "an archive"
    tone = "calm" if told.judgement.verdict in findings.GOOD else "alarm"
    parts = [
        f"<h1>{html.text('Verification of ' + name)}</h1>",
        f'<p class="small">{html.text(f"{told.started:%Y-%m-%d %H:%M} UTC, the archive against itself; it says nothing about the org")}</p>',  # noqa: E501
        f'<p class="{tone}">{html.prose(headline(told))}</p>',
        html.table(("", ""), facts(told)),
        *findings.section(told.judgement),
    ]
    if told.relations:
        parts += [
            "<h2>Lookups</h2>",
            html.table(
                ("Relation", "Different ids", "Found here", "Not here, and why", "Open"),
                [
                    (f"{one.object}.{one.field}", one.distinct, one.found,
                     "; ".join(f"{n:,} {why}" for why, n in sorted(one.explained.items())),
                     one.open)
                    for one in told.relations
                ],
            ),
        ]  # fmt: skip
    return html.page(f"Verification of {name}", "\n".join(parts))


def pdf(told: Offline) -> bytes:
    """The result on paper."""
    name = told.organization or told.org_id or "an archive"
    when = ("When", f"{told.started:%Y-%m-%d %H:%M} UTC; it says nothing about the org")
    return findings_pdf.document(
        f"Verification of {name}", headline(told), [when, *facts(told)], told.judgement
    )
