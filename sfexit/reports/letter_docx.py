"""A letter as a Word file that can still be edited.

Direction is set as Word itself sets it (ECMA-376, part 1): `w:bidi` on section and paragraph,
`w:rtl` and `w:lang w:bidi` on runs, `w:bidiVisual` on tables. Facts in Latin letters inside
Arabic text are runs without `w:rtl` between left-to-right marks, so that they keep their order.
"""

from __future__ import annotations

import io
from datetime import UTC, datetime
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
from sfexit.cancellation.wording import RIGHT_TO_LEFT, Run, Runs

_LOCALES = {
    "en": "en-GB",
    "fr": "fr-FR",
    "es": "es-ES",
    "pt": "pt-PT",
    "pl": "pl-PL",
    "ar": "ar-SA",
    "de": "de-DE",
}


def document(letter: Letter, made: datetime) -> bytes:
    """The file. `made` is what its properties say."""
    import docx

    return _Writer(docx.Document(), letter).write(made)


_MARGIN = 22  # mm


class _Writer:
    def __init__(self, paper: Any, letter: Letter) -> None:
        self._paper = paper
        self._letter = letter
        self._rtl = letter.wording.rtl
        self._colon = letter.wording.colon
        self._locale = _LOCALES[letter.wording.code]

    def write(self, made: datetime) -> bytes:
        from docx.shared import Mm, Pt

        section = self._paper.sections[0]
        section.page_width, section.page_height = Mm(210), Mm(297)
        section.left_margin = section.right_margin = Mm(_MARGIN)
        style = self._paper.styles["Normal"]
        style.font.name, style.font.size = "Arial", Pt(11)
        if self._rtl:
            self._child(section._sectPr, "w:bidi")
        for block in self._letter.blocks:
            self._block(block)
        about = self._paper.core_properties
        about.title, about.author, about.comments = self._letter.title[:255], "", ""
        about.language = self._locale
        about.created = about.modified = made.astimezone(UTC).replace(tzinfo=None)
        out = io.BytesIO()
        self._paper.save(out)
        return out.getvalue()

    def _block(self, block: Any) -> None:
        from docx.shared import Pt

        match block:
            case Draft(said):
                self._paragraph((Run(said),), bold=True)
            case Address(label, lines):
                if label:
                    self._paragraph((Run(label),), bold=True, tight=True)
                for line in lines:
                    self._paragraph((Run(line, fact=True),), tight=True)
                self._paragraph(())
            case Heading(runs, large):
                self._paragraph(runs, bold=True, size=Pt(14 if large else 12), keep=True)
            case Paragraph(runs):
                self._paragraph(runs)
            case Requests(items):
                for number, one in enumerate(items, 1):
                    self._paragraph((Run(f"{number}. "), *one))
            case Grid(heads, rows):
                self._grid(heads, rows)
            case Signature(label, lines):
                self._paragraph(())
                self._paragraph(
                    (Run(f"{label}{self._colon} ______________________________"),), keep=True
                )
                for name, value in lines:
                    self._paragraph(
                        (Run(f"{name}{self._colon} "), Run(value, fact=True)), tight=True
                    )

    def _paragraph(
        self,
        runs: Runs,
        *,
        bold: bool = False,
        size: Any = None,
        tight: bool = False,
        keep: bool = False,
    ) -> None:
        from docx.shared import Pt

        paragraph = self._paper.add_paragraph()
        if tight:
            paragraph.paragraph_format.space_after = Pt(0)
        paragraph.paragraph_format.keep_with_next = keep
        self._fill(paragraph, runs, bold=bold, size=size)

    def _fill(self, paragraph: Any, runs: Runs, *, bold: bool = False, size: Any = None) -> None:
        if self._rtl:
            self._child(paragraph._p.get_or_add_pPr(), "w:bidi", before=("w:spacing", "w:ind"))
        for run in runs:
            apart = self._letter.wording.apart
            made = paragraph.add_run(apart(run.text) if run.fact else run.text)
            made.bold = bold or None
            if size is not None:
                made.font.size = size
            latin = run.fact and not RIGHT_TO_LEFT.search(run.text)
            self._direct(made, right=self._rtl and not latin)

    def _direct(self, run: Any, *, right: bool) -> None:
        properties = run._r.get_or_add_rPr()
        if self._rtl:
            # Sizes and weights of complex script have elements of their own, and digits among
            # Arabic letters count as such.
            if run.bold:
                self._child(properties, "w:bCs", before=("w:sz",))
            if run.font.size is not None:
                size = self._child(properties, "w:szCs")
                size.set(_name("w:val"), str(int(run.font.size.pt * 2)))
        if right:
            self._child(properties, "w:rtl")
        language = self._child(properties, "w:lang")
        language.set(_name("w:bidi" if self._rtl else "w:val"), self._locale)

    def _grid(self, heads: tuple[str, ...], rows: tuple[tuple[str, ...], ...]) -> None:
        from docx.shared import Mm

        shares = SHARES[len(heads) or 2]
        widths = [Mm((210 - 2 * _MARGIN) * one / sum(shares)) for one in shares]
        table = self._paper.add_table(rows=0, cols=len(shares))
        table.style, table.autofit = "Table Grid", False
        for column, wide in zip(table.columns, widths, strict=True):
            column.width = wide
        if self._rtl:
            self._child(table._tbl.tblPr, "w:bidiVisual", before=("w:tblW", "w:tblLook"))
        for row in ([heads] if heads else []) + list(rows):
            made = table.add_row()
            properties = made._tr.get_or_add_trPr()
            self._child(properties, "w:cantSplit")
            if row is heads:
                self._child(properties, "w:tblHeader")  # again on each page
            for at, (cell, value) in enumerate(zip(made.cells, row, strict=True)):
                cell.width = widths[at]
                label = row is heads or (not heads and at == 0)
                self._fill(cell.paragraphs[0], (Run(value, fact=not label),), bold=label)
        self._paragraph(())

    def _child(self, parent: Any, name: str, before: tuple[str, ...] = ()) -> Any:
        """Add an empty element, ahead of the first of `before`: the schema has an order."""
        from docx.oxml import OxmlElement

        made = OxmlElement(name)
        later = [one for one in parent if one.tag in {_name(each) for each in before}]
        if later:
            later[0].addprevious(made)
        else:
            parent.append(made)
        return made


def _name(prefixed: str) -> str:
    from docx.oxml.ns import qn

    return str(qn(prefixed))
