"""The archive against itself and against the org, judged together; and its certificate."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
import threading
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import sfexit
from sfexit.archive.layout import HOME_MARK
from sfexit.archive.signing import SigningKey
from sfexit.progress import SILENT, Progress
from sfexit.salesforce.client import Client
from sfexit.verify import bag as bags
from sfexit.verify.certificate import Certificate, Witnessed, last_digest
from sfexit.verify.finding import Finding, not_made
from sfexit.verify.live import run as live_run
from sfexit.verify.live.results import Live, Options
from sfexit.verify.offline import CHECKS, Offline, Watch, verify_offline
from sfexit.verify.offline import Options as OfflineOptions
from sfexit.verify.verdict import Judgement, Verdict, Waiver, judge

#: What the holder of the key alone can say again, and nobody reads anywhere: the diary of a live
#: verification is proven by it.
_DIARY = b"sfexit live verification diary 1"


@dataclass(frozen=True)
class Whole:
    """A verification against the org. `live` is None when the archive itself is damaged: then the
    org was not asked."""

    offline: Offline
    live: Live | None
    judgement: Judgement

    @property
    def differs(self) -> tuple[str, ...]:
        """Objects of which records are missing, extra or stale."""
        return () if self.live is None else self.live.stale_objects

    @property
    def unfinished(self) -> tuple[str, ...]:
        """Objects, and components of the configuration, of which something is not in the archive or
        is another in the org: what a refresh fetches."""
        codes = {
            "body-left-out", "count-differs", "metadata-differs", "metadata-left-out",
            "object-incomplete", "object-left-out", "object-unknown",
        }  # fmt: skip
        return self._named(codes)

    @property
    def altered(self) -> tuple[str, ...]:
        """Objects with findings that comparing ids and time stamps does not show."""
        return self._named(
            {"body-differs", "field-left-out", "id-malformed", "rows-wrong", "value-differs"}
        )

    def _named(self, codes: Collection[str]) -> tuple[str, ...]:
        found = {one.object for one in self.judgement.findings if one.code in codes}
        return tuple(sorted(one for one in found if one))


def diary_secret(key: SigningKey) -> bytes:
    """What proves the notes of a stopped verification to be ours."""
    return hashlib.sha256(key.sign(_DIARY)).digest()


def verify(
    client: Client,
    place: Path,
    offline_options: OfflineOptions | None = None,
    live_options: Options | None = None,
    *,
    waivers: Iterable[Waiver] = (),
    watch: Watch | None = None,
    progress: Progress = SILENT,
    stop: threading.Event | None = None,
) -> Whole:
    """Verify the bag that `place` (a home or a bag) means: first itself, then against the org.

    Raises what `verify_offline` and `live.run.live` raise.
    """
    target = bags.find_target(place)
    options = offline_options or OfflineOptions()
    progress.phase("Checking the archive itself")
    offline = verify_offline(place, options, watch=watch, stop=stop)
    required = (*CHECKS[options.level], *live_run.REQUIRED)
    if offline.judgement.verdict is Verdict.DAMAGED:
        unasked = [
            not_made(name, "the archive itself is damaged, so the org was not asked")
            for name in live_run.REQUIRED
        ]
        found = (*offline.judgement.findings, *unasked)
        judged = judge(
            offline.judgement.checks, found, required=required, offline=False, waivers=waivers
        )
        return Whole(offline, None, judged)
    with _work(target, offline.root_digest) as work:
        live = live_run.live(client, target.bag, work, live_options, progress=progress, stop=stop)
    moved: tuple[Finding, ...] = ()
    if live.root_digest != offline.root_digest:
        witness = "the same folder, a little later"
        moved = (
            Finding(
                "root-other",
                live_run.ORG,
                expected=offline.root_digest,
                found=live.root_digest,
                witness=witness,
            ),
        )
    judged = judge(
        (*offline.judgement.checks, *live.checks),
        (*offline.judgement.findings, *live.findings, *moved),
        required=required,
        offline=False,
        waivers=waivers,
        register=live.register,
    )
    return Whole(offline, live, judged)


@contextmanager
def _work(target: bags.Target, root_digest: str) -> Iterator[Path]:
    """Where keys and notes lie: in the home, so that a stopped run goes on; else nowhere for long.

    What is left behind by a run that came to its end is removed.
    """
    if target.home is None or not (target.home / HOME_MARK).is_file():
        with tempfile.TemporaryDirectory(prefix="sfexit-verify-") as passing:
            yield Path(passing)
        return
    folder = target.home / "work" / "verify" / root_digest[:16]
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


def certificate(whole: Whole, home: Path, *, now: datetime | None = None) -> Certificate | None:
    """The statement about a verification, yet unsigned; None when the org was not asked.

    It holds until what comes first: the end of what the evidence supports, or, when the verdict is
    not SAFE, at once.
    """
    live, offline = whole.live, whole.offline
    if live is None:
        return None
    made = (now or datetime.now(UTC)).replace(microsecond=0)
    safe = whole.judgement.verdict is Verdict.SAFE
    return Certificate(
        verdict=whole.judgement.verdict,
        title=whole.judgement.title,
        made=made,
        expires=live.holds_until.replace(microsecond=0) if safe else made,
        organization_id=offline.org_id,
        organization=offline.organization,
        user_id=live.user_id,
        username=live.username,
        permissions=live.permissions,
        api_version=live.api_version,
        snapshot_started=live.snapshot_started.replace(microsecond=0),
        snapshot_finished=live.snapshot_finished.replace(microsecond=0),
        root_digest=offline.root_digest,
        generation=int(offline.generation) if offline.generation.isdecimal() else 0,
        signing_key=offline.fingerprint,
        made_by=f"sfexit {sfexit.__version__}",
        objects=tuple(
            Witnessed(one.object, "equal" if one.equal else "differs", one.org_rows, one.witnesses)
            for one in live.compared
        ),
        checks=whole.judgement.checks,
        waivers=tuple(dict.fromkeys(replace(waiver) for _, waiver in whole.judgement.waived)),
        register=tuple(entry for _, entry in whole.judgement.registered),
        previous=last_digest(home),
    )
