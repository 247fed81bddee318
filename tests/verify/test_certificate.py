"""The certificate: signed for stock programs, bound to one archive, and the gate it opens."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from made import Made

from sfexit.archive import signing
from sfexit.archive.durable import Disk
from sfexit.errors import ArchiveProblem, Blocked, DiskTrouble
from sfexit.verify import certificate as certificates
from sfexit.verify.bag import labels, root_digest
from sfexit.verify.certificate import Certificate, Witnessed, history, issue, last_digest
from sfexit.verify.codes import Level
from sfexit.verify.standing import standing_certificate
from sfexit.verify.verdict import Check, RegisterEntry, Result, Verdict, Waiver

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


def statement(made: Made, /, **changes: object) -> Certificate:
    told = Certificate(
        verdict=Verdict.SAFE,
        title="SAFE with 1 waiver",
        made=NOW,
        expires=NOW + timedelta(days=7),
        organization_id=labels(made.bag)["External-Identifier"],
        organization="Northwater Trading",
        user_id="0055g00000AAAAAAA4",
        username="leaving@example.com",
        permissions=("ViewAllData",),
        api_version="66.0",
        snapshot_started=NOW - timedelta(hours=2),
        snapshot_finished=NOW - timedelta(hours=1),
        root_digest=root_digest(made.bag),
        generation=1,
        signing_key=made.key.fingerprint,
        made_by="sfexit test",
        objects=(Witnessed("Account", "exported", 3, {"count_live": 3, "ids_live": 3}),),
        checks=(Check("rows", Result.PASSED, "3 rows"),),
        waivers=(Waiver("row-missing:Account", "made for a test", "R. Roe", 2),),
        register=(RegisterEntry("LoginEvent", "a stream", "Object Reference"),),
    )
    return replace(told, **changes)  # type: ignore[arg-type]


def issued(made: Made, /, **changes: object) -> Path:
    return issue(made.home, statement(made, **changes), made.key, {"report.html": b"<p>"})


def stands(made: Made, **more: object) -> Certificate:
    options = {"level": Level.QUICK, "now": NOW + timedelta(days=1), **more}
    return standing_certificate(made.home, **options).certificate  # type: ignore[arg-type]


def test_it_reads_back_as_it_was_written(made: Made) -> None:
    told = statement(made)
    assert Certificate.from_bytes(told.to_bytes()) == told
    folder = issued(made)
    assert folder == made.home / "proofs" / told.root_digest / "20261122T120000Z"
    assert (folder / "report.html").read_bytes() == b"<p>"
    assert not list(folder.parent.glob(".*"))


def test_stock_programs_check_it(made: Made) -> None:
    folder = issued(made)
    lines = [
        "openssl pkeyutl -verify -pubin -inkey public-key.pem -rawin -in certificate.json "
        "-sigfile certificate.json.sig",
        "minisign -Vm certificate.json -p minisign.pub",
        "ssh-keygen -Y verify -f allowed_signers -I sfexit -n sfexit -s certificate.json.sshsig",
    ]
    for line in lines:
        if shutil.which(line.split()[0]) is None:
            continue
        for spoil in (False, True):
            message = (folder / "certificate.json").read_bytes()
            if spoil:
                message = message.replace(b"SAFE", b"SAVE", 1)
                (folder / "certificate.json").write_bytes(message)
            done = subprocess.run(line.split(), cwd=folder, input=message, capture_output=True)
            assert (done.returncode == 0) is not spoil, (line, done.stderr)
            (folder / "certificate.json").write_bytes(message.replace(b"SAVE", b"SAFE", 1))


def test_it_stands_for_the_archive_it_names(made: Made) -> None:
    issued(made)
    assert stands(made).title == "SAFE with 1 waiver"
    assert stands(made, trusted=(made.key.fingerprint,)).verdict is Verdict.SAFE
    assert stands(made, level=Level.DEEP).root_digest == root_digest(made.bag)


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"verdict": Verdict.NOT_SAFE, "title": "NOT SAFE"}, "says NOT SAFE"),
        ({"verdict": Verdict.UNKNOWN, "title": "UNKNOWN"}, "says UNKNOWN"),
        ({"expires": NOW + timedelta(hours=1)}, "held until 2026-11-22 13:00"),
        ({"made": NOW + timedelta(days=3)}, "made in the future"),
        ({"organization_id": "00D000000000000EAA"}, "of another org"),
    ],
)
def test_what_does_not_open_the_gate(made: Made, changes: dict[str, object], why: str) -> None:
    issued(made, **changes)
    with pytest.raises(Blocked, match=why):
        stands(made)


def test_no_certificate_no_gate(made: Made) -> None:
    with pytest.raises(Blocked, match="no certificate speaks of"):
        stands(made)


def test_a_later_one_outweighs_an_earlier_one(made: Made) -> None:
    first = issued(made)
    again = issued(made)  # in the same second
    assert history(made.home, root_digest(made.bag)) == [first, again]
    later = issued(made, made=NOW + timedelta(hours=3), verdict=Verdict.NOT_SAFE, title="NOT SAFE")
    assert history(made.home, root_digest(made.bag))[-1] == later
    with pytest.raises(Blocked, match="says NOT SAFE"):
        stands(made)


def test_an_earlier_one_cannot_be_given_a_later_name(made: Made) -> None:
    first = issued(made)
    issued(made, made=NOW + timedelta(hours=3), verdict=Verdict.NOT_SAFE, title="NOT SAFE")
    first.rename(first.with_name("20261122T230000Z"))
    with pytest.raises(Blocked, match="lies under the time of another"):
        stands(made)


def test_history_is_chained(made: Made) -> None:
    assert last_digest(made.home) == ""
    issued(made)
    digest = last_digest(made.home)
    issued(made, made=NOW + timedelta(hours=1), previous=digest)
    assert last_digest(made.home) not in ("", digest)
    assert stands(made).previous == digest


def test_a_certificate_copied_to_another_archive_does_not_count(made: Made) -> None:
    folder = issued(made)
    (made.bag / "bag-info.txt").write_text("Source-Organization: another\n")
    import sample_bag

    sample_bag.retag(made.bag)
    with pytest.raises(Blocked, match="no certificate speaks of"):
        stands(made)
    shutil.copytree(folder, made.home / "proofs" / root_digest(made.bag) / folder.name)
    with pytest.raises(Blocked, match="speaks of another archive"):
        stands(made)


def test_a_changed_archive_has_no_certificate(made: Made) -> None:
    issued(made)
    page = next((made.bag / "data/records").rglob("*.gz"))
    page.write_bytes(page.read_bytes()[:-1])
    with pytest.raises(Blocked, match="is DAMAGED"):
        stands(made)


def test_an_edited_certificate_does_not_count(made: Made) -> None:
    folder = issued(made, verdict=Verdict.NOT_SAFE, title="NOT SAFE")
    path = folder / "certificate.json"
    path.write_bytes(path.read_bytes().replace(b"NOT SAFE", b"SAFE"))
    with pytest.raises(Blocked, match="not validly signed"):
        stands(made)


def test_a_certificate_by_another_key_does_not_count(made: Made, tmp_path: Path) -> None:
    """Somebody without the key certifies with a key of their own."""
    other = signing.load_or_create(tmp_path / "other")
    with pytest.raises(Blocked, match="was sealed with"):
        issue(made.home, statement(made), other, {})
    told = statement(made).to_bytes()
    files = {"certificate.json": told, **signing.signatures(other, "certificate.json", told)}
    root = root_digest(made.bag)
    certificates.publish(made.home, root, NOW, files, disk=Disk())
    with pytest.raises(Blocked, match="not signed with the key that sealed"):
        stands(made)


def test_a_stranger_who_seals_and_certifies_anew_is_not_trusted(made: Made, tmp_path: Path) -> None:
    other = signing.load_or_create(tmp_path / "other")
    import sample_bag

    info = made.bag / "bag-info.txt"
    info.write_text(info.read_text().replace(made.key.fingerprint, other.fingerprint))
    sample_bag.retag(made.bag)
    signing.seal(made.bag, other)
    issued(Made(made.home, other))
    assert stands(made).signing_key == other.fingerprint  # nothing in the folder can tell
    with pytest.raises(Blocked, match="which is not your key"):
        stands(made, trusted=(made.key.fingerprint,))


@pytest.mark.parametrize(
    "data",
    [b"", b"[]", b"{}", b'{"schema": "sfexit-certificate/1"}', b'{"schema": "other/9"}', b"\xff"],
)
def test_what_is_no_certificate_is_refused(data: bytes) -> None:
    with pytest.raises(ArchiveProblem, match="verify"):
        Certificate.from_bytes(data)


def test_nothing_half_written_under_a_final_name(made: Made) -> None:
    class Full(Disk):
        writes = 0

        def write(self, handle, data):  # type: ignore[no-untyped-def]
            Full.writes += 1
            if Full.writes == 4:
                raise DiskTrouble("the disk is full")
            super().write(handle, data)

    with pytest.raises(DiskTrouble):
        issue(made.home, statement(made), made.key, {}, disk=Full())
    assert history(made.home, root_digest(made.bag)) == []
    issued(made)
    assert stands(made)
