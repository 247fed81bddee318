from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfexit.errors import DamagedAnswer
from sfexit.salesforce.soap import Call, Reader, read_fault

FAULT = (
    b'<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/"><e:Body><e:Fault>'
    b"<faultcode>sf:INVALID_TYPE</faultcode><faultstring>INVALID_TYPE: Unknown type:X"
    b"</faultstring></e:Fault></e:Body></e:Envelope>"
)


def records(document: bytes, path: str, pieces: int = 1) -> list[dict[str, list[str]]]:
    found: list[dict[str, list[str]]] = []
    reader = Reader([path], lambda _path, values: found.append(values))
    step = max(1, len(document) // pieces)
    for at in range(0, len(document), step):
        reader.feed(document[at : at + step])
    reader.finish()
    return found


def test_records_are_read_whatever_the_pieces():
    document = b"<a><b><n>1 &amp; 2</n><n>\xc3\xa9</n><deep><n>no</n></deep></b><b><n/></b></a>"
    for pieces in (1, 3, len(document)):
        first, second = records(document, "a/b", pieces)
        assert first["n"] == ["1 & 2", "é"]
        assert second == {"n": [""]}


@pytest.mark.parametrize(
    "document",
    [
        b'<!DOCTYPE a SYSTEM "file:///etc/passwd"><a/>',
        b'<!DOCTYPE a [<!ENTITY x "y">]><a>&x;</a>',
        b"<!DOCTYPE a><a/>",
        b"<a>&x;</a>",
        b"<a><?php x?></a>",
        b"<a><b></a>",
        b"<a/><a/>",
        b"<a>",
        b"",
        b"<a>" * 40 + b"</a>" * 40,
        b"\xff\xfe<\x00a\x00",
        b'<?xml version="1.0" encoding="utf-7"?><a/>',
    ],
)
def test_what_no_message_has_is_refused(document):
    with pytest.raises(DamagedAnswer):
        records(document, "a")


def test_a_text_without_end_is_refused():
    with pytest.raises(DamagedAnswer, match="text without end"):
        records(b"<a><b>" + b"x" * (2 << 20) + b"</b></a>", "a")


def test_a_streamed_element_keeps_nothing():
    parts: list[str] = []
    found: list[dict[str, list[str]]] = []
    reader = Reader(["a"], lambda _p, v: found.append(v), stream=("a/zip", parts.append))
    reader.feed(b"<a><zip>" + b"QUJD" * 500_000)
    reader.feed(b"</zip><n>1</n></a>")
    reader.finish()
    assert len("".join(parts)) == 2_000_000
    assert found == [{"zip": [""], "n": ["1"]}]


@given(st.text(), st.text())
def test_no_value_becomes_structure(session, name):
    message = Call("listMetadata", {"queries": [{"type": name}]}).envelope(session)
    [asked] = records(message, "Envelope/Body/listMetadata/queries")
    clean = "".join(c for c in name if c >= " " or c in "\t\n\r")
    assert list(asked) == ["type"]
    assert asked["type"][0].split() == clean.split()


def test_an_odd_element_name_is_refused():
    with pytest.raises(ValueError):
        Call("x><y", {}).envelope("")


def test_a_call_does_not_show_its_arguments():
    assert repr(Call("retrieve", {"a": "secret"})) == "<Call retrieve>"


def test_faults_are_read():
    fault = read_fault(FAULT)
    assert fault is not None
    assert (fault.code, fault.reason) == ("INVALID_TYPE", "Unknown type:X")
    assert read_fault(b"<html>no</html>") is None
    assert read_fault(b"<html>no") is None
