"""The seal: one Ed25519 key, three detached forms of signature over a bag's tag manifest.

Raw with PEM for `openssl`, minisign's form and OpenSSH's form (docs/archive-format.md, section
3.2), so that whoever opens the archive later needs only one of three stock programs. The private
key is the administrator's and never enters a home.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import os
import secrets
import stat
import struct
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from sfexit.archive.bagit import BAG_INFO, TAG_MANIFEST
from sfexit.archive.durable import Disk
from sfexit.errors import ArchiveProblem, Blocked

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

KEY_FILE = "signing-key.pem"
SEAL = "seal"
RAW_SIGNATURE = f"{TAG_MANIFEST}.sig"
PUBLIC_KEY = "public-key.pem"
MINISIGN_SIGNATURE = f"{TAG_MANIFEST}.minisig"
MINISIGN_KEY = "minisign.pub"
SSH_SIGNATURE = f"{TAG_MANIFEST}.sshsig"
SSH_SIGNERS = "allowed_signers"
NAMESPACE = "sfexit"
IDENTITY = "sfexit"

_KEY_TYPE = b"ssh-ed25519"
_ARMOR = ("-----BEGIN SSH SIGNATURE-----", "-----END SSH SIGNATURE-----")
_LIMIT_BYTES = 1 << 16  # no file of a seal or of a key comes near; a larger one is not ours
_LARGEST_SIGNED = 64 << 20
_WAIT_SECONDS = 2.0


@dataclass(frozen=True)
class SigningKey:
    """A private key and its raw public key (32 bytes)."""

    private: Ed25519PrivateKey = field(repr=False)
    public: bytes

    @property
    def fingerprint(self) -> str:
        """See `fingerprint`."""
        return fingerprint(self.public)

    def sign(self, message: bytes) -> bytes:
        """The raw Ed25519 signature, 64 bytes."""
        return self.private.sign(message)


@dataclass(frozen=True)
class SealResult:
    """What the seal of a bag is worth.

    `valid`: all three forms sign the tag manifest that is there, and all with one key. Without
    `signer_known` this means only "unchanged since it was signed, by whomever".
    `signer_known`: valid, and the key is the expected one.
    `forms`: "raw", "minisign", "ssh" → does this form hold (for the key in public-key.pem)?
    `findings`: one sentence for each thing that is wrong, beginning with the file's path.
    """

    valid: bool
    signer_known: bool
    fingerprint: str | None
    forms: Mapping[str, bool]
    findings: tuple[str, ...]


def fingerprint(public_key: bytes) -> str:
    """`SHA256:…` of a raw public key (32 bytes), as `ssh-keygen -lf` prints it."""
    digest = hashlib.sha256(_ssh_blob(public_key)).digest()
    return "SHA256:" + base64.b64encode(digest).decode("ascii").rstrip("=")


def load_or_create(folder: Path) -> SigningKey:
    """The administrator's key from `folder`/signing-key.pem; made at the first call.

    Two processes that start at once get the same key. Raises Blocked when the key or its folder
    is open to other people, is a link, cannot be read or made, or is no Ed25519 key.
    """
    path = folder / KEY_FILE
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(FileExistsError):
            folder.mkdir(mode=0o700)
        _refuse_open_folder(folder)
        if not os.path.lexists(path):
            _create(path)
        return _load(path)
    except OSError as error:
        raise Blocked(
            f"the signing key {path} cannot be read or made: {error.strerror or error}"
        ) from error


def seal(bag: Path, key: SigningKey, *, disk: Disk | None = None) -> None:
    """Sign the bag's tag manifest and write the six files of `seal/`; a second call replaces them.

    The same bag and key give the same bytes. Raises ArchiveProblem when the bag has no tag
    manifest or its bag-info.txt names another key; DiskTrouble when the disk refuses.
    """
    disk = disk or Disk()
    try:
        message = (bag / TAG_MANIFEST).read_bytes()
    except OSError as error:
        raise ArchiveProblem(
            f"{bag / TAG_MANIFEST} cannot be read ({error.strerror}), so it cannot be sealed"
        ) from error
    if _named_key(bag) not in (None, key.fingerprint):
        raise ArchiveProblem(f"{BAG_INFO} names another signing key than the one given for sealing")
    folder = bag / SEAL
    disk.make_folder(folder)
    for name, content in signatures(key, TAG_MANIFEST, message).items():
        disk.write_whole(folder / name, content)


def signatures(key: SigningKey, name: str, message: bytes) -> dict[str, bytes]:
    """The six files that sign `message`, which lies in a file called `name`: file name → content.

    Whoever has them checks with stock `openssl`, `minisign` or `ssh-keygen`
    (docs/archive-format.md, section 3.2).
    """
    return {
        PUBLIC_KEY: _pem(key.public),
        MINISIGN_KEY: _minisign_key(key.public),
        SSH_SIGNERS: _signers_line(key.public),
        f"{name}.minisig": _minisign(key, name, message),
        f"{name}.sshsig": _sshsig(key, message),
        f"{name}.sig": key.sign(message),
    }


def check_seal(bag: Path, expect_fingerprint: str | None = None) -> SealResult:
    """Check all three forms of a bag's seal against its tag manifest. Never raises for damage."""
    result = _check(bag, TAG_MANIFEST, f"{SEAL}/", expect_fingerprint)
    shown = result.fingerprint
    if shown is None or _named_key(bag) in (None, shown):
        return result
    told = f"{BAG_INFO}: names another signing key than {SEAL}/{PUBLIC_KEY}"
    return replace(result, valid=False, signer_known=False, findings=(*result.findings, told))


def check_file(folder: Path, name: str, expect_fingerprint: str | None = None) -> SealResult:
    """Check a file with the six files of `signatures` beside it. Never raises for damage."""
    return _check(folder, name, "", expect_fingerprint)


def _check(root: Path, name: str, beside: str, expect_fingerprint: str | None) -> SealResult:
    findings: list[str] = []
    forms = {"raw": False, "minisign": False, "ssh": False}
    message = _small_file(root, name, findings, limit=_LARGEST_SIGNED)
    raw_name, mini_name, ssh_name = f"{name}.sig", f"{name}.minisig", f"{name}.sshsig"
    files = {
        one: _small_file(root, f"{beside}{one}", findings)
        for one in (PUBLIC_KEY, raw_name, MINISIGN_KEY, mini_name, SSH_SIGNERS, ssh_name)
    }
    public = _public_from_pem(files[PUBLIC_KEY] or b"")
    if public is None:
        if files[PUBLIC_KEY] is not None:
            findings.append(f"{beside}{PUBLIC_KEY}: is not an Ed25519 public key in PEM form")
        return SealResult(False, False, None, forms, tuple(findings))

    def note(holds: bool, one: str, wrong: str) -> bool:
        # A file that is not there was already named; it must not be named twice.
        if not holds and files[one] is not None:
            findings.append(f"{beside}{one}: {wrong}")
        return holds

    if message is not None:
        unsigned = f"does not sign the {name} that is here, or not with {PUBLIC_KEY}"
        other = f"names another key than {PUBLIC_KEY}, or more than that key"
        raw = files[raw_name] or b""
        forms["raw"] = note(_verifies(public, raw, message), raw_name, unsigned)
        mini_id, mini = _check_minisign(files[mini_name] or b"", public, message)
        packed = _unpacked(_second_line(files[MINISIGN_KEY] or b""))
        mini_key = (packed[:2], packed[10:]) == (b"Ed", public)
        # The 8 bytes that minisign calls a key's id are free, but must be the same in both files.
        mini_key = mini_key and (not mini or packed[2:10] == mini_id)
        # Both lines of each form are evaluated first, so that both files can be named.
        pair = (note(mini, mini_name, unsigned), note(mini_key, MINISIGN_KEY, other))
        forms["minisign"] = all(pair)
        ssh = _check_sshsig(files[ssh_name] or b"", public, message)
        signers = (files[SSH_SIGNERS] or b"").split() == _signers_line(public).split()
        pair = (note(ssh, ssh_name, unsigned), note(signers, SSH_SIGNERS, other))
        forms["ssh"] = all(pair)
    shown = fingerprint(public)
    valid = not findings and all(forms.values())
    if expect_fingerprint is not None and expect_fingerprint != shown:
        findings.append(
            f"{beside}{PUBLIC_KEY}: this was signed with {shown}, expected {expect_fingerprint}"
        )
    return SealResult(valid, valid and expect_fingerprint == shown, shown, forms, tuple(findings))


# --- the key file


def _refuse_open_folder(folder: Path) -> None:
    if os.name != "posix":
        return  # Windows: the user's own folder is closed to others by its access list
    if folder.stat().st_mode & 0o022:
        raise Blocked(
            f"the folder of the signing key can be changed by other people; close it with: "
            f"chmod 700 '{folder}'"
        )


def _create(path: Path) -> None:
    """Make a key and give it its name unless another process was first."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    pem = Ed25519PrivateKey.generate().private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    # Written whole under a name of its own, then linked: linking fails when the name is taken,
    # so the key file is never seen half-written and the loser takes the winner's key.
    part = path.with_name(f"{path.name}.{secrets.token_hex(8)}.part")
    try:
        _write_new(part, pem)
        try:
            os.link(part, path)
        except FileExistsError:
            return
        except (OSError, NotImplementedError):
            # A file system without links. A reader that comes in this moment waits (see _load).
            with contextlib.suppress(FileExistsError):
                _write_new(path, pem)
    finally:
        with contextlib.suppress(OSError):
            part.unlink()
    Disk().sync_folder(path.parent)


def _write_new(path: Path, content: bytes) -> None:
    flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY
    flags |= getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
    with os.fdopen(os.open(path, flags, 0o600), "wb") as handle:
        handle.write(content)
        handle.flush()
        os.fsync(handle.fileno())


def _load(path: Path) -> SigningKey:
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    if path.is_symlink():
        raise Blocked(f"{path} is a link; put the signing key itself there")
    deadline = time.monotonic() + _WAIT_SECONDS
    while True:
        flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
        flags |= getattr(os, "O_NONBLOCK", 0)  # a pipe in its place must not make us wait
        with os.fdopen(os.open(path, flags), "rb") as handle:
            # Of the open file, not of the name: the name could be given to another file.
            status = os.fstat(handle.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise Blocked(f"{path} is not an ordinary file; put the signing key itself there")
            if os.name == "posix" and status.st_mode & 0o077:
                raise Blocked(
                    "the signing key can be read by other people; close it with: "
                    f"chmod 600 '{path}'"
                )
            pem = handle.read(_LIMIT_BYTES)
        if b"-----END" in pem or time.monotonic() > deadline:
            break
        time.sleep(0.02)  # another process is writing it at this moment
    try:
        private = load_pem_private_key(pem, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:  # TypeError: a passphrase
        raise Blocked(_not_a_key(path)) from error
    if not isinstance(private, Ed25519PrivateKey):
        raise Blocked(_not_a_key(path))
    return SigningKey(private, private.public_key().public_bytes_raw())


def _not_a_key(path: Path) -> str:
    return (
        f"{path} is not an Ed25519 private key without passphrase; move it away and a new one is "
        "made (archives sealed so far keep the old key's fingerprint)"
    )


# --- the forms


def _verifies(public: bytes, signature: bytes, message: bytes) -> bool:
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True


def _pem(public: bytes) -> bytes:
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    return Ed25519PublicKey.from_public_bytes(public).public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )


def _public_from_pem(pem: bytes) -> bytes | None:
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    try:
        public = load_pem_public_key(pem)
    except (ValueError, UnsupportedAlgorithm):
        return None
    return public.public_bytes_raw() if isinstance(public, Ed25519PublicKey) else None


def _key_id(public: bytes) -> bytes:
    # minisign tells keys apart by 8 bytes that it draws at random; these give the same every time.
    return hashlib.sha256(b"sfexit minisign key id" + public).digest()[:8]


def _minisign_key(public: bytes) -> bytes:
    shown = _key_id(public)[::-1].hex().upper()
    packed = base64.b64encode(b"Ed" + _key_id(public) + public)
    return b"untrusted comment: minisign public key " + shown.encode() + b"\n" + packed + b"\n"


def _minisign(key: SigningKey, name: str, message: bytes) -> bytes:
    """minisign's prehashed form ("ED"): the signature is over BLAKE2b-512 of the file."""
    signature = key.sign(hashlib.blake2b(message).digest())
    digest = hashlib.sha256(message).hexdigest()
    what = "root-digest" if name == TAG_MANIFEST else "sha256"
    trusted = f"file:{name} {what}:{digest}".encode("ascii")
    return b"\n".join(
        (
            b"untrusted comment: signature by sfexit",
            base64.b64encode(b"ED" + _key_id(key.public) + signature),
            b"trusted comment: " + trusted,
            base64.b64encode(key.sign(signature + trusted)),
            b"",
        )
    )


def _check_minisign(text: bytes, public: bytes, message: bytes) -> tuple[bytes, bool]:
    """The key id that the signature names, and whether it holds."""
    lines = text.splitlines()
    if len(lines) != 4 or not lines[2].startswith(b"trusted comment: "):
        return b"", False
    packed, whole = _unpacked(lines[1]), _unpacked(lines[3])
    signature, trusted = packed[10:], lines[2][len(b"trusted comment: ") :]
    holds = (
        packed[:2] == b"ED"
        and _verifies(public, signature, hashlib.blake2b(message).digest())
        and _verifies(public, whole, signature + trusted)
    )
    return packed[2:10], holds


def _second_line(text: bytes) -> bytes:
    lines = text.splitlines()
    return lines[1] if len(lines) == 2 else b""


def _unpacked(text: bytes) -> bytes:
    """What base64 stands for; empty for anything but the one right way to write it."""
    try:
        value = base64.b64decode(text, validate=True)
    except ValueError:
        return b""
    return value if base64.b64encode(value) == text else b""


def _string(value: bytes) -> bytes:
    return struct.pack(">I", len(value)) + value


def _ssh_blob(public: bytes) -> bytes:
    return _string(_KEY_TYPE) + _string(public)


def _signers_line(public: bytes) -> bytes:
    packed = base64.b64encode(_ssh_blob(public))
    return f'{IDENTITY} namespaces="{NAMESPACE}" '.encode() + _KEY_TYPE + b" " + packed + b"\n"


def _ssh_signed(message: bytes) -> bytes:
    """What OpenSSH's form really signs (PROTOCOL.sshsig): never the file's own bytes."""
    parts = (NAMESPACE.encode(), b"", b"sha512", hashlib.sha512(message).digest())
    return b"SSHSIG" + b"".join(map(_string, parts))


def _ssh_envelope(public: bytes) -> bytes:
    parts = (_ssh_blob(public), NAMESPACE.encode(), b"", b"sha512")
    return b"SSHSIG" + struct.pack(">I", 1) + b"".join(map(_string, parts))


def _sshsig(key: SigningKey, message: bytes) -> bytes:
    signature = key.sign(_ssh_signed(message))
    whole = _ssh_envelope(key.public) + _string(_string(_KEY_TYPE) + _string(signature))
    text = base64.b64encode(whole).decode("ascii")
    lines = [text[at : at + 70] for at in range(0, len(text), 70)]
    return "\n".join((_ARMOR[0], *lines, _ARMOR[1], "")).encode("ascii")


def _check_sshsig(text: bytes, public: bytes, message: bytes) -> bool:
    lines = text.decode("ascii", "replace").splitlines()
    if len(lines) < 3 or (lines[0], lines[-1]) != _ARMOR:
        return False
    whole = _unpacked("".join(lines[1:-1]).encode())
    # All but the signature is the same for one key, so no parser is needed: compare.
    before = _ssh_envelope(public)
    after = whole[len(before) :]
    shell = _string(_string(_KEY_TYPE) + _string(bytes(64)))[:-64]
    if not whole.startswith(before) or after[:-64] != shell:
        return False
    return _verifies(public, after[-64:], _ssh_signed(message))


# --- reading a bag that may be anybody's work


def _small_file(
    bag: Path, relative: str, findings: list[str], limit: int = _LIMIT_BYTES
) -> bytes | None:
    path = bag / relative
    try:
        if path.is_symlink() or path.parent.is_symlink():
            findings.append(f"{relative}: is a link, which no archive may hold")
        elif not path.exists():
            findings.append(f"{relative}: is missing")
        elif not path.is_file():
            findings.append(f"{relative}: is not an ordinary file")
        else:
            with path.open("rb") as handle:
                content = handle.read(limit + 1)
            if len(content) <= limit:
                return content
            findings.append(f"{relative}: is too large to be what its name says")
    except OSError as error:
        findings.append(f"{relative}: cannot be read ({error.strerror})")
    return None


def _named_key(bag: Path) -> str | None:
    """The fingerprint that bag-info.txt names, None if it names none."""
    content = _small_file(bag, BAG_INFO, [])
    for line in (content or b"").decode("utf-8", "replace").split("\n"):
        name, _, value = line.partition(":")
        if name == "Sfexit-Signing-Key":
            return value.strip()
    return None
