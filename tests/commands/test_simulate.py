"""`sfexit simulate` as its user meets it: a process that tells where it is and stops when asked."""

from __future__ import annotations

import json
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import requests


@pytest.mark.parametrize("options", [[], ["--tls", "--shape", "full"]])
def test_it_serves_until_stopped(options: list[str], tmp_path: Path) -> None:
    words = [sys.executable, "-m", "sfexit", "simulate", "--rows", "500", *options]
    with subprocess.Popen(
        words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=tmp_path
    ) as process:
        assert process.stdout is not None and process.stderr is not None
        told = json.loads(process.stdout.readline())
        verify = told["ca_bundle"] or True
        answer = requests.get(
            f"{told['url']}/services/data/v66.0/sobjects",
            headers={"Authorization": f"Bearer {told['access_token']}"},
            verify=verify,
            timeout=20,
        )
        assert len(answer.json()["sobjects"]) == told["objects"]
        assert told["url"].startswith("https://" if "--tls" in options else "http://")
        process.send_signal(signal.SIGTERM)
        said = process.stderr.read()
        assert process.wait(20) == 0
    assert f"export SFEXIT_INSTANCE_URL='{told['url']}'" in said
    assert ("SFEXIT_CA_BUNDLE" in said) == ("--tls" in options)


def test_a_taken_port_is_told(tmp_path: Path) -> None:
    words = [sys.executable, "-m", "sfexit", "simulate", "--rows", "500", "--port", "1"]
    done = subprocess.run([*words, "--for", "0.1"], capture_output=True, text=True, timeout=60)
    assert done.returncode in (0, 2)
    assert "Traceback" not in done.stderr


def test_people_to_rehearse_with(tmp_path: Path) -> None:
    words = [sys.executable, "-m", "sfexit", "simulate", "--rows", "300", "--for", "0.1"]
    done = subprocess.run(
        [*words, "--people", "12", "--leavers", "4"], capture_output=True, text=True, timeout=60
    )
    told = json.loads(done.stdout)
    assert done.returncode == 0 and len(set(told["leavers"])) == 4
    assert told["successor"] not in told["leavers"]
    [line] = [one for one in done.stderr.splitlines() if "offboard-users plan" in one]
    said = shlex.split(line)
    assert said[4:7] == told["leavers"][:3] and said[-1] == told["successor"]
    assert "(and 1 more, named on stdout)" in done.stderr
    few = subprocess.run([*words, "--people", "3"], capture_output=True, text=True, timeout=60)
    assert few.returncode == 2 and "somebody must stay" in few.stderr
