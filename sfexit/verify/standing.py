"""Does a certificate stand for this archive, now? The gate of cancellation and offboarding."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from sfexit.archive import signing
from sfexit.errors import ArchiveProblem, Blocked
from sfexit.verify import bag as bags
from sfexit.verify.certificate import NAME, Certificate, folder_name, history
from sfexit.verify.codes import Level
from sfexit.verify.offline import Offline, Options, verify_offline
from sfexit.verify.verdict import Verdict


@dataclass(frozen=True)
class Standing:
    """A certificate that holds: where it lies, and the look at the archive that goes with it."""

    certificate: Certificate
    folder: Path
    archive: Offline


def standing_certificate(
    home: Path,
    *,
    trusted: Collection[str] = (),
    level: Level = Level.NORMAL,
    now: datetime | None = None,
) -> Standing:
    """The newest certificate for exactly the newest archive of a home, if it holds.

    It holds when the archive is intact at `level`; the newest certificate for its root digest is
    signed, in all three forms, with the key of the archive's seal; it says SAFE; and it has not
    expired. A later certificate outweighs an earlier one, whatever it says. `trusted`: the
    fingerprints of keys that may have signed; give the user's own, since whoever holds the folder
    can seal and certify with a key of their own. Empty: whatever key sealed the archive.

    Raises Blocked, with one sentence that says why and what to do. Never returns a doubt.
    """
    now = now or datetime.now(UTC)
    target = bags.find_target(home)
    if target.home is None:
        raise Blocked(f"{home} lies in no home, so it has no certificate: name the home")
    again = f"run sfexit verify-backup {target.home}"
    try:
        root = bags.root_digest(target.bag)
    except ArchiveProblem as problem:
        raise Blocked(f"{problem.message}: restore it from another copy") from problem
    folders = history(target.home, root)
    if not folders:
        raise Blocked(f"no certificate speaks of the archive {target.bag}: {again}")
    folder = folders[-1]
    signed = signing.check_file(folder, NAME)
    if not signed.valid:
        raise Blocked(
            f"the certificate in {folder} is not validly signed ({signed.findings[0]}): {again}"
        )
    certificate = Certificate.from_bytes(bags.read_small(folder, NAME, 64 << 20))
    wrong = _problem(certificate, root, signed.fingerprint or "", trusted, now)
    if not wrong and not folder.name.startswith(folder_name(certificate)):
        wrong = "lies under the time of another one and was moved there"
    if wrong:
        raise Blocked(f"the certificate in {folder} {wrong}: {again}")
    archive = verify_offline(
        target.bag, Options(level=level, expect_key=signed.fingerprint, expect_root=root)
    )
    if archive.judgement.verdict is not Verdict.INTACT:
        raise Blocked(
            f"the archive {target.bag} is {archive.judgement.title} and no certificate holds for "
            f"it: see sfexit verify-backup {target.bag} --offline, restore it from another copy"
        )
    if certificate.organization_id != archive.org_id:
        raise Blocked(f"the certificate in {folder} is of another org: {again}")
    return Standing(certificate, folder, archive)


def _problem(
    certificate: Certificate, root: str, signer: str, trusted: Collection[str], now: datetime
) -> str:
    """Why a well-signed certificate does not hold; empty when it does."""
    if certificate.root_digest != root:
        return "speaks of another archive and was copied here"
    if certificate.signing_key != signer:
        return "is not signed with the key that sealed the archive"
    if trusted and signer not in trusted:
        return f"is signed with {signer}, which is not your key"
    if certificate.verdict is not Verdict.SAFE:
        return f"says {certificate.title}"
    if certificate.made > now:
        return f"was made in the future, on {certificate.made:%Y-%m-%d %H:%M} UTC"
    if certificate.expires <= now:
        return f"held until {certificate.expires:%Y-%m-%d %H:%M} UTC"
    return ""
