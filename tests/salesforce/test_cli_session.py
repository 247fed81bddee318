"""The Salesforce CLI's session, with a stand-in `sf` on PATH that answers in its shapes.

The shapes are those of plugin-org's `org display` and `org auth show-access-token` (--json) and
of @salesforce/sf-plugins-core's error document.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sfexit.errors import SessionLost, SignInProblem, Transient, UsageProblem
from sfexit.salesforce import cli_session
from sfexit.salesforce.cli_session import CliSession

from .wire import NEW_TOKEN, ORG, TOKEN, Clock

REDACTED = "[REDACTED] Use 'sf org auth show-access-token' to view"
WARNING = "This command will expose sensitive information that allows for subsequent activity."

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the stand-in is a script")

STAND_IN = """#!{python}
import json, os, sys
here = os.path.dirname(os.path.abspath(__file__))
with open(os.path.join(here, "calls.jsonl"), "a") as log:
    seen = {{k: v for k, v in os.environ.items() if "COLOR" in k or "SFEXIT" in k or "JSON" in k}}
    log.write(json.dumps([sys.argv[1:], seen, sys.stdin.read()]) + "\\n")
name = " ".join(word for word in sys.argv[1:] if not word.startswith("-"))
with open(os.path.join(here, "answers.json")) as file:
    answers = json.load(file)
for start, told in answers:
    if name.startswith(start):
        break
else:
    told = {{"exit": 127, "stderr": "Warning: " + name + " is not a sf command."}}
if "sleep" in told:
    import time
    time.sleep(told["sleep"])
sys.stderr.write(told.get("stderr", ""))
out = told.get("stdout", "")
sys.stdout.write(out if isinstance(out, str) else json.dumps(out, indent=2))
sys.exit(told.get("exit", 0))
"""

Answers = list[tuple[str, dict[str, Any]]]


class FakeCli:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        program = folder / "sf"
        program.write_text(STAND_IN.format(python=sys.executable + " -IS"))
        program.chmod(0o755)

    def answers(self, *answers: tuple[str, dict[str, Any]]) -> None:
        (self.folder / "answers.json").write_text(json.dumps(answers))

    @property
    def calls(self) -> list[list[Any]]:
        lines = (self.folder / "calls.jsonl").read_text().splitlines()
        return [json.loads(line) for line in lines]

    def session(self, alias: str = "acme", **options: Any) -> CliSession:
        environment = {"PATH": str(self.folder), **options.pop("env", {})}
        return CliSession(alias, environment=environment, **options)


@pytest.fixture
def cli(tmp_path: Path) -> FakeCli:
    return FakeCli(tmp_path)


def shown(token: str) -> tuple[str, dict[str, Any]]:
    document = {"status": 0, "result": {"accessToken": token}, "warnings": [WARNING]}
    return "org auth show-access-token", {"stdout": document, "stderr": WARNING + "\n"}


def display(token: str = REDACTED, **more: Any) -> tuple[str, dict[str, Any]]:
    result = {
        "id": "00D5g0000000001EAA",
        "apiVersion": "66.0",
        "accessToken": token,
        "instanceUrl": ORG,
        "username": "me@acme.example",
        "clientId": "PlatformCLI",
        "connectedStatus": "Connected",
        "alias": "acme",
        **more,
    }
    return "org display", {"stdout": {"status": 0, "result": result, "warnings": []}}


def failure(name: str, words: str) -> dict[str, Any]:
    document = {
        "name": name,
        "message": words,
        "exitCode": 1,
        "context": "OrgDisplayCommand",
        "commandName": "OrgDisplayCommand",
        "stack": f"{name}: {words}\n    at Object.run",
        "status": 1,
    }
    return {"stdout": document, "exit": 1}


def test_a_new_cli(cli: FakeCli) -> None:
    cli.answers(shown(TOKEN), display())
    session = cli.session(env={"FORCE_COLOR": "1", "SFEXIT_CLIENT_SECRET": "CANARY"})
    assert session.token().reveal() == TOKEN and str(session.origin) == ORG
    assert session.renewable
    first, second = cli.calls
    assert first[0] == ["org", "auth", "show-access-token", "--target-org", "acme", "--json"]
    assert second[0] == ["org", "display", "--target-org", "acme", "--json"]
    assert first[1] == {"NO_COLOR": "1", "SF_JSON_TO_STDOUT": "true"} and first[2] == ""
    assert TOKEN not in repr(session) + repr(vars(session))


@pytest.mark.parametrize(
    "unknown",
    [
        None,  # oclif's plugin-not-found: exit 127, words on stderr only
        failure("CommandNotFoundError", "command org:auth:show-access-token not found"),
        {"exit": 2, "stderr": "Error: Command org:auth:show-access-token not found.\n"},
    ],
)
def test_an_old_cli(cli: FakeCli, unknown: dict[str, Any] | None) -> None:
    told: Answers = [] if unknown is None else [("org auth", unknown)]
    cli.answers(*told, display(TOKEN))
    session = cli.session(clock=Clock(step=60))
    assert session.token().reveal() == TOKEN and str(session.origin) == ORG
    cli.answers(*told, display(NEW_TOKEN))
    assert session.renew(session.token()).reveal() == NEW_TOKEN
    assert [call[0][1] for call in cli.calls] == ["auth", "display", "display"]  # learnt


@pytest.mark.parametrize("token", [REDACTED, "", "eyJhbGciOiJSUzI1NiJ9.e30.x", "00Dwithoutmark"])
def test_a_cli_that_can_do_neither(cli: FakeCli, token: str) -> None:
    cli.answers(display(token))
    with pytest.raises(SignInProblem, match=r"2\.136\.8 or newer"):
        cli.session().token()


def test_a_token_of_web_token_form_is_taken_from_the_new_command(cli: FakeCli) -> None:
    cli.answers(shown("eyJhbGciOiJSUzI1NiJ9.e30.signature"), display())
    assert cli.session().token().reveal().startswith("eyJ")


@pytest.mark.parametrize("token", [REDACTED, "", None, 5])
def test_no_token_where_one_should_be(cli: FakeCli, token: Any) -> None:
    cli.answers(shown(token), display())
    with pytest.raises(SignInProblem, match="shows no access token"):
        cli.session().token()


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("NamedOrgNotFoundError", "No authorization information found for acme."),
        ("RefreshTokenAuthError", "Error authenticating with the refresh token due to: expired"),
    ],
)
def test_a_refusal_is_read_from_stdout(cli: FakeCli, name: str, words: str) -> None:
    cli.answers(("org", {**failure(name, words), "stderr": "Warning: update available\n"}))
    with pytest.raises(SignInProblem, match=name) as caught:
        cli.session().token()
    assert words in caught.value.message and "sf org login web" in caught.value.message


def test_chatter_around_the_json_is_borne(cli: FakeCli) -> None:
    start, told = shown(TOKEN)
    noisy = "plugin says hello\n" + json.dumps(told["stdout"]) + "\nbye\n"
    cli.answers((start, {"stdout": noisy}), display())
    assert cli.session().token().reveal() == TOKEN


@pytest.mark.parametrize("told", [{"stdout": "nonsense"}, {"stdout": "[1]"}, {"exit": 1}, {}])
def test_no_json_at_all(cli: FakeCli, told: dict[str, Any]) -> None:
    cli.answers(("org", told))
    with pytest.raises(SignInProblem, match="no JSON"):
        cli.session().token()


def test_secrets_in_its_words_are_not_repeated(cli: FakeCli) -> None:
    cli.answers(("org", {"exit": 1, "stderr": f"failed with {TOKEN} force://a:b:c@h\n"}))
    with pytest.raises(SignInProblem) as caught:
        cli.session().token()
    assert TOKEN not in caught.value.message and "a:b:c" not in caught.value.message


def test_renewing_asks_again(cli: FakeCli) -> None:
    clock = Clock()
    cli.answers(shown(TOKEN), display())
    session = cli.session(clock=clock)
    stale = session.token()
    assert session.renew(stale) == stale  # asked a moment ago
    clock.now += 60
    cli.answers(shown(NEW_TOKEN), display())
    assert session.renew(stale).reveal() == NEW_TOKEN
    calls = len(cli.calls)
    assert session.renew(stale).reveal() == NEW_TOKEN and len(cli.calls) == calls


def test_a_session_that_the_cli_cannot_renew(cli: FakeCli) -> None:
    cli.answers(shown(TOKEN), display())
    session = cli.session(clock=Clock(step=60))
    with pytest.raises(SessionLost, match=r"sf org login web --alias acme.*Progress is kept"):
        session.renew(session.token())


def test_another_org_than_it_shows(cli: FakeCli) -> None:
    cli.answers(shown(TOKEN), display(id="00D5g0000000009EAA"))
    with pytest.raises(SignInProblem, match="another org"):
        cli.session().token()


def test_an_org_that_moves(cli: FakeCli) -> None:
    cli.answers(shown(TOKEN), display())
    session = cli.session(clock=Clock(step=60))
    stale = session.token()
    cli.answers(shown(NEW_TOKEN), display(instanceUrl="https://acme2.my.salesforce.com"))
    with pytest.raises(SignInProblem, match="instead of acme"):
        session.renew(stale)


@pytest.mark.parametrize("url", ["https://evil.example", "", None, "ftp://x"])
def test_an_address_that_cannot_be(cli: FakeCli, url: Any) -> None:
    cli.answers(shown(TOKEN), display(instanceUrl=url))
    with pytest.raises(SignInProblem, match=r"address|does not say where"):
        cli.session().token()


def test_it_does_not_wait_for_ever(cli: FakeCli) -> None:
    cli.answers(("org", {"sleep": 30}))
    with pytest.raises(Transient, match="did not answer"):
        cli.session(timeout_seconds=0.3).token()


@pytest.mark.parametrize(
    "alias", ["", "-acme", "a b", "a;b", "a&b", "a|b", "a%PATH%b", 'a"b', "a\nb", "$(x)", "ä"]
)
def test_aliases_that_a_command_interpreter_would_read(cli: FakeCli, alias: str) -> None:
    with pytest.raises(UsageProblem, match="sf org list"):
        cli.session(alias)


def test_no_cli(tmp_path: Path) -> None:
    with pytest.raises(SignInProblem, match="not on the PATH"):
        CliSession("acme", environment={"PATH": str(tmp_path)})


def test_a_cli_that_cannot_be_started(tmp_path: Path) -> None:
    (tmp_path / "sf").write_text("#!/nonexistent/interpreter\n")
    (tmp_path / "sf").chmod(0o755)
    with pytest.raises(SignInProblem, match="cannot be started"):
        CliSession("acme", environment={"PATH": str(tmp_path)}).token()


def test_on_windows_not_from_the_current_folder(
    cli: FakeCli, monkeypatch: pytest.MonkeyPatch
) -> None:
    # What `shutil.which` does there: it looks into the current folder before PATH.
    monkeypatch.setattr(cli_session.shutil, "which", lambda *_, **__: str(cli.folder / "sf"))
    monkeypatch.setattr(cli_session.sys, "platform", "win32")
    monkeypatch.chdir(cli.folder)
    with pytest.raises(SignInProblem, match="current folder"):
        cli.session()


def test_the_token_is_in_no_command_line(cli: FakeCli, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[Any] = []
    run: Callable[..., Any] = cli_session.subprocess.run

    def watch(words: list[str], **options: Any) -> Any:
        started.append((words, options))
        return run(words, **options)

    monkeypatch.setattr(cli_session.subprocess, "run", watch)
    cli.answers(shown(TOKEN), display())
    session = cli.session(env={"SFEXIT_ACCESS_TOKEN": "CANARY"}, clock=Clock(step=60))
    stale = session.token()
    cli.answers(shown(NEW_TOKEN), display())
    session.renew(stale)
    for words, options in started:
        assert isinstance(words, list) and not options.get("shell")
        said = json.dumps([words, options["env"]])
        assert "CANARY" not in said and TOKEN not in said and NEW_TOKEN not in said
    assert os.path.isabs(started[0][0][0])  # noqa: PTH117
