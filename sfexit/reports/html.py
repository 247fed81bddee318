"""One HTML file that needs nothing: no script, no outside address, readable on paper too."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterable, Sequence
from html import escape

from sfexit.redaction import printable

_STYLE = """
:root{color-scheme:light dark}
body{font:1rem/1.5 system-ui,sans-serif;max-width:62rem;margin:2rem auto;padding:0 1rem;
overflow-wrap:break-word}
h1{font-size:1.6rem;margin-bottom:.2rem}h2{font-size:1.2rem;margin-top:2rem}h3{font-size:1rem}
.wide{overflow-x:auto}svg{min-width:34rem}table{border-collapse:collapse;width:100%;margin:.5rem 0}
th,td{border-bottom:1px solid #8886;padding:.3rem .6rem;text-align:start;vertical-align:top}
td.n,th.n{text-align:end;font-variant-numeric:tabular-nums}td.n{white-space:nowrap}
.alarm{border-inline-start:.4rem solid #c22;padding:.4rem 1rem;background:#c221}
.calm{border-inline-start:.4rem solid #282;padding:.4rem 1rem;background:#2821}
.sign{border-top:1px solid;width:20rem;margin-top:4rem;padding-top:.3rem}
.d{white-space:nowrap}.l{overflow-wrap:anywhere}code{font-family:ui-monospace,monospace;font-size:.9em}
.small{font-size:.85rem;opacity:.8}li{margin:.3rem 0}
@media screen and (max-width:44rem){th,td{padding:.25rem .35rem;font-size:.9rem}}
@media print{html{font-size:11px}body{max-width:none;margin:0}h1,h2,h3{break-after:avoid}
th,td{padding:.25rem .4rem}
tr,li,.sign{break-inside:avoid}.sign{break-before:avoid}p{orphans:3;widows:3}
.wide{overflow:visible}.alarm,.calm{background:none}.small{opacity:1}}
"""


def text(value: object, limit: int = 1000) -> str:
    """Any text, safe inside an element or a quoted attribute."""
    return escape(printable(str(value), limit), quote=True)


def table(heads: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table; numbers and amounts stand to the right, dates are not broken.

    Without any head it has no head row. Wider than the window, it is moved by itself.
    """
    lines = list(rows)
    numeric = [_numeric([row[i] for row in lines]) for i in range(len(heads))]
    head = "".join(_cell("th", name, n) for name, n in zip(heads, numeric, strict=True))
    body = "".join(
        "<tr>" + "".join(_cell("td", one, n) for one, n in zip(row, numeric, strict=True)) + "</tr>"
        for row in lines
    )
    top = f"<thead><tr>{head}</tr></thead>" if any(heads) else ""
    return f'<div class="wide"><table>{top}<tbody>{body}</tbody></table></div>'


_AMOUNT = re.compile(r"[-−]?\d[\d,]*(?:\.\d+)?(?: (?:[A-Z]{3}|%))?")
# Words that would push a table out of the page may be broken where their parts meet.
_LONG = re.compile(r"[^\s<>]{20,}")
_SEAM = re.compile(r"[/._,:=@-](?=.)|[a-z](?=[A-Z])")
# What has no seam for so long may be broken anywhere, but only where its column is too narrow.
_SEAMLESS = re.compile(r"(?:&#?\w+;|[^&<>]){33,}")
_WHOLE = re.compile(
    r"(?:\b[A-Z][a-z]{2} )?\b\d{4}-\d\d-\d\d\b|\b\d[\d,]* days? (?:left|ago)\b"
    r"|\b\d[\d,]*\.\d\d [A-Z]{3}\b|\b\d[\d.,]* %|(?<![\w-])--[a-z][a-z-]*"
)


def _numeric(column: Sequence[object]) -> bool:
    told = [one for one in column if one != ""]
    return bool(told) and all(
        isinstance(one, (int, float)) or (isinstance(one, str) and _AMOUNT.fullmatch(one))
        for one in told
    )


def _cell(tag: str, value: object, numeric: bool) -> str:
    shown = f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else value
    kind = ' class="n"' if numeric else ""
    return f"<{tag}{kind}>{prose(shown)}</{tag}>"


def prose(value: object, limit: int = 1000) -> str:
    """Any text, safe inside an element: dates, amounts and options are not broken at a line's end,
    words that no column could hold are."""
    inside = _LONG.sub(_with_seams, text(value, limit))
    return _WHOLE.sub(r'<span class="d">\g<0></span>', inside)


def _with_seams(word: re.Match[str]) -> str:
    parts = _SEAM.sub("\\g<0>\n", word[0]).split("\n")
    return "<wbr>".join(_SEAMLESS.sub(r'<span class="l">\g<0></span>', one) for one in parts)


def items(texts: Iterable[str], *, ordered: bool = False) -> str:
    """A list."""
    tag = "ol" if ordered else "ul"
    return f"<{tag}>{''.join(f'<li>{prose(one)}</li>' for one in texts)}</{tag}>"


def page(title: str, body: str, *, language: str = "en", rtl: bool = False) -> str:
    """The whole file. `body` is HTML already. `rtl`: written from right to left."""
    digest = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    return (
        f'<!DOCTYPE html>\n<html lang="{text(language)}" dir="{"rtl" if rtl else "ltr"}">\n'
        '<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="referrer" content="no-referrer">\n'
        f"<title>{text(title)}</title>\n<style>{_STYLE}</style>\n</head>\n"
        f"<body>\n{body}\n</body>\n</html>\n"
    )
