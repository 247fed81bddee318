"""The documentation against the code: nothing missing, nothing invented, every example runs."""

from __future__ import annotations

import importlib
import os
import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from sfexit import settings
from sfexit.commands import _exit, main
from sfexit.simulated_org import SimulatedOrg, serve
from sfexit.simulated_org.catalogue import standard_objects

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
CONTRACT = DOCS / "archive-format.md"  # speaks of later versions of sfexit too
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted(DOCS.rglob("*.md"))]

_OPTION = re.compile(r"(?<![\w-])--[a-z][a-z0-9-]*")
_VARIABLE = re.compile(r"\bSFEXIT_[A-Z_]+[A-Z]\b")

#: Options of other programs that pages name.
FOREIGN = {"--metadata-dir", "--name", "--target-org"}


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def commands() -> dict[str, click.Command]:
    """Every command, groups with their members as "group member"."""
    found: dict[str, click.Command] = {}
    for name, (module, _) in main.COMMANDS.items():
        command = importlib.import_module(module).command
        found[name] = command
        if isinstance(command, click.Group):
            found.update({f"{name} {sub}": one for sub, one in command.commands.items()})
    return found


def options_of(command: click.Command) -> set[str]:
    """Its options, long and short."""
    context = click.Context(command, help_option_names=["-h", "--help"])
    return {
        text
        for parameter in command.get_params(context)
        if isinstance(parameter, click.Option)
        for text in (*parameter.opts, *parameter.secondary_opts)
    }


COMMANDS = commands()


def page_of(command: str) -> Path:
    return DOCS / f"{command.split()[0]}.md"


# ---- commands and options ------------------------------------------------------------------------


@pytest.mark.parametrize("command", COMMANDS)
def test_command_has_a_page_and_stands_in_the_index(command: str) -> None:
    assert page_of(command).is_file()
    assert f"sfexit {command}" in (DOCS / "index.md").read_text("utf-8")


@pytest.mark.parametrize("command", COMMANDS)
def test_every_option_is_documented(command: str) -> None:
    text = page_of(command).read_text("utf-8")
    table = set(re.findall(r"`(--?[a-zA-Z][a-z0-9-]*)[ `]", text))
    assert options_of(COMMANDS[command]) - table == set()


@pytest.mark.parametrize("page", [one for one in PAGES if one != CONTRACT], ids=name_of)
def test_every_documented_option_exists(page: Path) -> None:
    text = page.read_text("utf-8")
    known = {"--version", "--help"} | FOREIGN
    known |= {option for command in COMMANDS.values() for option in options_of(command)}
    assert set(_OPTION.findall(text)) - known == set()
    own = [command for name, command in COMMANDS.items() if page == page_of(name)]
    if own:  # its tables list what this command takes, and no other
        rows = re.findall(r"^\| (`--.+?) \|", text, re.MULTILINE)
        listed = {option for row in rows for option in _OPTION.findall(row)}
        assert listed - {option for command in own for option in options_of(command)} == set()


@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_help_says_what_it_is_for_and_has_examples(command: str) -> None:
    shown = CliRunner().invoke(main.root, [*command.split(), "--help"], prog_name="sfexit")
    assert shown.exit_code == 0
    paragraphs = shown.output.split("\n\n")
    assert paragraphs[0].startswith(f"Usage: sfexit {command}".strip())
    purpose = " ".join(paragraphs[1].split())
    assert re.match(r"[A-Z].+\.$", purpose), purpose
    assert "Examples:" in shown.output
    examples = shown.output.partition("Examples:")[2]
    assert f"sfexit {command}".strip() in examples


@pytest.mark.parametrize("command", COMMANDS)
def test_every_option_has_a_help_text(command: str) -> None:
    for parameter in COMMANDS[command].params:
        if isinstance(parameter, click.Option):
            assert parameter.help, parameter.opts


def test_list_of_commands_tells_the_same_as_their_help() -> None:
    for name, (_, line) in main.COMMANDS.items():
        assert line.endswith(".")
        first = (COMMANDS[name].help or "").split()[0]
        assert line.split()[0] == first, name


# ---- exit codes, settings, variables -------------------------------------------------------------


def test_exit_codes() -> None:
    constants = {
        name: value
        for name, value in vars(_exit).items()
        if name.isupper() and isinstance(value, int)
    }
    text = (DOCS / "exit-codes.md").read_text("utf-8")
    rows = re.findall(r"^\| (\d+) \| ([A-Z_]+) \|", text, re.MULTILINE)
    assert {name: int(code) for code, name in rows} == constants
    assert [int(code) for code, _ in rows] == sorted(constants.values())


@pytest.mark.parametrize("command", COMMANDS)
def test_exit_codes_of_a_command_page(command: str) -> None:
    """Codes that a page names exist."""
    text = page_of(command).read_text("utf-8").partition("\n## Exit codes\n")[2]
    text = text.partition("\n## ")[0]
    assert text
    named = {int(code) for code in re.findall(r"(?:\n\| |[.:] |\n)(\d+)(?: \||: )", text)}
    known = {value for name, value in vars(_exit).items() if name.isupper()}
    assert {0} < named <= known


def test_settings_keys() -> None:
    text = (DOCS / "settings.md").read_text("utf-8")
    documented = {}
    for table, body in re.findall(r"^### \[(\w+)\]\n(.*?)(?=^##|\Z)", text, re.M | re.S):
        documented[table] = set(re.findall(r"^\| `(\w+)` \|", body, re.MULTILINE))
    assert documented == {table: set(keys) for table, keys in settings._KEYS.items()}
    for table, keys in settings._KEYS.items():
        for key in keys:
            assert f"`[{table}] {key}`" in text


def test_variables() -> None:
    used: set[str] = set()
    for path in (ROOT / "sfexit").rglob("*.py"):
        used |= set(_VARIABLE.findall(path.read_text("utf-8")))
    documented = set(_VARIABLE.findall((DOCS / "settings.md").read_text("utf-8")))
    assert used - documented == set()
    assert documented - used == set()


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_variables_of_other_pages_are_in_settings(page: Path) -> None:
    known = set(_VARIABLE.findall((DOCS / "settings.md").read_text("utf-8")))
    assert set(_VARIABLE.findall(page.read_text("utf-8"))) <= known


def test_example_file_has_every_key_and_is_accepted(tmp_path: Path) -> None:
    text = (ROOT / "config/sfexit.toml").read_text("utf-8")
    assert tomllib.loads(text) == {table: {} for table in settings._KEYS}, "all is commented out"
    lines = [re.sub(r"^# (?=\w+ = )", "", line) for line in text.splitlines()]
    open_text = "\n".join(lines)
    told = tomllib.loads(open_text)
    assert {table: set(entries) for table, entries in told.items()} == {
        table: set(keys) for table, keys in settings._KEYS.items()
    }
    (tmp_path / "sfexit.toml").write_text(open_text, "utf-8")
    (tmp_path / "sfexit.toml").chmod(0o600)
    accepted = settings.load(tmp_path, {"SFEXIT_CONFIG_DIR": str(tmp_path / "none")})
    assert accepted != settings.Settings()


# ---- dependencies --------------------------------------------------------------------------------


def test_dependencies() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    extras = project["optional-dependencies"]
    text = (DOCS / "dependencies.md").read_text("utf-8")
    parts = re.split(r"^## ", text, flags=re.MULTILINE)
    for title, requirements in [("To run", project["dependencies"]), *extras.items()]:
        [part] = [one for one in parts if one.startswith((title, f"Extra `{title}`"))]
        rows = " ".join(line.split("|")[1] for line in part.splitlines() if line.startswith("| `"))
        documented = set(re.findall(r"`([^`]+)`", rows))
        needed = {re.match(r"[\w.-]+", one)[0] for one in requirements}  # type: ignore[index]
        if title == "dev":
            documented |= {re.match(r"[\w.-]+", one)[0] for one in extras["validators"]}  # type: ignore[index]
        assert needed - documented == set()
        assert documented - needed == set()


def test_start_is_light() -> None:
    script = (
        "import sys, time\n"
        "from sfexit.commands.main import run\n"
        "run(['--help'])\n"
        "heavy = 'requests rich cryptography tenacity isal keyring pandas'.split()\n"
        "print([one for one in heavy if one in sys.modules], file=sys.stderr)\n"
        "print(round(time.process_time() * 1000), 'ms of CPU for --help', file=sys.stderr)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    loaded, cpu = done.stderr.splitlines()
    print(cpu)
    assert loaded == "[]"


# ---- text ----------------------------------------------------------------------------------------


def anchors(page: Path) -> set[str]:
    """Anchors of the headings, made as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", page.read_text("utf-8"), re.MULTILINE)
    plain = (re.sub(r"[^\w\- ]", "", heading.lower()) for heading in headings)
    return {text.replace(" ", "-") for text in plain}


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text("utf-8")):
        if target.startswith(("https://", "mailto:")):
            continue
        assert not target.startswith("http:"), target
        path, _, anchor = target.partition("#")
        found = (page.parent / path).resolve() if path else page
        assert found.is_file(), target
        assert found.is_relative_to(ROOT), target
        if anchor:
            assert anchor in anchors(found), target


@pytest.mark.parametrize("page", [*PAGES, ROOT / "config/sfexit.toml", ROOT / "Makefile"])
def test_no_path_of_one_machine(page: Path) -> None:
    text = page.read_text("utf-8")
    assert re.findall(r"(?<![\w.~-])/(?:work|home|root|tmp|Users|opt|mnt)/\S*", text) == []
    assert not re.search(r"\b[A-Z]:\\", text)


@pytest.mark.parametrize("page", [one for one in PAGES if one.parent == DOCS], ids=name_of)
def test_index_leads_to_every_page(page: Path) -> None:
    assert page.name == "index.md" or f"({page.name}" in (DOCS / "index.md").read_text("utf-8")


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_fences_are_closed_and_tables_have_even_rows(page: Path) -> None:
    text = page.read_text("utf-8")
    assert len(re.findall(r"^\s*```", text, re.MULTILINE)) % 2 == 0
    outside = re.sub(r"^\s*```.*?^\s*```", "", text, flags=re.MULTILINE | re.DOTALL)
    width = 0
    for line in outside.splitlines():
        if not line.startswith("|"):
            width = 0
            continue
        cells = len(re.findall(r"(?<!\\)\|", re.sub(r"`[^`]*`", "", line)))
        assert width in (0, cells), line
        width = cells


# ---- examples ------------------------------------------------------------------------------------

_BLOCK = re.compile(
    r"^(?P<indent> *)(?:<!-- (?P<mark>not run|exits): (?P<words>.+?) -->\n *)?"
    r"```console\n(?P<body>.*?)^ *```",
    re.MULTILINE | re.DOTALL,
)


def examples(page: Path) -> Iterator[tuple[str, set[int]]]:
    """Command lines of a page that can run, each with the exit codes that it may have."""
    for block in _BLOCK.finditer(page.read_text("utf-8")):
        lines = [one.strip() for one in block["body"].splitlines()]
        shown = [one.removeprefix("$ ") for one in lines if one.startswith("$ ")]
        assert shown, f"{name_of(page)}: a console block without a command"
        if block["mark"] == "not run":
            assert len(block["words"]) > 5, "say why"
            continue
        codes = {0}
        if block["mark"] == "exits":
            codes = {int(one) for one in re.findall(r"\d+", block["words"])}
        for line in shown:
            if shlex.split(line, comments=True)[0] == "sfexit":
                yield line, codes


def shell_words(line: str) -> tuple[list[str], str | None]:
    """A command line's words, and the file that stdout goes to."""
    words = shlex.split(line, comments=True)
    if len(words) > 2 and words[-2] == ">":
        return words[:-2], words[-1]
    assert not {"|", ">", ">>", "&&", ";"} & set(words), f"too clever for a test: {line}"
    return words, None


@pytest.fixture(scope="module")
def credentials() -> Iterator[dict[str, str]]:
    names = {"Organization", "User", "Profile", "Account", "Contact", "Case", "Empty__c"}
    objects = [one for one in standard_objects() if one.name in names]
    org = SimulatedOrg(rows=300, objects=objects)
    with serve(org) as server:
        yield {"SFEXIT_INSTANCE_URL": server.url, "SFEXIT_ACCESS_TOKEN": org.access_token}


@pytest.mark.slow
@pytest.mark.parametrize("page", [one for one in PAGES if any(examples(one))], ids=name_of)
def test_examples_run(page: Path, credentials: dict[str, str], tmp_path: Path) -> None:
    for line, codes in examples(page):
        words, target = shell_words(line)
        done = subprocess.run(
            [sys.executable, "-m", "sfexit", *words[1:]],
            cwd=tmp_path,
            env={**os.environ, **credentials},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode in codes, f"{line}\n{done.stderr}"
        if target is not None:
            (tmp_path / target).write_text(done.stdout, "utf-8")
            assert done.stdout
        else:
            assert (
                done.stdout == ""
                or words[1] in ("orgs", "verify-backup")
                or {"--json", "--help"} & set(words)
            )


def test_there_are_examples() -> None:
    pages = {page.name for page in PAGES if any(examples(page))}
    assert {"README.md", "export.md", "contract.md"} <= pages


def test_examples_of_help_can_be_parsed() -> None:
    """Every example of a --help names options and arguments that the command takes."""
    for name, command in COMMANDS.items():
        for line in re.findall(r"^ +(sfexit .+?)(?:   .*)?$", command.epilog or "", re.MULTILINE):
            words, _ = shell_words(line)
            assert words[1] == name.split()[0]
            given = [one.partition("=")[0] for one in words if one.startswith("-")]
            assert set(given) <= options_of(command), line
