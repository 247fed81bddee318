"""What other exporters were seen to let pass: one test each, in which it is noticed offline.

Each archive here was sealed by its maker, with right digests and a right signature: the error is
inside.
"""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
from collections.abc import Callable
from pathlib import Path

import damage as d
import pytest
from made import Made

from sfexit.verify.codes import Level
from sfexit.verify.offline import Options, verify_offline
from sfexit.verify.verdict import Verdict


def noticed(made: Made) -> set[str]:
    d.reseal(made.bag, made.key)
    options = Options(level=Level.DEEP, expect_key=made.key.fingerprint, workers=1)
    told = verify_offline(made.home, options).judgement
    assert told.verdict is Verdict.DAMAGED
    return {one.code for one in told.findings}


def bytes_of(made: Made, change: Callable[[bytes], bytes], *, evidence: bool = False) -> None:
    path = d.page(made.bag)
    path.write_bytes(gzip.compress(change(gzip.decompress(path.read_bytes()))))
    if evidence:
        d.refresh_page(made.bag, path)


# --- sfdump, run


def test_two_versions_with_one_title_interleaved(made: Made) -> None:
    one, other = d.bodies(made.bag)[-2:]
    mixed = one.read_bytes()[:6] + other.read_bytes()[6:]
    one.write_bytes(mixed + b"tail of the other")
    assert {"body-wrong", "body-md5"} <= noticed(made)


def test_a_stump_of_a_download_blessed_by_its_own_digest(made: Made) -> None:
    """Digest and size of the stump stand in the index; Salesforce's do not agree."""
    index = d.read_csv(made.bag / d.INDEX)
    row = d.version(index)
    told = dict(zip(index[0], row, strict=True))
    body = made.bag / "data" / told["path"]
    body.write_bytes(body.read_bytes()[:5])
    for column, value in (("bytes", "5"), ("sha256", d.sha256(body.read_bytes()))):
        row[index[0].index(column)] = value
    d.write_csv(made.bag / d.INDEX, index)
    assert {"body-wrong", "body-md5"} <= noticed(made)


def test_half_an_object_kept_after_page_two_failed(made: Made) -> None:
    path = d.page(made.bag)
    d.edit_csv(path, lambda rows: rows.__delitem__(slice(len(rows) // 2, None)))
    d.refresh_page(made.bag, path, rows=len(d.read_csv(path)) - 1)
    assert "ledger-wrong" in noticed(made)


def test_an_object_that_failed_listed_as_found(made: Made) -> None:
    d._left_out(made.bag)
    assert "ledger-wrong" in noticed(made)


def test_a_file_of_no_bytes_is_not_missing(pristine: Made) -> None:
    assert any(body.stat().st_size == 0 for body in d.bodies(pristine.bag))
    told = verify_offline(pristine.home, Options(level=Level.DEEP, workers=1)).judgement
    assert told.verdict is Verdict.INTACT


def test_more_there_than_expected(made: Made) -> None:
    index = d.read_csv(made.bag / d.INDEX)
    d.write_csv(made.bag / d.INDEX, index[:-1])
    assert {"rows-wrong", "evidence-wrong"} <= noticed(made)


# --- rows missing, and nobody said so


@pytest.mark.parametrize("kept", [1, 10, 100])
def test_only_the_first_batch_came(made: Made, kept: int) -> None:
    d.edit_rows("Contact", lambda rows: rows.__delitem__(slice(kept + 1, None)))(made.bag)
    assert "rows-wrong" in noticed(made)


def test_read_zero_records_and_green(made: Made) -> None:
    d.edit_rows("Contact", lambda rows: rows.__delitem__(slice(1, None)))(made.bag)
    assert "rows-wrong" in noticed(made)


def test_rows_with_one_time_stamp_read_twice(made: Made) -> None:
    d.edit_rows("Contact", lambda rows: rows.__setitem__(2, list(rows[1])))(made.bag)
    assert "id-twice" in noticed(made)


def test_a_column_missing_since_the_first_rows_were_empty(made: Made) -> None:
    d._field_gone(made.bag)
    assert "header-wrong" in noticed(made)


# --- values damaged: whoever edits a page in passing leaves the digest of what arrived behind


@pytest.mark.parametrize(
    ("why", "change"),
    [
        ("NA becomes empty", lambda text: text.replace(b'"NA"', b'""')),
        ("leading zeros go", lambda text: text.replace(b'"01234"', b'"1234"')),
        ("line breaks vanish", lambda text: text.replace(b"first\nsecond", b"first second")),
        ("NUL is dropped", lambda text: text.replace(b"\0", b"")),
        ("null becomes a number", lambda text: text.replace(b'"",', b'"0",', 1)),
    ],
    ids=lambda one: one.replace(" ", "-") if isinstance(one, str) else "",
)
def test_values_changed_in_passing(made: Made, why: str, change: Callable[[bytes], bytes]) -> None:
    dirty = '"NA","01234","first\nsecond","nul\0inside"\n'

    def before(text: bytes) -> bytes:
        rows = list(csv.reader(io.StringIO(text.decode(), newline="")))
        names = [rows[0].index(one) for one in ("LastName", "FirstName", "Title", "Department")]
        values = next(csv.reader(io.StringIO(dirty, newline="")))
        for at, value in zip(names, values, strict=True):
            rows[1][at] = value
        out = io.StringIO(newline="")
        csv.writer(out, quoting=csv.QUOTE_ALL, lineterminator="\n").writerows(rows)
        return out.getvalue().encode()

    bytes_of(made, before, evidence=True)
    text = gzip.decompress(d.page(made.bag).read_bytes())
    assert change(text) != text, why
    bytes_of(made, change)
    assert "evidence-wrong" in noticed(made)


@pytest.mark.parametrize("value", ["8.2e+17", "001", "001kY00000000AjQA", "0x1"])
def test_an_id_that_became_a_number(made: Made, value: str) -> None:
    d.edit_rows("Contact", d.cell("Id", lambda _: value))(made.bag)
    assert "id-malformed" in noticed(made)


def test_columns_shifted_by_a_stray_quote(made: Made) -> None:
    bytes_of(made, lambda text: text.replace(b'","', b'" ","', 1), evidence=True)
    assert "text-broken" in noticed(made)


def test_a_broken_row_is_named_by_its_number(made: Made) -> None:
    d.edit_rows("Contact", lambda rows: rows[7].append("one too many"))(made.bag)
    d.reseal(made.bag, made.key)
    told = verify_offline(made.home, Options(level=Level.DEEP, workers=1)).judgement
    [broken] = [one for one in told.findings if one.code == "text-broken"]
    assert broken.path == d.relative(made.bag, d.page(made.bag)) and "row 7 " in broken.found


def test_a_value_with_a_line_break_became_two_rows(made: Made) -> None:
    bytes_of(made, lambda text: text.replace(b'","', b'"\n"', 3), evidence=True)
    assert {"text-broken", "header-wrong"} & noticed(made)


# --- permissions hide data in silence


def test_a_field_hidden_by_permissions_and_not_told(made: Made) -> None:
    """The column is not there, and the ledger gives no reason."""
    d._field_gone(made.bag)
    d.edit_ledger("Contact", "fields_not_exported", "MailingAddress: is a compound")(made.bag)
    assert "header-wrong" in noticed(made)


def test_rows_hidden_by_sharing_and_not_told(made: Made) -> None:
    d.edit_json(made.bag / d.SIGHT, d._blind)
    assert "sight-wrong" in noticed(made)


def test_an_object_hidden_altogether_and_not_told(made: Made) -> None:
    d.edit_json(made.bag / d.SIGHT, d._hide)
    assert "sight-wrong" in noticed(made)


# --- files


def test_versions_with_one_title_overwrote_each_other(made: Made) -> None:
    """Two lines name one file, and it holds the bytes of the later one."""
    index = d.read_csv(made.bag / d.INDEX)
    at = index[0].index("path")
    lost = made.bag / "data" / index[1][at]
    index[1][at] = index[2][at]
    lost.unlink()
    d.write_csv(made.bag / d.INDEX, index)
    assert "body-wrong" in noticed(made)


def test_a_file_that_was_lost(made: Made) -> None:
    d.bodies(made.bag)[0].unlink()
    assert "body-missing" in noticed(made)


def test_an_error_page_saved_as_a_file(made: Made) -> None:
    """Its own digest is right; the MD5 that Salesforce gave is not its MD5."""
    index = d.read_csv(made.bag / d.INDEX)
    line = d.version(index)
    body = made.bag / "data" / line[index[0].index("path")]
    body.write_bytes(b"<html>Service unavailable</html>")
    told = {
        "bytes": str(body.stat().st_size),
        "salesforce_bytes": "",
        "sha256": hashlib.sha256(body.read_bytes()).hexdigest(),
    }
    for column, value in told.items():
        line[index[0].index(column)] = value
    d.write_csv(made.bag / d.INDEX, index)
    assert "body-md5" in noticed(made)


def test_a_home_with_nothing_in_it_is_not_intact(tmp_path: Path) -> None:
    from sfexit.errors import UsageProblem

    (tmp_path / "bags").mkdir()
    with pytest.raises(UsageProblem, match="no sealed archive"):
        verify_offline(tmp_path)
