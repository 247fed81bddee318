"""What a verification against the org came to."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

from sfexit.redaction import printable
from sfexit.reports import findings, findings_pdf, html
from sfexit.reports.figures import size
from sfexit.verify.codes import Severity
from sfexit.verify.live.results import Live
from sfexit.verify.live.rows import REFRESH
from sfexit.verify.verdict import Verdict
from sfexit.verify.whole import Whole

SCHEMA = "sfexit-verify/1"


def document(told: Whole, proof: Path | None) -> dict[str, Any]:
    """The result for programs; stable within `sfexit-verify/1`. `proof`: where it was published."""
    live, offline = told.live, told.offline
    found: dict[str, Any] = {
        "schema": SCHEMA,
        "bag": str(offline.bag),
        "organization": offline.organization,
        "organization_id": offline.org_id,
        "generation": offline.generation,
        "api_version": offline.api_version,
        "sealed": offline.sealed,
        "root_digest": offline.root_digest,
        "signing_key": offline.fingerprint,
        "signature": offline.signature,
        "level": offline.level.value,
        **findings.judgement(told.judgement),
        "proof": str(proof) if proof is not None else None,
        "live": None,
    }
    if live is not None:
        found["live"] = {
            "user": live.username,
            "user_id": live.user_id,
            "permissions": list(live.permissions),
            "began": _time(live.began),
            "ended": _time(live.ended),
            "holds_until": _time(live.holds_until) if _safe(told) else None,
            "snapshot": [_time(live.snapshot_started), _time(live.snapshot_finished)],
            "statement": live.statement.words,
            "drawn": live.statement.drawn,
            "drawn_wrong": live.statement.wrong,
            "most_wrong_share": live.statement.most_wrong,
            "api_calls": live.calls,
            "api_calls_expected": live.expected.calls,
            "wire_bytes": live.wire_bytes,
            "wire_bytes_expected": live.expected.bytes,
            "seconds": round(live.seconds, 2),
            "taken_over": live.taken_over,
            "freeze": list(live.freeze.lines) if live.freeze is not None else None,
            "weekly_export": live.weekly.words if live.weekly is not None else None,
            "objects": [
                {
                    "object": one.object,
                    "asked": one.asked,
                    "way": one.way,
                    "org_rows": one.org_rows,
                    "archive_rows": one.bag_rows,
                    "missing": one.missing,
                    "extra": one.extra,
                    "stale": one.stale,
                    "newer_than_archive": one.newer,
                    "purged_since": one.purged,
                    "witnesses": dict(one.witnesses),
                }
                for one in live.compared
            ],
            "bodies": [
                {
                    "object": one.object,
                    "field": one.field,
                    "org": one.org,
                    "archive": one.archive,
                    "by_md5": one.by_md5,
                    "read_again": one.reread,
                }
                for one in live.bodies
            ],
            "configuration": {
                "components": live.configuration.population,
                "compared": live.configuration.compared,
                "files": live.configuration.files,
            },
        }
    return found


def _safe(told: Whole) -> bool:
    return told.judgement.verdict is Verdict.SAFE


def _time(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def facts(told: Whole) -> list[tuple[str, str]]:
    """What was verified and how, name by name."""
    live, offline = told.live, told.offline
    found = [
        ("Archive", str(offline.bag)),
        ("Org", f"{offline.organization} ({offline.org_id})"),
        ("Digest", offline.root_digest or "none"),
        ("Signed", f"{offline.fingerprint or 'by no readable key'}; {offline.signature}"),
    ]
    if live is None:
        return [*found, ("Live", "the org was not asked, because the archive itself is damaged")]
    rows = sum(max(one.org_rows, one.bag_rows) for one in live.compared if one.asked)
    equal = sum(one.equal for one in live.compared)
    found += [
        ("Records", f"{rows:,} compared by id and time stamp; {equal:,} of {len(live.compared):,} "
                    "objects hold the same in the org and here"),
        ("Values", live.statement.words),
        ("Taken", f"between {_time(live.snapshot_started)} and {_time(live.snapshot_finished)}"),
        ("Asked", f"by {live.username}, {_time(live.began)} to {_time(live.ended)}; {live.calls:,} "
                  f"API calls, {size(live.wire_bytes)}, {live.seconds:,.0f} s"),
    ]  # fmt: skip
    if live.bodies:
        bodies = sum(one.org for one in live.bodies)
        found.append(("Bodies", f"{bodies:,} in the org; {sum(b.by_md5 for b in live.bodies):,} "
                                "compared by the org's MD5"))  # fmt: skip
    found.append(("Setup", live.configuration.words))
    if live.weekly is not None:
        found.append(("Weekly", live.weekly.words))
    if live.freeze is not None:
        found.append(("Since", "; ".join(live.freeze.lines)))
    if told.judgement.registered:
        count = len(told.judgement.registered)
        found.append(("Register", f"{count:,} objects are by design no data (the page lists them)"))
    return found


def summary(told: Whole) -> list[str]:
    """The result for people, a line each, without the verdict: see `headline`."""
    said = [f"{name:<10} {printable(text, 400)}" for name, text in facts(told)]
    if told.judgement.findings:
        said += ["", *findings.lines(told.judgement)]
    return said


def headline(told: Whole) -> str:
    """The verdict in one line, and until when it holds."""
    if _safe(told) and told.live is not None:
        return (
            f"{told.judgement.title}: the archive holds what the org holds. This holds until "
            f"{told.live.holds_until:%Y-%m-%d %H:%M} UTC, if nobody changes anything"
        )
    if told.judgement.verdict is Verdict.UNKNOWN:
        return f"{told.judgement.title}: a check could not be made; do not cancel yet"
    counting = [one for one in told.judgement.findings if one.severity is Severity.DAMAGE]
    if counting and all(one.remedy == REFRESH for one in counting):
        return f"{told.judgement.title}: the org changed since the export; refresh, do not cancel"
    return f"{told.judgement.title}: do not cancel"


def page(told: Whole) -> str:
    """The result as one HTML file."""
    name = told.offline.organization or told.offline.org_id or "an archive"
    tone = "calm" if _safe(told) else "alarm"
    parts = [
        f"<h1>{html.text('Verification of ' + name)}</h1>",
        f'<p class="{tone}">{html.prose(headline(told))}</p>',
        html.table(("", ""), facts(told)),
        *findings.section(told.judgement),
    ]
    if told.live is not None:
        parts += ["<h2>Objects</h2>", _objects(told.live)]
    return html.page(f"Verification of {name}", "\n".join(parts))


def _objects(live: Live) -> str:
    rows = [
        (one.object, one.org_rows, one.bag_rows, one.missing, one.extra, one.stale, one.way or
         "not asked", "; ".join(f"{k} {n:,}" for k, n in one.witnesses.items()))
        for one in live.compared
    ]  # fmt: skip
    heads = ("Object", "In the org", "In the archive", "Missing", "Extra", "Stale", "Asked for",
             "Witnesses")  # fmt: skip
    return html.table(heads, rows)


def pdf(told: Whole) -> bytes:
    """The result on paper."""
    name = told.offline.organization or told.offline.org_id or "an archive"
    return findings_pdf.document(
        f"Verification of {name}", headline(told), facts(told), told.judgement
    )
