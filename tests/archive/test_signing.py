"""The seal: accepted by stock programs, refused when anything of it is not right."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest
import sample_bag as sample

from sfexit.archive.signing import (
    SigningKey,
    check_seal,
    fingerprint,
    load_or_create,
    seal,
)
from sfexit.errors import ArchiveProblem, Blocked

TAGS = "tagmanifest-sha256.txt"
FILES = {
    "public-key.pem", "minisign.pub", "allowed_signers",
    f"{TAGS}.sig", f"{TAGS}.minisig", f"{TAGS}.sshsig",
}  # fmt: skip
posix = pytest.mark.skipif(os.name != "posix", reason="modes are a thing of POSIX")


def needs(program: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(not shutil.which(program), reason=f"no {program} here")


def run(bag: Path, command: str, message: Path | None = None) -> int:
    words = command.format(tags=message or TAGS).split()
    with (message or bag / TAGS).open("rb") as given:
        return subprocess.run(words, cwd=bag, stdin=given, capture_output=True).returncode


@pytest.fixture
def key(tmp_path: Path) -> SigningKey:
    return load_or_create(tmp_path / "config" / "sfexit")


@pytest.fixture
def bag(tmp_path: Path, key: SigningKey) -> Path:
    bag = tmp_path / "bag"
    bag.mkdir()
    (bag / TAGS).write_bytes(b"0" * 64 + b"  bagit.txt\n")
    seal(bag, key)
    return bag


# --- stock programs. The commands are those of docs/archive-format.md, section 3.2.

COMMANDS = [
    pytest.param(
        "openssl pkeyutl -verify -pubin -inkey seal/public-key.pem -rawin -in {tags} "
        f"-sigfile seal/{TAGS}.sig", marks=needs("openssl"), id="openssl"),
    pytest.param(
        f"minisign -Vm {{tags}} -x seal/{TAGS}.minisig -p seal/minisign.pub",
        marks=needs("minisign"), id="minisign"),
    pytest.param(
        "ssh-keygen -Y verify -f seal/allowed_signers -I sfexit -n sfexit "
        f"-s seal/{TAGS}.sshsig", marks=needs("ssh-keygen"), id="ssh-keygen"),
]  # fmt: skip


@pytest.mark.parametrize("command", COMMANDS)
def test_stock_programs_accept_the_seal(bag: Path, tmp_path: Path, command: str) -> None:
    assert run(bag, command) == 0
    other = tmp_path / "other"
    other.write_bytes((bag / TAGS).read_bytes() + b" ")
    assert run(bag, command, other) != 0


@needs("ssh-keygen")
def test_ssh_refuses_another_namespace(bag: Path) -> None:
    command = f"ssh-keygen -Y verify -f seal/allowed_signers -I sfexit -n git -s seal/{TAGS}.sshsig"
    assert run(bag, command) != 0


@needs("ssh-keygen")
def test_fingerprint_is_that_of_ssh_keygen(bag: Path, tmp_path: Path, key: SigningKey) -> None:
    public = tmp_path / "key.pub"
    public.write_text(" ".join((bag / "seal/allowed_signers").read_text().split()[2:]) + "\n")
    done = subprocess.run(["ssh-keygen", "-lf", public], capture_output=True, text=True, check=True)
    assert done.stdout.split()[1] == key.fingerprint == fingerprint(key.public)


@needs("openssl")
def test_openssl_reads_the_private_key(tmp_path: Path, key: SigningKey) -> None:
    path = tmp_path / "config/sfexit/signing-key.pem"
    done = subprocess.run(["openssl", "pkey", "-in", path, "-pubout", "-outform", "DER"],
                          capture_output=True, check=True)  # fmt: skip
    assert done.stdout[-32:] == key.public


# --- sealing and checking


def test_seal_holds_and_names_its_key(bag: Path, key: SigningKey) -> None:
    assert {p.name for p in (bag / "seal").iterdir()} == FILES
    result = check_seal(bag)
    assert result.valid and not result.signer_known and result.findings == ()
    assert result.forms == {"raw": True, "minisign": True, "ssh": True}
    known = check_seal(bag, key.fingerprint)
    assert known.valid and known.signer_known and known.fingerprint == key.fingerprint
    other = check_seal(bag, sample.fingerprint())
    assert other.valid and not other.signer_known
    assert "expected" in other.findings[0]


def test_sealing_again_gives_the_same_bytes(bag: Path, key: SigningKey) -> None:
    before = {p.name: p.read_bytes() for p in (bag / "seal").iterdir()}
    seal(bag, key)
    assert {p.name: p.read_bytes() for p in (bag / "seal").iterdir()} == before


def test_a_changed_tag_manifest_breaks_all_forms(bag: Path) -> None:
    (bag / TAGS).write_bytes(b"1" * 64 + b"  bagit.txt\n")
    result = check_seal(bag)
    assert not result.valid
    assert result.forms == {"raw": False, "minisign": False, "ssh": False}


@pytest.mark.parametrize(
    ("name", "form"),
    [(f"{TAGS}.sig", "raw"), (f"{TAGS}.minisig", "minisign"), ("minisign.pub", "minisign"),
     (f"{TAGS}.sshsig", "ssh"), ("allowed_signers", "ssh")],
)  # fmt: skip
def test_the_form_that_disagrees_is_named(bag: Path, name: str, form: str) -> None:
    path = bag / "seal" / name
    right = path.read_bytes()
    signed_from = right.index(b"\n") + 1 if name in (f"{TAGS}.minisig", "minisign.pub") else 0
    for at in range(signed_from, len(right), 1 if name.endswith(".sig") else 7):
        damaged = bytearray(right)
        damaged[at] ^= 0x02
        path.write_bytes(damaged)
        result = check_seal(bag)
        assert not result.valid, at
        assert [f for f, holds in result.forms.items() if not holds] == [form], at
        named = {f.split(":")[0] for f in result.findings}
        # Of two files that should hold the same id of a key, nobody can say which one is right.
        assert named == {f"seal/{name}"} or (named, form) == ({"seal/minisign.pub"}, "minisign")


@pytest.mark.parametrize("name", sorted(FILES))
def test_missing_linked_and_huge_files(bag: Path, tmp_path: Path, name: str) -> None:
    path = bag / "seal" / name
    kept = path.rename(tmp_path / "kept")
    assert check_seal(bag).findings[0] == f"seal/{name}: is missing"
    path.symlink_to(kept)
    assert f"seal/{name}: is a link, which no archive may hold" in check_seal(bag).findings
    path.unlink()
    path.write_bytes(b"x" * 100_000)
    result = check_seal(bag)
    assert not result.valid
    assert any(finding.startswith(f"seal/{name}: ") for finding in result.findings)


def test_a_form_by_another_key_is_no_good_company(bag: Path) -> None:
    names = ("public-key.pem", f"{TAGS}.sig")
    ours = {name: (bag / "seal" / name).read_bytes() for name in names}
    sample.sign(bag)
    assert check_seal(bag).valid  # all by one key: whoever that is
    for name, content in ours.items():
        (bag / "seal" / name).write_bytes(content)
    result = check_seal(bag)
    assert result.forms == {"raw": True, "minisign": False, "ssh": False}
    assert not result.valid


def test_a_seal_made_by_hand_is_accepted(tmp_path: Path) -> None:
    bag = sample.make(tmp_path / "by-hand")
    assert check_seal(bag, sample.fingerprint()).signer_known


def test_bag_info_must_name_the_same_key(tmp_path: Path, key: SigningKey) -> None:
    bag = sample.make(tmp_path / "by-hand")
    with pytest.raises(ArchiveProblem, match="another signing key"):
        seal(bag, key)
    sample.sign(bag, sample.OTHER_KEY)
    result = check_seal(bag)
    assert not result.valid
    assert result.findings[0].startswith("bag-info.txt: ")


def test_no_tag_manifest(bag: Path, key: SigningKey) -> None:
    (bag / TAGS).unlink()
    with pytest.raises(ArchiveProblem):
        seal(bag, key)
    assert check_seal(bag).findings == (f"{TAGS}: is missing",)


# --- the key file


def test_key_is_made_once(tmp_path: Path) -> None:
    folder = tmp_path / "a" / "b"
    first = load_or_create(folder)
    assert load_or_create(folder).public == first.public
    assert [p.name for p in folder.iterdir()] == ["signing-key.pem"]
    assert "private" not in repr(first)
    if os.name == "posix":
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        assert stat.S_IMODE((folder / "signing-key.pem").stat().st_mode) == 0o600


def test_two_processes_agree(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from sfexit.archive.signing import load_or_create;"
        "import cryptography.hazmat.primitives.serialization;"
        "print('ready', flush=True); sys.stdin.readline();"
        "print(load_or_create(Path(sys.argv[1])).fingerprint)"
    )
    words = [sys.executable, "-c", code, str(tmp_path / "config")]
    pipe = subprocess.PIPE
    runs = [subprocess.Popen(words, stdin=pipe, stdout=pipe, text=True) for _ in range(4)]
    for process in runs:
        assert process.stdout and process.stdout.readline() == "ready\n"
    for process in runs:
        assert process.stdin
        process.stdin.write("\n")
        process.stdin.flush()
    found = {process.communicate()[0] for process in runs}
    assert len(found) == 1
    assert found.pop().startswith("SHA256:")


def test_a_file_system_without_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_links(*paths: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", no_links)
    key = load_or_create(tmp_path / "config")
    assert load_or_create(tmp_path / "config").public == key.public


@posix
@pytest.mark.parametrize("mode", [0o640, 0o604, 0o622])
def test_a_key_open_to_others_is_refused(tmp_path: Path, key: SigningKey, mode: int) -> None:
    path = tmp_path / "config/sfexit/signing-key.pem"
    path.chmod(mode)
    with pytest.raises(Blocked, match=f"chmod 600 '{path}'"):
        load_or_create(path.parent)


@posix
def test_a_folder_open_to_others_is_refused(tmp_path: Path, key: SigningKey) -> None:
    (tmp_path / "config/sfexit").chmod(0o770)
    with pytest.raises(Blocked, match="chmod 700"):
        load_or_create(tmp_path / "config/sfexit")


@posix
def test_a_linked_key_is_refused(tmp_path: Path, key: SigningKey) -> None:
    path = tmp_path / "config/sfexit/signing-key.pem"
    path.rename(tmp_path / "elsewhere.pem")
    path.symlink_to(tmp_path / "elsewhere.pem")
    with pytest.raises(Blocked, match="is a link"):
        load_or_create(path.parent)
    path.unlink()
    path.symlink_to(tmp_path / "nowhere.pem")
    with pytest.raises(Blocked, match="is a link"):
        load_or_create(path.parent)


def test_what_is_no_key_is_refused(tmp_path: Path, key: SigningKey) -> None:
    from cryptography.hazmat.primitives import serialization as form
    from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key

    path = tmp_path / "config/sfexit/signing-key.pem"
    locked = key.private.private_bytes(
        form.Encoding.PEM, form.PrivateFormat.PKCS8, form.BestAvailableEncryption(b"secret")
    )
    other = generate_private_key(SECP256R1()).private_bytes(
        form.Encoding.PEM, form.PrivateFormat.PKCS8, form.NoEncryption()
    )
    for content in (b"-----END", locked, other):
        path.write_bytes(content)
        with pytest.raises(Blocked, match="is not an Ed25519 private key"):
            load_or_create(path.parent)


def test_importing_is_cheap() -> None:
    code = "import sys, sfexit.archive.signing; print('cryptography' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
