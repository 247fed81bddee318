"""PDF statements: a table by its headings, and what stands around it.

Two ways to a table: cells between ruled lines, else words below the heading that they stand under.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator, Sequence

from sfexit.billing import labels, written
from sfexit.billing import pdf_heads as heads_of
from sfexit.billing import pdf_words as words_of
from sfexit.billing.building import Draft
from sfexit.billing.pdf_words import Phrase, Row
from sfexit.errors import UsageProblem

_MOST_PAGES = 200
_COLUMNS = frozenset(
    {"product", "quantity", "unit_price", "service_start", "service_end", "period"}
    | {"net", "tax", "gross"}
)
_LIST = frozenset(
    {"invoice_no", "contract_no", "order_no", "kind", "issue_date", "due_date", "currency"}
    | {"net", "tax", "gross", "open_amount"}
)

_Columns = list[tuple[str, float, float]]


def drafts(raw: bytes, source: str) -> list[Draft]:
    """The document of a PDF. Raises UsageProblem: damaged, encrypted, or pictures only."""
    try:
        import pdfplumber
        from pdfminer.pdfdocument import PDFPasswordIncorrect
    except ImportError as error:
        raise UsageProblem(
            "PDF statements need the extra: pip install 'sfexit[billing]'; CSV needs nothing"
        ) from error
    try:
        with pdfplumber.open(io.BytesIO(raw)) as document:
            pages = document.pages
            if len(pages) > _MOST_PAGES:
                raise UsageProblem(
                    f"{source} has {len(pages)} pages: give the statements one by one"
                )
            read = [(words_of.rows(page), words_of.ruled(page)) for page in pages]
    except UsageProblem:
        raise
    except Exception as error:  # the library's errors on damaged files are of every class
        if isinstance(error, PDFPasswordIncorrect) or isinstance(
            error.__cause__ or (error.args[0] if error.args else None), PDFPasswordIncorrect
        ):
            raise UsageProblem(
                f"{source} is encrypted: save a copy without a password and give that"
            ) from error
        raise UsageProblem(
            f"{source} is a damaged PDF and cannot be read: download it again"
        ) from error
    if not any(row for rows, _ in read for row in rows):
        raise UsageProblem(
            f"{source} holds no text, only pictures: ask the vendor for the original PDF or a CSV"
        )
    listed = _listed(read, source)
    return listed or [_draft(read, source)]


def _draft(read: list[tuple[list[Row], list[list[list[str]]]]], source: str) -> Draft:
    draft = Draft(source)
    text = [phrase.text for rows, _ in read for row in rows for phrase in row]
    if any(labels.begins_with(one, "credit_document") for one in text[:12]):
        draft.head["kind"] = "credit memo"
    ruled = [row for _, tables in read for table in tables for row in _table_rows(table)]
    if ruled:
        draft.rows.extend(ruled)
    columns: _Columns = []
    for rows, _ in read:
        inside = False
        skip = 0
        for number, row in enumerate(rows):
            if skip:
                skip -= 1
                continue
            heads, skip = _heading_rows(rows[number : number + 4], _headings)
            if heads:
                columns, inside = heads, True
            elif labels.begins_with(row[0].text, "carried"):
                continue
            elif inside and _ends_table(row):
                inside = False
                heads_of.take_total(draft, row)
            elif inside:
                if not ruled:
                    inside = _table_row(draft, row, columns)
            elif not heads_of.take_total(draft, row):
                heads_of.take_labels(draft, row, rows[number + 1] if number + 1 < len(rows) else [])
            elif columns:
                continue
    if not draft.rows:
        _prose(draft, [" ".join(one.text for one in row) for rows, _ in read for row in rows])
    heads_of.only_currency(draft, text)
    if not {"invoice_no", "credit_no"} & set(draft.head):
        heads_of.bare_number(draft, [row for rows, _ in read for row in rows[:12]])
    if not draft.rows:
        draft.doubt("no table of lines was found", 25)
    return draft


def _heading_rows(rows: Sequence[Row], headings: Callable[[Row], _Columns]) -> tuple[_Columns, int]:
    """The headings that begin with the first row, which may be broken over up to three rows, and
    how many rows more they take."""

    def known(columns: _Columns) -> int:
        return sum(1 for name, _, _ in columns if name)

    best, more = headings(rows[0]), 0
    for count in (2, 3):
        part = rows[:count]
        if len(part) < count or any(re.search(r"\d", one.text) for row in part for one in row):
            break
        merged = headings(words_of.merged(part))
        if known(merged) > max(known(best), *(known(headings(row)) for row in part[1:])):
            best, more = merged, count - 1
    return best, more


def _headings(row: Row) -> list[tuple[str, float, float]]:
    """Columns of a heading row: at least three that are known, with an amount among them."""
    found = [(labels.field_of(one.text), one.x0, one.x1) for one in row]
    named = [(name, x0, x1) for name, x0, x1 in found if name in _COLUMNS]
    names = {name for name, _, _ in named}
    if len(names) < 3 or not names & {"net", "gross"}:
        return []
    return [(name or "", x0, x1) for name, x0, x1 in found]


def _column(phrase: Phrase, columns: list[tuple[str, float, float]]) -> str:
    """The column that a phrase stands under: the most overlap, else the nearest."""

    def far(column: tuple[str, float, float]) -> float:
        _, x0, x1 = column
        overlap = min(phrase.x1, x1) - max(phrase.x0, x0)
        edges = min(abs(phrase.x0 - x0), abs(phrase.x1 - x1))
        return edges - 1000 if overlap > 0 else -overlap

    return min(columns, key=far)[0]


def _table_rows(table: list[list[str]]) -> Iterator[dict[str, str]]:
    """Rows of a ruled table whose headings are known."""
    heads: list[str | None] = []
    for row in table:
        fields = [labels.field_of(cell) for cell in row]
        names = {one for one in fields if one in _COLUMNS}
        if len(names) >= 3 and names & {"net", "gross"}:
            heads = fields
        elif heads and not _is_sum(next((c for c in row if c), "")):
            cells = {name: cell for name, cell in zip(heads, row, strict=False) if name and cell}
            if cells.get("net") or cells.get("gross"):
                yield cells


def _is_sum(text: str) -> bool:
    """Whether a row that begins so adds up others, or carries their sum over."""
    return (
        labels.begins_with(text, "sums")
        or labels.begins_with(text, "carried")
        or heads_of.total_name(text) is not None
    )


def _ends_table(row: Row) -> bool:
    first = row[0].text
    return labels.begins_with(first, "sums") or (
        len(row) <= 2 and heads_of.total_in(row) is not None
    )


def _table_row(draft: Draft, row: Row, columns: list[tuple[str, float, float]]) -> bool:
    """Take a row below the headings. False when the table is over."""
    cells: dict[str, str] = {}
    for phrase in row:
        name = _column(phrase, columns)
        cells[name] = f"{cells[name]} {phrase.text}" if name in cells else phrase.text
    cells.pop("", None)
    if any(name in cells and heads_of.is_amount(cells[name]) for name in ("net", "gross")):
        draft.rows.append(cells)
        return True
    period = written.period_in(" ".join(one.text for one in row))
    if draft.rows and period and not draft.rows[-1].get("service_start"):
        draft.rows[-1] = {**draft.rows[-1], "period": period}
        return True
    if draft.rows and set(cells) <= {"product", "period"}:  # text that went on to a second line
        last = dict(draft.rows[-1])
        for name, text in cells.items():
            last[name] = f"{last[name]} {text}" if name in last else text
        draft.rows[-1] = last
        return True
    return not any(name in cells for name in ("net", "gross")) and len(row) > 1


def _listed(read: list[tuple[list[Row], list[list[list[str]]]]], source: str) -> list[Draft]:
    """The documents of a statement of account, which has a line for each; nothing if it is none."""
    about = Draft(source)
    found: list[Draft] = []
    columns: _Columns = []
    for rows, _ in read:
        for number, row in enumerate(rows):
            heads, _ = _heading_rows(rows[number : number + 4], _list_headings)
            if heads:
                columns = heads
            elif not columns:
                heads_of.take_labels(about, row, [])
            elif labels.begins_with(row[0].text, "sums"):
                columns = []
                break
            else:
                cells: dict[str, str] = {}
                for phrase in row:
                    cells.setdefault(_column(phrase, columns), phrase.text)
                cells.pop("", None)
                if cells.get("invoice_no") and cells.get("issue_date"):
                    shared = {
                        name: value
                        for name, value in about.head.items()
                        if name in ("contract_no", "currency")
                    }
                    if labels.says(cells.get("kind", ""), "payment"):
                        continue
                    found.append(Draft(source, {**shared, **cells}, listed=True))
    return found


def _list_headings(row: Row) -> _Columns:
    """Headings of a list of documents: a number, a date and an amount, and no product."""
    columns = [(labels.field_of(one.text) or "", one.x0, one.x1) for one in row]
    names = {name for name, _, _ in columns}
    if not {"invoice_no", "issue_date"} <= names or "product" in names:
        return []
    if not names & {"gross", "open_amount"}:
        return []
    return [(name if name in _LIST else "", x0, x1) for name, x0, x1 in columns]


def _prose(draft: Draft, texts: Sequence[str]) -> None:
    """Lines that are sentences: `1 licence x £1,018.00 per month x 3 months £3,054.00`."""
    before, period = "", ""
    for text in texts:
        told = written.period_in(text)
        match = re.match(
            rf"(?P<product>.*?)\s*\b(?P<quantity>\d+(?:[.,]\d+)?)\s*(?:[^\W\d]+\s+)?[x×]\s*"
            rf"(?P<price>{heads_of.AMOUNT})\b.*?(?P<net>(?:[A-Z]{{3}}\s|[€£$]\s?)\d[\d.,'’]*)$",
            text,
        )
        if match and heads_of.is_amount(match["net"]) and heads_of.is_amount(match["price"]):
            row = {
                "product": match["product"] or before,
                "quantity": match["quantity"],
                "unit_price": match["price"],
                "net": match["net"],
            }
            draft.rows.append({**row, "period": period} if period else row)
            before, period = "", ""
        elif told:
            period = told
        else:
            before = re.sub(r"^\d+[.)]\s+", "", text)
