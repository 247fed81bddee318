"""The last page of the demo: what was run, how it ended, and links to all that it made."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import quote

from sfexit.reports import html


@dataclass(frozen=True)
class Run:
    """A command line; `right`: it ended as the play has it, which may be a refusal."""

    line: str
    code: int
    right: bool


@dataclass(frozen=True)
class Act:
    """A part of the rehearsal. `made`: (what it is, its path from the page); `told`: what else
    there is to say."""

    title: str
    runs: tuple[Run, ...]
    made: tuple[tuple[str, str], ...]
    wrong: tuple[str, ...]
    told: tuple[str, ...] = ()


def _ended(run: Run) -> str:
    if not run.right:
        return f" → exit {run.code}, not as it should"
    return f" → exit {run.code}, as it should" if run.code else ""


def page(acts: Sequence[Act], seconds: float) -> str:
    """One HTML file, to lie in the home."""
    wrong = [f"{act.title}: {one}" for act in acts for one in act.wrong]
    body = [
        "<h1>An exit, rehearsed</h1>",
        '<p class="small">A made-up company, its own small Salesforce on this computer, and every '
        "step of an exit as you would type it. Nothing here is anybody's data.</p>",
    ]
    if wrong:
        body.append('<p class="alarm">Not everything went as it should.</p>')
        body.append(html.items(wrong))
    else:
        runs = sum(len(act.runs) for act in acts)
        body.append(
            f'<p class="calm">{runs} commands in {seconds:,.0f} seconds, each ended as it should: '
            "refusals where something was not proven yet, and the rest done.</p>"
        )
    for number, act in enumerate(acts, 1):
        body.append(f"<h2>{number}. {html.text(act.title)}</h2>")
        if act.told:
            body.append(html.items(act.told))
        if act.runs:
            lines = "".join(
                f"<li><code>{html.text(run.line)}</code>{_ended(run)}</li>" for run in act.runs
            )
            body.append(f"<ul>{lines}</ul>")
        if act.made:
            body.append("<p>Made:</p>")
            links = "".join(
                f'<li><a href="{html.text(quote(path))}">{html.text(what)}</a></li>'
                for what, path in act.made
            )
            body.append(f"<ul>{links}</ul>")
    return html.page("An exit, rehearsed", "\n".join(body))
