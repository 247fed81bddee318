"""The simulated org as a process of its own, and a note on its speed."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from typing import Any

import pytest
import requests

from sfexit.simulated_org import SimulatedOrg
from sfexit.simulated_org.select import select


def start(*arguments: str) -> tuple[subprocess.Popen[bytes], dict[str, Any]]:
    process = subprocess.Popen(
        [sys.executable, "-m", "sfexit.simulated_org", "--rows", "400", *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert process.stdout is not None
    return process, json.loads(process.stdout.readline())


@pytest.mark.parametrize("ending", ["stdin", "SIGTERM", "SIGINT"])
def test_it_serves_until_told_to_stop(ending: str) -> None:
    process, line = start("--seed", "9", "--one-object")
    try:
        headers = {"Authorization": f"Bearer {line['access_token']}"}
        answer = requests.get(
            f"{line['url']}/services/data/v66.0/sobjects/Organization/{line['organization_id']}",
            headers=headers,
            timeout=10,
        )
        assert answer.json()["Id"] == line["organization_id"]
        if ending == "stdin":
            assert process.stdin is not None
            process.stdin.close()
        else:
            process.send_signal(getattr(signal, ending))
        assert process.wait(10) == 0
    finally:
        process.kill()
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                stream.close()


def test_note_on_speed(record_property: Any, capsys: Any) -> None:
    org = SimulatedOrg(rows=40_000, one_object="Account")
    sobject = org.sobject("Account")
    assert sobject is not None
    names = [f.name for f in sobject.fields if f.type != "address"]
    chosen = select(org, f"SELECT {','.join(names)} FROM Account", True, 66.0)
    started, size = time.perf_counter(), 0
    for rows in chosen.chunks(0, chosen.count):
        size += sum(map(len, chosen.lines(rows)))
    seconds = time.perf_counter() - started
    note = f"{chosen.count / seconds:,.0f} rows/s at {size / chosen.count:.0f} characters a row"
    record_property("bulk_rendering", note)
    with capsys.disabled():
        print(f"\nbulk rendering: {note}")
