"""The last gate and the final package: lines, documents and pages."""

from __future__ import annotations

import csv
import hashlib
import io
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from textwrap import wrap
from typing import Any

from sfexit.archive.ledger import LedgerLine
from sfexit.cancellation import records
from sfexit.cancellation.closing import CUTOVER, PLACE, Custody, Requirement
from sfexit.cancellation.situation import Situation
from sfexit.contract.laws import COUNSEL
from sfexit.redaction import printable
from sfexit.reports import html
from sfexit.reports.export import WORDS

SCHEMA = "sfexit-cancellation-final/1"
_WIDTH = 100
_TITLES = {"proof": "Proof", "offboarding": "Offboarding", PLACE: "Data that lives elsewhere",
           CUTOVER: "Cut-over"}  # fmt: skip

RUNBOOK = (
    "Say the day and hour of the freeze to everybody a week before, and name who decides.",
    "Switch over what leads into the org (the cut-over list), and see that nothing new arrives.",
    "Stop scheduled jobs, flows and imports: Setup > Scheduled Jobs, Flows, Data Import.",
    "Take the rights to create, edit and delete: a profile or a permission set for reading only, "
    "first for a pilot group, then for all; keep two administrators.",
    "End the sessions of all others (Setup > Session Management), so that the rights hold at once.",
    "Look at the setup audit trail and at records changed since the freeze: there should be none.",
    "Refresh the archive: sfexit export HOME. Then prove it: sfexit verify-backup HOME.",
    "Close: sfexit cancellation close HOME. Nothing is changed after that.",
    "If something is missing, thaw by giving the rights back, repair, and begin again at the "
    "freeze.",
)
CHECKING = (
    "Any day, with sfexit: sfexit verify-backup HOME --offline --deep --expect-key FINGERPRINT.",
    "Without sfexit: python3 data/tools/verify.py in the archive; sha256sum -c on the manifests; "
    "openssl, minisign or ssh-keygen for the signature (the archive's README says how).",
    "Tables are gzip-compressed CSV in UTF-8 below data/records; each has its schema beside it.",
    "Once a year: check every copy, and write down who did it.",
)


def document(told: Situation, points: Sequence[Requirement]) -> dict[str, Any]:
    """The gate for programs."""
    proof = told.standing.certificate if told.standing is not None else None
    return {
        "schema": SCHEMA,
        "today": told.today.isoformat(),
        "org_id": told.org_id or "",
        "contract": told.contract.number if told.contract else None,
        "open": [one.key for one in points if not one.met],
        "requirements": [
            {
                "key": one.key,
                "kind": one.kind,
                "title": one.title,
                "met": one.met,
                "evidence": list(one.evidence),
                "need": one.need,
            }
            for one in points
        ],
        "root_digest": proof.root_digest if proof else None,
        "certificate_made": proof.made.isoformat() if proof else None,
        "signing_key": proof.signing_key if proof else None,
    }


def refusal(points: Sequence[Requirement]) -> Iterator[str]:
    """What still stands against closing."""
    still = [one for one in points if not one.met]
    yield f"Not closed: {len(still)} of {len(points)} points are open. Nothing was written."
    for kind, title in _TITLES.items():
        mine = [one for one in still if one.kind == kind]
        if mine:
            yield ""
            yield title
        for one in mine:
            yield from _wrapped(f"- {one.key}: {one.title}", 2)
            for seen in one.evidence:
                yield from _wrapped(f"seen: {seen}", 6)
            yield from _wrapped(f"next: {one.need}", 6)


def _wrapped(text: str, indent: int) -> list[str]:
    return wrap(
        printable(text, 500), _WIDTH, initial_indent=" " * indent,
        subsequent_indent=" " * (indent + 2), break_long_words=False, break_on_hyphens=False,
    )  # fmt: skip


def points_table(points: Iterable[Requirement]) -> str:
    """Points as a table of a page."""
    return html.table(
        ("Point", "Met", "Evidence"),
        [(one.title, "yes" if one.met else "no", "; ".join(one.evidence)) for one in points],
    )


def ledger_summary(lines: Iterable[LedgerLine]) -> tuple[bytes, list[tuple[str, int, int]]]:
    """Objects and rows by outcome, and what is not wholly there: a CSV, and the counts."""
    objects: Counter[str] = Counter()
    rows: Counter[str] = Counter()
    missing = []
    for line in lines:
        objects[line.outcome] += 1
        rows[line.outcome] += line.rows or 0
        if line.incomplete:
            missing.append(line)
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(("outcome", "objects", "rows"))
    counts = [(outcome, objects[outcome], rows[outcome]) for outcome in sorted(objects)]
    writer.writerows(counts)
    writer.writerow(())
    writer.writerow(("object", "outcome", "reason"))
    for line in missing:
        writer.writerow((_cell(line.object), line.outcome, _cell(line.reason)))
    return out.getvalue().encode(), counts


def _cell(text: str) -> str:
    """Text that no spreadsheet takes for a formula."""
    clean = printable(text, 500)
    return f"'{clean}" if clean[:1] in "=+-@" else clean


def journals(told: Situation) -> list[tuple[str, str]]:
    """The digests of what was written down on the way: (path in the home, SHA-256)."""
    paths = [*told.offboarding.journals, records.path_of(told.home)]
    if told.archive is not None:
        paths.append(told.archive.folder / "data/evidence/journal.jsonl")
    found = []
    for path in paths:
        if path.is_file() and not path.is_symlink():
            with path.open("rb") as handle:
                digest = hashlib.file_digest(handle, "sha256").hexdigest()
            found.append((path.relative_to(told.home).as_posix(), digest))
    return found


def files(
    told: Situation,
    points: Sequence[Requirement],
    custody: Custody,
    lines: Iterable[LedgerLine],
) -> dict[str, bytes]:
    """Everything of the final package but the certificate, by file name."""
    summary, counts = ledger_summary(lines)
    digests = journals(told)
    return {
        "ledger-summary.csv": summary,
        "journals.sha256": "".join(f"{digest}  {path}\n" for path, digest in digests).encode(),
        "final.html": _final(told, points, counts, digests),
        "custody.html": _custody(told, custody),
        "freeze-runbook.html": html.page(
            "Read-only freeze",
            f'<h1>Read-only freeze</h1><p class="small">Org {html.text(told.org_id or "")}. '
            f"Written on {told.today}.</p>{html.items(RUNBOOK, ordered=True)}",
        ).encode(),
    }


def _final(
    told: Situation,
    points: Sequence[Requirement],
    counts: Sequence[tuple[str, int, int]],
    digests: Sequence[tuple[str, str]],
) -> bytes:
    proof = told.standing.certificate if told.standing is not None else None
    name = told.contract.customer if told.contract else (told.org_id or "the org")
    body = [
        f"<h1>{html.text(f'Exit of {name}: the last gate')}</h1>",
        f'<p class="small">Org {html.text(told.org_id or "")}. Closed on {told.today}.</p>',
    ]
    if proof is not None:
        body += [
            f'<p class="calm">{html.text(proof.title)}</p>',
            html.table(
                ("", ""),
                [
                    ("Archive", f"{proof.generation:04d}"),
                    ("Root digest", proof.root_digest),
                    ("Signed with", proof.signing_key),
                    ("Verified", f"{proof.made:%Y-%m-%d %H:%M} UTC by {proof.username}"),
                    ("Data as of", f"{proof.snapshot_finished:%Y-%m-%d %H:%M} UTC"),
                    *(
                        (f"Waived: {one.finding}", f"{one.person}: {one.reason}")
                        for one in proof.waivers
                    ),
                ],
            ),
        ]
    for kind, title in _TITLES.items():
        body += [f"<h2>{title}</h2>", points_table(one for one in points if one.kind == kind)]
    override = told.last("override")
    if override is not None:
        why = html.text(override.data.get("reason", ""))
        body.append(f'<p class="alarm">The notice was written without a proven backup: {why}</p>')
    confirmed = told.last("confirmed")
    if confirmed is None:
        body.append('<p class="alarm">No confirmation of the cancellation is on file.</p>')
    else:
        body.append(f"<p>Cancellation confirmed on {html.text(confirmed.data.get('date'))}.</p>")
    body += [
        "<h2>Ledger</h2>",
        html.table(
            ("Outcome", "Objects", "Rows"),
            [(WORDS.get(outcome, outcome), n, rows) for outcome, n, rows in counts],
        ),
        "<h2>Journals</h2>",
        html.table(("File", "SHA-256"), digests),
        f'<p class="small">{html.text(COUNSEL)}</p>',
    ]
    return html.page(f"Exit of {name}", "\n".join(body)).encode()


_GAP = "________________ (to be filled in by hand)"


def _custody(told: Situation, custody: Custody) -> bytes:
    proof = told.standing.certificate if told.standing is not None else None
    end = told.contract.end if told.contract else None
    body = [
        "<h1>Custody sheet</h1>",
        f"<p>Org {html.text(told.org_id)}. Written on {told.today}. Keep it with each copy.</p>",
        "<h2>Copies: place and holder</h2>",
        html.items(custody.copies or (_GAP, _GAP)),
        "<h2>Keys: holder and place</h2>",
        html.items(custody.keys or (_GAP,)),
        f"<p>{html.text(f'Signing key: {proof.signing_key if proof else _GAP}')}</p>",
        "<h2>Successor</h2>",
        f"<p>{html.text(custody.successor or _GAP)}</p>",
        "<h2>How to check and open it</h2>",
        html.items(CHECKING),
        f"<p>{html.text(f'Root digest: {proof.root_digest if proof else _GAP}')}</p>",
        "<h2>Retention and erasure</h2>",
        html.table(
            ("", ""),
            [
                ("Kept until, by which rule", custody.retention or _GAP),
                ("Erased by whom and how", custody.erasure or _GAP),
                ("Personal data", "The archive holds personal data: it is kept only as long as a "
                 "duty or a purpose needs it; requests of persons concern it too."),
                ("Salesforce's copy", "Ask for the certificate of deletion. The org is locked the "
                 "day after the end" + (f" ({end})" if end else "") + " and may be deleted 120 "
                 "days after it (help article 000386225)."),
                ("Hold", "Nothing is erased while a dispute or an audit needs it."),
            ],
        ),
        f'<p class="small">{html.text(COUNSEL)}</p>',
    ]  # fmt: skip
    return html.page("Custody sheet", "\n".join(body)).encode()


def certificate_files(folder: Path) -> Mapping[str, bytes]:
    """The certificate and its signatures, to lie in the package too."""
    names = ("certificate.json", "certificate.json.sig", "certificate.json.minisig",
             "certificate.json.sshsig", "public-key.pem", "minisign.pub",
             "allowed_signers")  # fmt: skip
    return {name: (folder / name).read_bytes() for name in names if (folder / name).is_file()}
