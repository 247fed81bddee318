"""Asking for a contract's terms one by one, and writing them as a file that explains itself."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from decimal import Decimal
from importlib.resources import files
from typing import Any

import tomlkit

from sfexit.contract import terms
from sfexit.errors import UsageProblem

Ask = Callable[[str, str], str]
Say = Callable[[str], None]


def example() -> str:
    """The commented example file."""
    return files("sfexit.contract").joinpath("example.toml").read_text("utf-8")


def ask(prompt: Ask, say: Say) -> str:
    """The text of a `contract.toml` made of answers; each is checked before the next question.

    `prompt` takes a question and a default and returns the answer. Raises UsageProblem when an
    answer stays wrong.
    """
    say("Have the order form and the Main Services Agreement at hand. Empty takes the [default].")
    answers = _Answers(prompt, say)
    document: dict[str, Any] = {
        "contract": answers.table(
            "contract",
            [
                ("number", "Contract number (order form)", "", str),
                ("customer", "Your company, as on the order form", "", str),
                ("vendor", "Your contract partner, as on the order form", "", str),
                ("start", "First day of the term (YYYY-MM-DD)", "", _day),
                ("end", "Last day of service (YYYY-MM-DD)", "", _day),
                ("renewal", "Renewal: auto or manual", "auto", str),
                ("currency", "Currency (EUR, USD, …)", "", str.upper),
                ("org_id", "Org id (Setup > Company Information), empty if unknown", "", str),
                ("sold_by", "Sold by: account_executive, self_service or unknown", "unknown", str),
                ("uplift_cap_percent", "Price rise at renewal, at most % (empty: none)", "", _num),
            ],
        )
    }
    document["notice"] = answers.table(
        "notice",
        [
            ("count", "Notice: how many (standard terms: 30)", "30", int),
            ("unit", "Unit: days, business_days, weeks or months", "days", str),
            ("clause", "Where does it stand (such as: MSA 11.2)", "", str),
            ("forms", "Forms, by comma: letter, courier, email, portal", "letter, portal", _list),
            ("delivery_business_days", "Business days that a letter takes", "5", int),
        ],
    )
    addressee = answers.table(
        "notice.addressees",
        [
            ("role", "Addressee: legal, account_executive, billing, support, other", "legal", str),
            ("name", "Its name", "", str),
            ("address", "Its postal address, from your order form or MSA", "", str),
            ("email", "Its e-mail address (empty: none)", "", str),
        ],
    )
    document["notice"]["addressees"] = [addressee]
    lines: list[dict[str, Any]] = []
    while True:
        say(f"Line {len(lines) + 1} of the order form; an empty product ends the list.")
        product = prompt("Product", "").strip()
        if not product:
            break
        line = answers.table(
            "lines",
            [
                ("quantity", "Quantity", "", int),
                ("unit_price", "Net price of one", "", _num),
                ("per", "Price is for a month, year or term", "month", str),
            ],
        )
        lines.append({"product": product, **line})
    if lines:
        document["lines"] = lines
    if prompt("Is the customer in the EU? (yes/no)", "no").strip().lower() in ("y", "yes"):
        document["law"] = {"packs": ["eu-data-act"]}
    _, problems = terms.read(document)
    if problems:
        raise UsageProblem(f"these answers do not make a contract: {'; '.join(problems)}")
    return _text(document)


class _Answers:
    """Asks until an answer is right. What is right is decided by `terms`, field by field."""

    def __init__(self, prompt: Ask, say: Say) -> None:
        self._prompt = prompt
        self._say = say
        self._so_far: dict[str, dict[str, Any]] = {}

    def table(
        self,
        name: str,
        questions: list[tuple[str, str, str, Callable[[str], Any]]],
    ) -> dict[str, Any]:
        found: dict[str, Any] = {}
        self._so_far[name] = found
        for key, question, default, read in questions:
            self._one(name, found, key, question, default, read)
        return found

    def _one(
        self,
        name: str,
        found: dict[str, Any],
        key: str,
        question: str,
        default: str,
        read: Callable[[str], Any],
    ) -> None:
        while True:  # a person ends it with Ctrl-C, and a pipe by its end
            answer = self._prompt(question, default).strip()
            found.pop(key, None)
            try:
                if answer:
                    found[key] = read(answer)
            except (ValueError, ArithmeticError):
                self._say(f"  {key}: {answer!r} is not understood")
                continue
            wrong = self._wrong(name, key)
            if not wrong:
                return
            self._say(f"  {wrong}")

    def _wrong(self, name: str, key: str) -> str:
        """What is wrong with one field of the answers so far; the others may still be missing."""
        document: dict[str, Any] = {
            "contract": self._so_far.get("contract", {}),
            "notice": dict(self._so_far.get("notice", {})),
        }
        if name == "notice.addressees":
            document["notice"]["addressees"] = [self._so_far[name]]
        if name == "lines":
            document["lines"] = [{"product": "-", **self._so_far[name]}]
        head, _, rest = name.partition(".")
        places = {f"{head}.{key}", f"{head}[1].{key}", f"{head}.{rest}[1].{key}"}
        problems = terms.read(document)[1]
        return next((one for one in problems if one.split(" ")[0] in places), "")


def _day(answer: str) -> date:
    return date.fromisoformat(answer)


def _num(answer: str) -> Decimal:
    return Decimal(answer.replace(" ", ""))


def _list(answer: str) -> list[str]:
    return [one.strip() for one in answer.split(",") if one.strip()]


def _text(document: dict[str, Any]) -> str:
    """TOML; amounts as text, which keeps every digit."""
    out = tomlkit.document()
    out.add(tomlkit.comment("Terms of the contract. All keys: docs/contract.md. This file is the"))
    out.add(tomlkit.comment("only truth about the contract; sfexit never guesses what it lacks."))
    for key, value in _plain(document).items():
        out.add(key, tomlkit.item(value))
    return tomlkit.dumps(out)


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_plain(one) for one in value]
    return str(value) if isinstance(value, Decimal) else value
