"""The checker inside every bag: says INTACT of a right bag and names the file of each damage."""

from __future__ import annotations

import ast
import gzip
import importlib.util
import json
import shutil
import stat
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import bagit
import pytest
import sample_bag as sample

PAGE_1, PAGE_2 = sample.page_name("Account", 1), sample.page_name("Account", 2)
SEAL = "seal/tagmanifest-sha256.txt"
ZIP = "data/metadata/packages/0001.zip"


def _load() -> Any:
    spec = importlib.util.spec_from_file_location("bag_verify", sample.VERIFY)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


verify = _load()


@pytest.fixture(scope="module")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return sample.make(tmp_path_factory.mktemp("pristine") / "0001")


@pytest.fixture
def bag(pristine: Path, tmp_path: Path) -> Path:
    shutil.copytree(pristine, tmp_path / "0001")
    return tmp_path / "0001"


def check(bag: Path, capsys: pytest.CaptureFixture[str], *more: str) -> tuple[int, str]:
    capsys.readouterr()
    code = verify.main([str(bag), *more])
    return code, capsys.readouterr().out


def tree(bag: Path) -> dict[str, bytes]:
    return {p.relative_to(bag).as_posix(): p.read_bytes() for p in bag.rglob("*") if p.is_file()}


def flip(path: Path, at: int | None = None) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2 if at is None else at] ^= 0x01
    path.write_bytes(data)


def zip_link(name: str) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name)
    entry.create_system, entry.external_attr = 3, (stat.S_IFLNK | 0o777) << 16
    return entry


def edit_csv(path: Path, old: str, new: str) -> None:
    text = path.read_text("utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), "utf-8", newline="")


# --- the sample is right, by the judgement of others


def test_outside_validators_accept_the_sample(bag: Path) -> None:
    bagit.Bag(str(bag)).validate()
    from frictionless import Package

    report = Package(str(bag / "data/datapackage.json")).validate()
    assert report.valid, report.flatten(["title", "message"])
    assert [task.stats["rows"] for task in report.tasks][:2] == [6, 3]


@pytest.mark.skipif(
    not shutil.which("sha256sum") or not shutil.which("gzip"), reason="no GNU tools"
)
def test_stock_programs_accept_the_sample(bag: Path) -> None:
    subprocess.run(
        ["sha256sum", "-c", "--quiet", "--strict", "manifest-sha256.txt"], cwd=bag, check=True
    )
    pages = [str(p) for p in (bag / "data/records").rglob("*.gz")]
    subprocess.run(["gzip", "-t", *pages], check=True)


# --- intact


def test_a_right_bag_is_intact_and_untouched(bag: Path) -> None:
    before = tree(bag)
    done = subprocess.run(
        [sys.executable, "data/tools/verify.py"], cwd=bag, capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[-1] == "INTACT"
    assert sample.fingerprint() in done.stdout
    assert tree(bag) == before
    assert not list(bag.rglob("__pycache__"))


@pytest.mark.parametrize("version", ["3.8", "3.9", "3.10", "3.12", "3.13", "3.14"])
def test_runs_on_other_pythons(bag: Path, version: str) -> None:
    python = shutil.which(f"python{version}")
    if not python or subprocess.run([python, "-c", ""], capture_output=True).returncode:
        pytest.skip(f"no Python {version} here")
    done = subprocess.run([python, "data/tools/verify.py"], cwd=bag, capture_output=True, text=True)
    assert done.stdout.splitlines()[-1] == "INTACT", done.stderr


def test_is_python_38_and_standard_library_only() -> None:
    parsed = ast.parse(sample.VERIFY.read_text("utf-8"), feature_version=(3, 8))
    for node in ast.walk(parsed):
        names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
        names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        assert all(name.split(".")[0] in sys.stdlib_module_names for name in names)


def test_forged_rows_inside_quotes_do_not_confuse(
    bag: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = gzip.decompress((bag / PAGE_1).read_bytes()).decode()
    assert text.count("\n") > 4  # the forged name is really there
    code, out = check(bag, capsys)
    assert (code, "rows read:    9" in out) == (0, True), out


def test_nul_is_counted_on_old_pythons(bag: Path, capsys: pytest.CaptureFixture[str],
                                       monkeypatch: pytest.MonkeyPatch) -> None:  # fmt: skip
    monkeypatch.setattr(verify.sys, "version_info", (3, 8, 0))
    assert check(bag, capsys)[0] == 0


def test_a_module_beside_the_tool_is_not_run(bag: Path) -> None:
    sample.write(bag / "data/tools/csv.py", b"print('INTACT'); raise SystemExit(0)")
    done = subprocess.run(
        [sys.executable, "verify.py"], cwd=bag / "data/tools", capture_output=True, text=True
    )
    assert done.returncode == 8
    assert "data/tools/csv.py: is an extra file" in done.stdout


def test_json(bag: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out = check(bag, capsys, "--json")
    report = json.loads(out)
    assert (code, report["verdict"], report["findings"]) == (0, "INTACT", [])
    assert report["rows_read"] == 9
    flip(bag / PAGE_1)
    code, out = check(bag, capsys, "--json")
    assert code == 8
    assert PAGE_1 in {finding["path"] for finding in json.loads(out)["findings"]}


def test_ids_of_a_large_table_go_to_buckets(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verify, "IDS_IN_MEMORY", 7)
    plan = sample.Plan()
    plan.accounts = [[sample.account(n) for n in range(a, a + 40)] for a in (0, 40, 80)]
    assert check(sample.make(tmp_path / "right", plan), capsys)[0] == 0
    plan.accounts[2][3] = sample.account(11)
    code, out = check(sample.make(tmp_path / "twice", plan), capsys)
    assert code == 8
    page_3 = sample.page_name("Account", 3)
    assert f"{page_3}: {sample.record_id('001', 11)} stands also in {PAGE_1}" in out
    assert out.splitlines()[-1] == "DAMAGED: 1 finding"


# --- damage: (name, what is done to the bag, words that the output must have)

Damage = Callable[[Path], object]


def swap(bag: Path) -> None:
    one, two = (bag / PAGE_1).read_bytes(), (bag / PAGE_2).read_bytes()
    (bag / PAGE_1).write_bytes(two)
    (bag / PAGE_2).write_bytes(one)


def tamper_and_retag(bag: Path) -> None:
    edit_csv(bag / "bag-info.txt", "Acme", "Evil")
    sample.retag(bag)


def repack(bag: Path) -> None:
    page = bag / PAGE_1
    page.write_bytes(sample.packed(gzip.decompress(page.read_bytes()), level=1))


def second_member(bag: Path) -> None:
    (bag / PAGE_1).write_bytes((bag / PAGE_1).read_bytes() + gzip.compress(b""))


def cut(bag: Path, length: int) -> None:
    (bag / PAGE_1).write_bytes((bag / PAGE_1).read_bytes()[:-length])


def drop_ledger_line(bag: Path) -> None:
    path = bag / "data/ledger.csv"
    path.write_text(
        "".join(x for x in path.open(encoding="utf-8") if "Secret__c" not in x), newline=""
    )


def link(bag: Path, target: str) -> None:
    (bag / "data/records/Account/extra.csv.gz").symlink_to(target)


def replace_by_link(bag: Path) -> None:
    (bag / PAGE_1).rename(bag.parent / "outside.gz")
    (bag / PAGE_1).symlink_to(bag.parent / "outside.gz")


def list_outside(bag: Path) -> None:
    (bag.parent / "secret").write_bytes(b"")
    with (bag / "manifest-sha256.txt").open("a") as file:
        file.write(f"{sample.sha256(b'')}  data/../../secret\n")
    sample.retag(bag)
    sample.sign(bag)


def datapackage_path_outside(bag: Path) -> None:
    edit_csv(bag / "data/datapackage.json", f'"{PAGE_1[5:]}"', '"../../../../etc/passwd"')
    sample.reseal(bag)


def other_key(bag: Path) -> None:
    sample.sign(bag, sample.OTHER_KEY)


def other_signer_in_one_form(bag: Path) -> None:
    mine = {n: (bag / "seal" / n).read_bytes() for n in ("public-key.pem", SEAL[5:] + ".sig")}
    sample.sign(bag, sample.OTHER_KEY)
    for name, content in mine.items():
        (bag / "seal" / name).write_bytes(content)


def then_reseal(damage: Damage) -> Damage:
    """The damage, and everything that anybody can compute made to fit it."""

    def both(bag: Path) -> None:
        damage(bag)
        sample.reseal(bag)

    return both


CASES: list[tuple[str, Damage, list[str]]] = [
    ("page flip", lambda b: flip(b / PAGE_1), [PAGE_1]),
    ("page flip in the gzip header", lambda b: flip(b / PAGE_1, 4), [PAGE_1, "content equal"]),
    ("manifest flip", lambda b: flip(b / "manifest-sha256.txt", 5), ["manifest-sha256.txt:"]),
    ("tag manifest flip", lambda b: flip(b / "tagmanifest-sha256.txt"), ["tagmanifest-sha256.txt"]),
    ("bag-info flip", lambda b: flip(b / "bag-info.txt"), ["bag-info.txt"]),
    ("bagit flip", lambda b: flip(b / "bagit.txt"), ["bagit.txt"]),
    ("raw signature flip", lambda b: flip(b / f"{SEAL}.sig"), [f"{SEAL}.sig"]),
    ("ssh signature flip", lambda b: flip(b / f"{SEAL}.sshsig"), [f"{SEAL}.sshsig"]),
    ("minisign flip", lambda b: flip(b / f"{SEAL}.minisig", 60), [f"{SEAL}.minisig"]),
    ("public key flip", lambda b: flip(b / "seal/public-key.pem"), ["seal/public-key.pem"]),
    ("minisign key flip", lambda b: flip(b / "seal/minisign.pub", 40), ["seal/minisign.pub"]),
    ("signers flip", lambda b: flip(b / "seal/allowed_signers", 80), ["seal/allowed_signers"]),
    ("datapackage flip", lambda b: flip(b / "data/datapackage.json"), ["data/datapackage.json"]),
    ("ledger flip", lambda b: flip(b / "data/ledger.csv"), ["data/ledger.csv"]),
    ("body flip", lambda b: flip(next(b.glob("data/files/content/*/*"))), ["data/files/content/"]),
    ("page removed", lambda b: (b / PAGE_1).unlink(), [f"{PAGE_1}: is missing"]),
    ("page renamed", lambda b: (b / PAGE_1).rename(b / "data/x.csv.gz"), [PAGE_1, "data/x.csv.gz"]),
    ("pages swapped", swap, [PAGE_1, PAGE_2, "swapped"]),
    ("page truncated", lambda b: cut(b, 100), [f"{PAGE_1}: the gzip data ends before"]),
    ("page without its trailer", lambda b: cut(b, 4), [f"{PAGE_1}: the gzip data ends before"]),
    ("page repacked", repack, [f"{PAGE_1}: content equal, container differs"]),
    ("tag manifest recomputed", tamper_and_retag, [f"{SEAL}.sig"]),
    ("tag manifest deleted", lambda b: (b / "tagmanifest-sha256.txt").unlink(),
     ["tagmanifest-sha256.txt: is missing"]),
    ("manifest deleted", lambda b: (b / "manifest-sha256.txt").unlink(), ["manifest-sha256.txt"]),
    ("bagit.txt deleted", lambda b: (b / "bagit.txt").unlink(), ["bagit.txt: is missing"]),
    ("seal removed", lambda b: shutil.rmtree(b / "seal"), ["seal/public-key.pem: is missing"]),
    ("one form removed", lambda b: (b / f"{SEAL}.sshsig").unlink(), [f"{SEAL}.sshsig: is missing"]),
    ("sealed with another key", other_key, ["bag-info.txt: names another signing key"]),
    ("one form by another key", other_signer_in_one_form, ["seal/allowed_signers"]),
    ("extra beside data", lambda b: sample.write(b / "virus.exe", b""), ["virus.exe: lies beside"]),
    ("extra folder beside data", lambda b: sample.write(b / "x/y", b""), ["x/y: lies beside"]),
    ("extra payload", lambda b: sample.write(b / "data/org/x.json", b"{}"),
     ["data/org/x.json: is an extra file"]),
    ("control characters in a name", lambda b: sample.write(b / "data/\x1b[2J", b"{}"),
     ["data/?[2J: is an extra file"]),
    ("symlink", lambda b: link(b, "/etc/passwd"), ["extra.csv.gz: is a link"]),
    ("dangling symlink", lambda b: link(b, "nowhere"), ["extra.csv.gz: is a link"]),
    ("linked folder", lambda b: (b / "data/more").symlink_to("/etc"), ["data/more: is a link"]),
    ("page replaced by a link", replace_by_link, [f"{PAGE_1}: is a link"]),
    ("manifest names a file outside", list_outside, ["manifest-sha256.txt: line"]),
    ("datapackage names a file outside", datapackage_path_outside, ["etc/passwd: is missing"]),
    ("ledger line removed", then_reseal(drop_ledger_line),
     ["data/ledger.csv: has no line for Secret__c"]),
    ("ledger rows altered", then_reseal(lambda b: edit_csv(b / "data/ledger.csv", '"6"', '"7"')),
     ["data/ledger.csv: Account: 7 rows"]),
    ("ledger witness altered",
     then_reseal(lambda b: edit_csv(b / "data/ledger.csv", "parsed=6", "parsed=5")),
     ["data/ledger.csv: Account: 6 rows, but the witness parsed has 5"]),
    ("deleted rows altered",
     then_reseal(lambda b: edit_csv(b / "data/ledger.csv", '"6","1"', '"6","2"')),
     ["data/ledger.csv: Account: deleted_rows"]),
    ("unknown outcome", then_reseal(lambda b: edit_csv(b / "data/ledger.csv", "covered", "fine")),
     ["data/ledger.csv: AccountFeed"]),
    ("a failure whitewashed",
     then_reseal(lambda b: edit_csv(b / "data/ledger.csv", '"failed"', '"exported"')),
     ["data/ledger.csv: Broken__c is exported, yet"]),
    ("journal line altered",
     then_reseal(lambda b: edit_csv(b / "data/evidence/journal.jsonl", '"page"', '"pegs"')),
     ["data/evidence/journal.jsonl: the chain is broken at line 3"]),
    ("page lost everywhere but in the sums", then_reseal(lambda b: (b / PAGE_2).unlink()),
     [PAGE_2]),
    ("page repacked with a second member",
     then_reseal(second_member),
     [f"{PAGE_1}: there is something behind the end"]),
    ("csv_sha256 altered", then_reseal(
        lambda b: flip(b / "data/evidence/pages.csv", -30)), ["csv_sha256 of data/evidence/pages"]),
    ("sobjects.json no JSON", then_reseal(
        lambda b: sample.write(b / "data/schema/sobjects.json.gz", sample.packed(b"[" * 100_000))),
     ["data/schema/sobjects.json.gz: cannot be read"]),
    ("ZIP of metadata cut", then_reseal(
        lambda b: sample.write(b / ZIP, (b / ZIP).read_bytes()[:60])), [f"{ZIP}: is no whole ZIP"]),
    ("ZIP of metadata leads out", then_reseal(
        lambda b: sample.write(b / ZIP, sample.zipped(("../x", b"x")))),
     [f"{ZIP}: has an entry that must not be unpacked"]),
    ("ZIP of metadata holds a link", then_reseal(
        lambda b: sample.write(b / ZIP, sample.zipped((zip_link("flows/A.flow"), b"/etc/passwd")))),
     [f"{ZIP}: has an entry that must not be unpacked"]),
    ("ZIP of metadata lost", then_reseal(lambda b: (b / ZIP).unlink()),
     [f"{ZIP}: lacks its ZIP", "data/metadata/index.csv: names the package 0001"]),
    ("what the org said of metadata lost", then_reseal(
        lambda b: (b / ZIP).with_suffix(".json").unlink()), [f"{ZIP}: lacks what the org said"]),
    ("metadata whitewashed", then_reseal(
        lambda b: edit_csv(b / "data/metadata/index.csv", "failed", "retrieved")),
     ["data/metadata/index.csv: Layout *: retrieved and packages disagree"]),
    ("metadata of unknown outcome", then_reseal(
        lambda b: edit_csv(b / "data/metadata/index.csv", "failed", "fine")),
     ["data/metadata/index.csv: nobody knows the outcome"]),
    ("unknown format", lambda b: edit_csv(b / "bag-info.txt", "archive/1", "archive/2"),
     ["bag-info.txt: names a format"]),
]  # fmt: skip


@pytest.mark.parametrize(("damage", "words"), [c[1:] for c in CASES], ids=[c[0] for c in CASES])
def test_damage_is_named(
    bag: Path, capsys: pytest.CaptureFixture[str], damage: Damage, words: list[str]
) -> None:
    if any(".minisig" in word for word in words) and not shutil.which("minisign"):
        pytest.skip("no minisign here")
    if any(".sig" in word for word in words) and not shutil.which("openssl"):
        pytest.skip("no openssl here")
    damage(bag)
    before = tree(bag)
    code, out = check(bag, capsys)
    assert code == 8, out
    assert out.splitlines()[-1].startswith("DAMAGED: ")
    findings = [line for line in out.splitlines() if line.startswith("DAMAGE  ")]
    for word in words:
        assert any(word in line for line in findings), out
    assert "root:" not in out  # nothing from outside the bag was read
    assert tree(bag) == before


def _account_page(*rows: list[str]) -> sample.Plan:
    plan = sample.Plan()
    plan.accounts[1] = list(rows)
    return plan


@pytest.mark.parametrize(
    ("plan", "words"),
    [
        (_account_page(sample.account(1)), f"{PAGE_2}: {sample.record_id('001', 1)} stands also"),
        (_account_page([sample.record_id("001", 9)[:-1] + "5", *sample.account(9)[1:]]),
         "is not a record id"),
        (_account_page([sample.record_id("001", 9)[:15], *sample.account(9)[1:]]),
         "is not a record id"),
        (_account_page(sample.account(9)[:-1]), f"{PAGE_2}: row 1 has 9 values for 10 columns"),
        (sample.Plan(account_header=["Id", "IsDeleted", "Nome", *[
            name for name, _ in sample.ACCOUNT_FIELDS[3:]]]), f"{PAGE_2}: its header"),
    ],
    ids=["duplicate id", "wrong check characters", "15 characters", "ragged row", "header"],
)  # fmt: skip
def test_wrong_rows_in_a_bag_sealed_all_the_same(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], plan: sample.Plan, words: str
) -> None:
    code, out = check(sample.make(tmp_path / "bag", plan), capsys)
    assert code == 8
    assert words in out


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (b'"Id"\n"001', "not CSV"),
        (b'"Id"x\n', "not CSV"),
        (b'"Id"\n"\xff"\n', "not CSV in UTF-8"),
        (b'"Id"\n"x"', "does not end with a line end"),
        (b"", "its header is not"),
    ],
)
def test_pages_that_are_no_csv(
    bag: Path, capsys: pytest.CaptureFixture[str], text: bytes, words: str
) -> None:
    (bag / PAGE_1).write_bytes(sample.packed(text))
    sample.reseal(bag)
    code, out = check(bag, capsys)
    assert code == 8
    assert any(PAGE_1 in line and words in line for line in out.splitlines()), out


def test_the_readme_is_a_template_that_fits(bag: Path) -> None:
    text = sample.README.read_text("ascii")
    filled = text.format(
        organization="Acme", org_id="00D", generation=1, sealed="2026-11-22", api_version="66.0",
        rows=9, objects=2,
    )  # fmt: skip
    assert len(text.splitlines()) <= 120
    # The recipes for Python run as they stand, in the folder of the archive.
    recipes = [part.split("\n\n")[0] for part in filled.split("Python alone:\n")[1:]]
    recipes += ["  import csv\n" + filled.split("  import csv\n")[1].split("What lives")[0]]
    outputs = []
    for recipe in recipes:
        code = "\n".join(line[2:] for line in recipe.splitlines())
        done = subprocess.run(
            [sys.executable, "-X", "utf8", "-c", code], cwd=bag, capture_output=True, text=True
        )
        assert (done.returncode, done.stderr) == (0, "")
        outputs.append(done.stdout)
    assert outputs[0].startswith(sample.record_id("001", 1) + " NA\n")
    assert [line.split()[0] for line in outputs[1].splitlines()] == ["Broken__c", "Secret__c"]


# --- options


def test_expected_key(bag: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out = check(bag, capsys, "--expect-key", sample.fingerprint())
    assert (code, "signer as expected" in out) == (0, True)
    code, out = check(bag, capsys, "--expect-key", sample.fingerprint(sample.OTHER_KEY))
    assert code == 8
    assert "seal/public-key.pem: is not the key SHA256:" in out


def test_without_programs_the_signature_is_not_called_good(
    bag: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "")
    code, out = check(bag, capsys)
    assert code == 0
    assert "signature:    not checked here" in out
    assert "signed" not in out
    assert verify.main([str(bag), "--expect-key", sample.fingerprint()]) == 2


def test_an_openssl_that_cannot_is_not_a_finding(
    bag: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    program = tmp_path / "bin" / "openssl"
    sample.write(program, b"#!/bin/sh\necho 'pkeyutl: Unrecognized flag rawin' >&2\nexit 1\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent))
    code, out = check(bag, capsys)
    assert (code, "signature:    not checked here" in out) == (0, True), out


def test_quick_and_object(bag: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out = check(bag, capsys, "--quick")
    assert (code, "not checked here: rows and ids of all tables" in out) == (0, True)
    code, out = check(bag, capsys, "--object", "Invoice__c")
    assert (code, "rows read:    3" in out) == (0, True)
    flip(bag / PAGE_1)
    assert check(bag, capsys, "--object", "Invoice__c")[0] == 0
    assert check(bag, capsys, "--object", "Account")[0] == 8
    assert check(bag, capsys, "--quick")[0] == 8


def test_usage(
    tmp_path: Path, bag: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(SystemExit) as stop:
        verify.main([str(tmp_path)])
    assert stop.value.code == 2
    assert verify.main([str(bag), "--object", "Nothing"]) == 2
    monkeypatch.setattr(verify.tempfile, "tempdir", str(bag / "data"))
    assert verify.main([str(bag)]) == 2
    assert [p.name for p in (bag / "data/tools").iterdir()] == ["verify.py"]
