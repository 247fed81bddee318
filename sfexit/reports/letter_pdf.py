"""A letter as a PDF. It needs `sfexit[letters]`, and a font that has the letter's characters."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sfexit.cancellation.letters import (
    SHARES,
    Address,
    Draft,
    Grid,
    Heading,
    Letter,
    Paragraph,
    Requests,
    Signature,
)
from sfexit.cancellation.wording import RIGHT_TO_LEFT, Runs, plain
from sfexit.errors import UsageProblem
from sfexit.reports.fonts import find_font

_NARROW, _WIDE = "\u202f", "\u00a0"  # no-break spaces; not every font has the narrow one


def missing() -> str:
    """Why no PDF can be made here, in words; empty when it can."""
    try:
        import fpdf  # noqa: F401
        import uharfbuzz  # noqa: F401
    except ImportError:
        return "PDF needs one more package: pip install 'sfexit[letters]'"
    return "" if find_font() else "no font with all letters was found: name one by --font"


def document(letter: Letter, font: Path) -> bytes:
    """The file. Raises UsageProblem when the font cannot be used or lacks a character."""
    from fpdf import FPDF

    paper = FPDF(format="A4")
    try:
        paper.add_font("letter", "", font)
    except Exception as error:  # whatever its reader of fonts stumbles over
        raise UsageProblem(f"{font} cannot be used as a font: name a TrueType file") from error
    lacking = _lacking(letter, paper.fonts["letter"])
    if lacking:
        raise UsageProblem(f"{font} lacks the character {lacking!r}: name another with --font")
    return _Writer(paper, letter).write()


def _lacking(letter: Letter, font: Any) -> str:
    known = set(font.cmap)
    text = (c for block in letter.blocks for c in _all_text(block))
    return next((c for c in text if ord(c) not in known and not c.isspace()), "")


def _all_text(block: Any) -> str:
    match block:
        case Draft(said):
            return said
        case Address(label, lines):
            return label + "".join(lines)
        case Heading(runs) | Paragraph(runs):
            return plain(runs)
        case Requests(items):
            return "".join(plain(one) for one in items)
        case Grid(heads, rows):
            return "".join(heads) + "".join(cell for row in rows for cell in row)
        case Signature(label, lines):
            return label + "".join(name + value for name, value in lines)
    raise TypeError(block)


class _Writer:
    def __init__(self, paper: Any, letter: Letter) -> None:
        self._paper = paper
        self._letter = letter
        self._rtl = letter.wording.rtl

    def write(self) -> bytes:
        paper = self._paper
        paper.set_title(self._letter.title)
        paper.set_lang(self._letter.wording.code)
        paper.set_margins(22, 20)
        paper.set_auto_page_break(True, 18)
        paper.add_page()
        blocks = self._letter.blocks
        for block, after in zip(blocks, (*blocks[1:], None), strict=True):
            self._keep(block, after)
            self._block(block)
        return bytes(paper.output())

    def _keep(self, block: Any, after: Any) -> None:
        """A new page where a heading would stand alone, or a signature without its greeting."""
        room = 0
        if isinstance(block, Heading):
            room = 34  # itself and some lines
        elif isinstance(block, Signature):
            room = 42
        elif isinstance(block, Paragraph) and isinstance(after, Signature):
            room = 56
        if room and self._paper.will_page_break(room):
            self._paper.add_page()

    def _block(self, block: Any) -> None:
        match block:
            case Draft(said):
                self._say(said, 9, gap=3)
            case Address(label, lines):
                shown = [label] * bool(label) + [self._letter.wording.apart(line) for line in lines]
                self._say("\n".join(shown), 10.5, gap=3)
            case Heading(runs, large):
                self._say(self._text(runs), 14 if large else 12, gap=2, above=2)
            case Paragraph(runs):
                self._say(self._text(runs), 10.5, gap=2.5)
            case Requests(items):
                for number, one in enumerate(items, 1):
                    self._say(f"{number}. {self._text(one)}", 10.5, gap=1.2)
                self._paper.ln(1.5)
            case Grid(heads, rows):
                self._grid(heads, rows)
            case Signature(label, lines):
                words = self._letter.wording
                told = [f"{label}{words.colon} ______________________________", ""]
                told += [f"{name}{words.colon} {words.apart(value)}" for name, value in lines]
                self._say("\n".join(told), 10.5)

    def _text(self, runs: Runs) -> str:
        apart = self._letter.wording.apart
        return "".join(apart(run.text) if run.fact else run.text for run in runs)

    def _say(self, text: str, size: float, *, gap: float = 0, above: float = 0) -> None:
        from fpdf.enums import XPos, YPos

        paper = self._paper
        if ord(_NARROW) not in paper.fonts["letter"].cmap:
            text = text.replace(_NARROW, _WIDE)
        paper.ln(above)
        paper.set_font("letter", "", size)
        self._direct(text)
        paper.multi_cell(
            0,
            size * 0.48,
            text,
            align="R" if self._rtl else "L",
            new_x=XPos.LMARGIN,
            new_y=YPos.NEXT,
        )
        paper.ln(gap)

    def _direct(self, text: str) -> None:
        """An Arabic letter runs from the right, but for what is wholly in Latin letters."""
        right = self._rtl and RIGHT_TO_LEFT.search(text)
        self._paper.set_text_shaping(True, direction="rtl" if right else "ltr")

    def _grid(self, heads: tuple[str, ...], rows: tuple[tuple[str, ...], ...]) -> None:
        from fpdf.fonts import FontFace

        paper = self._paper
        paper.set_font("letter", "", 9.5)
        told = [*([heads] if heads else []), *rows]
        self._direct("".join(told[0]))
        widths = SHARES[len(told[0])]
        if self._rtl:
            widths = widths[::-1]
        with paper.table(
            col_widths=widths,
            text_align="RIGHT" if self._rtl else "LEFT",
            first_row_as_headings=bool(heads),  # then each page has them
            headings_style=FontFace(),  # the font has one weight
            line_height=5,
        ) as table:
            for row in told:
                line = table.row()
                for cell in row[::-1] if self._rtl else row:
                    line.cell(self._letter.wording.apart(cell))
        paper.ln(2.5)
