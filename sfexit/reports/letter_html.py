"""A letter as one HTML file, in its own direction, ready to print."""

from __future__ import annotations

from sfexit.cancellation.letters import (
    Address,
    Block,
    Draft,
    Grid,
    Heading,
    Letter,
    Paragraph,
    Requests,
    Signature,
)
from sfexit.cancellation.wording import Runs
from sfexit.reports import html

_LONGEST = 4000


def page(letter: Letter) -> bytes:
    """The file. Facts stand in <bdi>, so that Latin names keep their order in Arabic text."""
    words = letter.wording
    body = "\n".join(_block(one, words.colon) for one in letter.blocks)
    return html.page(letter.title, body, language=words.code, rtl=words.rtl).encode()


def _block(block: Block, colon: str) -> str:
    match block:
        case Draft(said):
            return f'<p class="alarm">{html.text(said)}</p>'
        case Address(label, lines):
            head = f"<strong>{html.text(label)}</strong><br>" if label else ""
            return f"<p>{head}{'<br>'.join(_fact(line) for line in lines)}</p>"
        case Heading(runs, large):
            tag = "h1" if large else "h2"
            return f"<{tag}>{_runs(runs)}</{tag}>"
        case Paragraph(runs):
            return f"<p>{_runs(runs)}</p>"
        case Requests(items):
            return f"<ol>{''.join(f'<li>{_runs(one)}</li>' for one in items)}</ol>"
        case Grid(heads, rows):
            return _grid(heads, rows)
        case Signature(label, lines):
            told = "".join(f"<br>{_spaced(name + colon)} {_fact(value)}" for name, value in lines)
            return f'<p class="sign">{html.text(label)}{told}</p>'


def _grid(heads: tuple[str, ...], rows: tuple[tuple[str, ...], ...]) -> str:
    if heads:
        head = "".join(f"<th>{html.prose(one)}</th>" for one in heads)
        body = "".join(
            "<tr>" + "".join(f"<td>{_fact(one)}</td>" for one in row) + "</tr>" for row in rows
        )
        return _wide(f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody>")
    body = "".join(
        f"<tr><th>{html.text(name)}</th><td>{_fact(value)}</td></tr>" for name, value in rows
    )
    return _wide(f"<tbody>{body}</tbody>")


def _wide(rows: str) -> str:
    return f'<div class="wide"><table>{rows}</table></div>'


def _runs(runs: Runs) -> str:
    # html.text strips: the blanks around a fact stand in the wording and are put back.
    return "".join(_fact(run.text) if run.fact else _spaced(run.text) for run in runs)


def _spaced(text: str) -> str:
    lead = text[: len(text) - len(text.lstrip())]
    tail = text[len(text.rstrip()) :] if text.strip() else ""
    return f"{lead}{html.text(text, _LONGEST)}{tail}"


def _fact(text: str) -> str:
    return f"<bdi>{html.prose(text, _LONGEST)}</bdi>"
