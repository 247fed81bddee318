"""CSV statements of any dialect: encoding, separator and heading line are found, not assumed."""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections.abc import Sequence

from sfexit.billing import labels, written
from sfexit.billing.building import Draft
from sfexit.billing.mapping import NEGATIVE, Mapping
from sfexit.contract.currencies import CURRENCIES
from sfexit.errors import UsageProblem

_DELIMITERS = (";", ",", "\t", "|")
_HEAD_ROWS = 30  # above the headings stand an address and a title, not a table
_NEEDED = ({"invoice_no", "credit_no"}, {"issue_date"}, {"net", "gross"})
_OF_DOCUMENT = (
    "invoice_no",
    "credit_no",
    "contract_no",
    "issue_date",
    "due_date",
    "currency",
    "open_amount",
    "kind",
    "credited",
    "order_no",
)
_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


def drafts(raw: bytes, source: str, mapping: Mapping) -> list[Draft]:
    """The documents of a CSV; rows with one invoice number belong together.

    Raises UsageProblem: empty, not a text, or headings that nothing explains.
    """
    if not raw.strip(b"\x00\xff\xfe\xef\xbb\xbf \t\r\n"):
        raise UsageProblem(f"{source} is empty: download the statement again")
    text, guessed = _text(raw, source, mapping.encoding)
    rows, headings, start = _table(text, source, mapping)
    currency = "" if "currency" in headings else _currency(rows[start - 1])
    if len(rows) <= start:
        raise UsageProblem(
            f"{source} has headings but no rows: is the period of the download right?"
        )
    found: dict[str, Draft] = {}
    last: Draft | None = None
    owed: list[bool] = []  # of each amount, whether it is written without a minus
    for number, row in enumerate(rows[start:], start + 1):
        cells = {
            name: cell.strip()
            for name, cell in zip(headings, row, strict=False)
            if name and cell.strip()
        }
        if not cells or _adds_up(row, cells) or labels.says(cells.get("kind", ""), "payment"):
            continue
        sums = [name for name in ("net", "tax", "gross", "open_amount") if name in cells]
        owed += [not written.is_negative(cells[name]) for name in sums]
        if mapping.charges == NEGATIVE:
            cells |= {name: written.turned(cells[name]) for name in sums}
        if len(row) > len(headings) and any(cell.strip() for cell in row[len(headings) :]):
            raise UsageProblem(
                f"{source}, row {number}, has more cells than headings: an amount with the "
                "separator in it must stand in quotes; correct the file or download it again"
            )
        key = cells.get("invoice_no") or cells.get("credit_no") or ""
        if not key and last is None:
            raise UsageProblem(f"{source}, row {number}, names no invoice: correct the file")
        if key and labels.says(cells.get("kind", ""), "credit"):
            key = f"credit {key}"
        draft = found.get(key) if key else last
        if draft is None:
            draft = found[key] = Draft(source, dict(mapping.fixed), listed=True)
            if currency:
                draft.head.setdefault("currency", currency)
            if guessed:
                draft.doubt("its encoding was guessed (cp1252)", 5)
        last = draft
        _into(draft, cells, number)
    told = mapping.charges or not mapping.columns or {"credit_no", "kind"} & set(headings)
    if owed.count(False) * 2 > len(owed) and not told and "kind" not in mapping.fixed:
        raise UsageProblem(
            f"{source} has mostly negative amounts: say in [csv] of the mapping file whether they "
            'are payments (charges = "negative") or credits (charges = "positive")'
        )
    return list(found.values())


def _into(draft: Draft, cells: dict[str, str], number: int) -> None:
    for name in _OF_DOCUMENT:
        told = cells.pop(name, "")
        if told and draft.head.setdefault(name, told) != told and name != "open_amount":
            draft.doubt(
                f"row {number} gives another {name.replace('_', ' ')} ({told[:40]}) than the row "
                f"before ({draft.head[name][:40]})",
                20,
            )
    draft.rows.append(cells)


def _text(raw: bytes, source: str, told: str | None) -> tuple[str, bool]:
    """The text, and whether its encoding is a guess."""
    encoding = told or next((name for bom, name in _BOMS if raw.startswith(bom)), None)
    try:
        if encoding:
            return raw.decode(encoding), False
        if b"\x00" in raw:
            raise UsageProblem(f"{source} is no text file: give the CSV or the PDF of a statement")
        try:
            return raw.decode("utf-8"), False
        except UnicodeDecodeError:
            return raw.decode("cp1252"), True
    except UnicodeError as error:
        raise UsageProblem(
            f"{source} is not {encoding or 'UTF-8 or cp1252'} text: save it as UTF-8, or name its "
            "encoding in a mapping file"
        ) from error


def _table(
    text: str, source: str, mapping: Mapping
) -> tuple[list[list[str]], list[str | None], int]:
    """The rows, the field of each column, and the number of the first row of data."""
    best: tuple[int, list[list[str]], list[str | None], int] | None = None
    for delimiter in (mapping.delimiter,) if mapping.delimiter else _DELIMITERS:
        try:
            rows = list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter))
        except csv.Error as error:
            raise UsageProblem(f"{source} is no CSV that can be read: {error}") from error
        for number, row in enumerate(rows[:_HEAD_ROWS]):
            fields = _fields(row, mapping)
            score = sum(one is not None for one in fields)
            if best is None or score > best[0]:
                best = score, rows, fields, number + 1
    assert best is not None
    _, rows, fields, start = best
    if "product" in fields:  # a name and a description: the first one says what it is
        first = fields.index("product")
        fields = [
            None if one == "product" and at != first else one for at, one in enumerate(fields)
        ]
    names = [one for one in fields if one]
    double = sorted({one for one in names if names.count(one) > 1})
    if double:
        raise UsageProblem(
            f"{source} has two columns that may be {' and '.join(double)}: say which with "
            "--mapping FILE"
        )
    given = set(names) | set(mapping.fixed)
    missing = ["/".join(sorted(one)) for one in _NEEDED if not one & given]
    if missing:
        raise UsageProblem(
            f"{source} has a layout that sfexit does not know: no column is {', '.join(missing)}; "
            f"its first row is {_shown(rows[start - 1])}; name the columns with --mapping FILE"
        )
    return rows, fields, start


def _currency(headings: Sequence[str]) -> str:
    """The one currency that headings such as `Amount (EUR)` name."""
    words = {word for cell in headings for word in re.findall(r"\b[A-Z]{3}\b", cell)}
    codes = words & set(CURRENCIES)
    return codes.pop() if len(codes) == 1 else ""


def _fields(row: Sequence[str], mapping: Mapping) -> list[str | None]:
    if mapping.columns:
        return [mapping.columns.get(labels.folded(cell)) for cell in row]
    return [labels.field_of(cell) for cell in row]


def _adds_up(row: Sequence[str], cells: dict[str, str]) -> bool:
    """A row below the table that adds up what stands above."""
    first = next((cell for cell in row if cell.strip()), "")
    number = cells.get("invoice_no", "")  # "Grand Total" may stand in the first column
    return not any(c.isdigit() for c in number) and labels.begins_with(first, "sums")


def _shown(row: Sequence[str]) -> str:
    return ", ".join(repr(cell[:30]) for cell in row[:12]) or "empty"
