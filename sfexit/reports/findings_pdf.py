"""A verification on paper. It needs `sfexit[pdf]`; a font of this system is embedded."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from sfexit.redaction import printable
from sfexit.reports.findings import GROUPS, ON_PAGE, pdf_ready, sentence, word
from sfexit.reports.fonts import find_font
from sfexit.verify.verdict import Judgement

_CELL = 600  # characters: a row must fit on a page
_LACKING = "Characters that the font of this file lacks are shown as ?: the web page has them."


def document(
    title: str,
    headline: str,
    facts: Iterable[tuple[str, str]],
    told: Judgement,
    font: Path | None = None,
) -> bytes:
    """The file. `font`: a TrueType file, by default one of this system; without any, the letters
    of western Europe that every reader knows. Raises UsageProblem without the library for it.
    """
    pdf_ready()
    paper = _Paper(title, font or find_font())
    paper.say(title, 15)
    paper.say(headline, 11, gap=2)
    paper.grid((), list(facts), (1, 6))
    paper.heading("Checks")
    rows = [(one.name, word(told, one), one.looked_at, one.why) for one in told.checks]
    paper.grid(("Check", "Result", "Looked at", "Why not"), rows, (3, 2, 8, 3))
    for heading, severities in GROUPS:
        some = [one for one in told.findings if one.severity in severities]
        if not some:
            continue
        paper.heading(heading)
        for one in some[:ON_PAGE]:
            paper.say(f"{one.code}: {sentence(one)}", 8.5)
            paper.say(f"To do: {one.remedy}", 8.5, gap=1.5)
        if len(some) > ON_PAGE:
            paper.say(f"and {len(some) - ON_PAGE:,} more in the CSV of findings", 8.5)
    if told.waived:
        paper.heading("Waived by a person")
        people = [(one.key, sentence(one), w.person, w.reason) for one, w in told.waived]
        paper.grid(("Finding", "What", "Person", "Reason"), people, (4, 6, 3, 4))
    if told.idle_waivers:
        paper.heading("Waivers that did not apply")
        idle = [(w.finding, w.person, why) for w, why in told.idle_waivers]
        paper.grid(("Finding", "Person", "Why"), idle, (4, 3, 6))
    if told.registered:
        paper.heading("By design not data (published register)")
        named = [(one.object, entry.reason, entry.source) for one, entry in told.registered]
        paper.grid(("Object", "Reason", "Source"), named, (4, 6, 5))
    return paper.bytes()


class _Paper:
    def __init__(self, title: str, font: Path | None) -> None:
        from fpdf import FPDF

        class Numbered(FPDF):
            def footer(self) -> None:
                self.set_y(-12)
                self.set_font_size(8)
                self.cell(0, 5, f"{self.page_no()} / {{nb}}", align="R")

        self._file: Any = Numbered(format="A4")
        self._known: set[int] | None = None
        self._lacking = False
        self._use(font)
        self._file.set_title(self._clean(title))
        self._file.set_margins(18, 16)
        self._file.set_draw_color(170)
        self._file.set_auto_page_break(True, 18)
        self._file.add_page()

    def _use(self, font: Path | None) -> None:
        """Embed the font; where it is none that can be read, the letters of every reader do."""
        try:
            if font is None:
                raise ValueError
            self._file.add_font("text", "", font)
        except Exception:  # whatever the reader of fonts stumbles over: the report matters more
            self._file.set_font("Helvetica", "", 10)
            return
        self._file.set_font("text", "", 10)
        self._known = set(self._file.fonts["text"].cmap)
        try:
            # Arabic letters join, inside of English text. It needs one more library.
            self._file.set_text_shaping(True, direction="ltr")
        except Exception:
            self._file.set_text_shaping(False)

    def _clean(self, text: object, limit: int = 2_000) -> str:
        said = printable(str(text), limit)
        if self._known is None:
            kept = said.encode("latin-1", "replace").decode("latin-1")
        else:
            known = self._known
            kept = "".join(c if ord(c) in known or c.isspace() else "?" for c in said)
        self._lacking = self._lacking or kept != said
        return kept

    def say(self, text: str, size: float, *, gap: float = 0) -> None:
        """A paragraph; `size` in points, `gap` after it in millimetres."""
        from fpdf.enums import XPos, YPos

        self._file.set_font_size(size)
        self._file.multi_cell(
            0, size * 0.48, self._clean(text), align="L", new_x=XPos.LMARGIN, new_y=YPos.NEXT
        )
        self._file.ln(gap)

    def heading(self, text: str) -> None:
        """A heading, on the next page where it would stand alone."""
        if self._file.will_page_break(34):
            self._file.add_page()
        self._file.ln(3)
        self.say(text, 11, gap=1)

    def grid(
        self, heads: Sequence[str], rows: Sequence[Sequence[object]], shares: tuple[int, ...]
    ) -> None:
        """A table whose heads come again on each page."""
        from fpdf.fonts import FontFace

        self._file.set_font_size(8.5)
        with self._file.table(
            borders_layout="HORIZONTAL_LINES",
            col_widths=shares,
            text_align="LEFT",
            v_align="TOP",
            line_height=4.2,
            first_row_as_headings=bool(heads),
            headings_style=FontFace(),
            padding=0.6,
        ) as table:
            for row in [heads] * bool(heads) + list(rows):
                line = table.row()
                for one in row:
                    line.cell(self._clean(one, _CELL))

    def bytes(self) -> bytes:
        """The whole file, with a remark where characters were lost."""
        if self._lacking:
            self._file.ln(3)
            self.say(_LACKING, 8.5)
        return bytes(self._file.output())
