"""SOQL: a small parser (SOQL and SOSL Reference, SELECT Syntax)."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import NoReturn

from .errors import ApiError

MAX_STATEMENT = 100_000  # Limits quick reference, SOQL statement length

_TOKEN = re.compile(
    r"""\s*(?:
        (?P<string>'(?:[^'\\]|\\.)*')
      | (?P<datetime>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,3})?(?:Z|[+-]\d\d:?\d\d))
      | (?P<date>\d{4}-\d\d-\d\d)
      | (?P<number>[+-]?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)
      | (?P<name>[A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z_][A-Za-z0-9_]*)*(?::\d+)?)
      | (?P<sign><=|>=|!=|<>|[=<>(),])
    )""",
    re.VERBOSE | re.DOTALL,
)
_RESERVED = {
    "where",
    "with",
    "group",
    "having",
    "order",
    "limit",
    "offset",
    "for",
    "using",
    "update",
    "from",
    "all",
}
AGGREGATES = {"count", "count_distinct", "min", "max", "sum", "avg"}


@dataclass(frozen=True)
class Token:
    """One word of the statement and where it stands."""

    kind: str
    text: str
    at: int


@dataclass(frozen=True)
class Literal:
    """A value in a filter."""

    kind: str
    text: str
    at: int


@dataclass(frozen=True)
class Item:
    """One selected thing: a path, an aggregate, FIELDS(…), a subquery or TYPEOF."""

    kind: str
    path: str
    at: int
    function: str = ""
    alias: str = ""
    query: Query | None = None


@dataclass(frozen=True)
class Condition:
    """One comparison."""

    path: str
    op: str
    values: tuple[Literal, ...]
    at: int
    subquery: Query | None = None


@dataclass(frozen=True)
class Group:
    """AND, OR or NOT over parts."""

    op: str
    parts: tuple[Expression, ...]


Expression = Condition | Group


@dataclass
class Query:
    """A parsed statement."""

    text: str
    items: list[Item] = field(default_factory=list)
    object: str = ""
    object_at: int = 0
    scope: str = ""
    where: Expression | None = None
    group_by: list[Item] = field(default_factory=list)
    order_by: list[tuple[str, bool, bool | None, int]] = field(default_factory=list)
    limit: int | None = None
    offset: int | None = None

    @property
    def count_only(self) -> bool:
        """``SELECT COUNT() FROM …``."""
        return len(self.items) == 1 and self.items[0].kind == "count"

    @property
    def aggregate(self) -> bool:
        """Holds an aggregate function or groups."""
        return bool(self.group_by) or any(i.kind in ("aggregate", "count") for i in self.items)


def located(text: str, at: int, message: str) -> str:
    """A message with the statement and a mark under the offending word, as the API words it."""
    before = text[:at]
    row = before.count("\n") + 1
    column = at - (before.rfind("\n") + 1) + 1
    start = max(0, at - 40)
    excerpt = text[start : at + 40].replace("\n", " ")
    return f"\n{excerpt}\n{' ' * (at - start)}^\nERROR at Row:{row}:Column:{column}\n{message}"


class _Parser:
    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens: list[Token] = []
        position = 0
        end = len(text.rstrip())
        while position < end:
            match = _TOKEN.match(text, position)
            if match is None or match.end() == position:
                at = position + len(text[position:]) - len(text[position:].lstrip())
                self._fail(at, f"unexpected token: '{text[at : at + 1]}'")
            kind = match.lastgroup or ""
            self.tokens.append(Token(kind, match.group(kind), match.start(kind)))
            position = match.end()
        self.n = 0

    def _fail(self, at: int, message: str) -> NoReturn:
        raise ApiError(400, "MALFORMED_QUERY", located(self.text, at, message))

    def peek(self, ahead: int = 0) -> Token:
        n = self.n + ahead
        if n < len(self.tokens):
            return self.tokens[n]
        return Token("end", "<EOF>", len(self.text))

    def next(self) -> Token:
        token = self.peek()
        self.n += 1
        return token

    def word(self, *words: str) -> bool:
        """Consume a sequence of keywords if they come next."""
        for k, word in enumerate(words):
            if self.peek(k).kind != "name" or self.peek(k).text.lower() != word:
                return False
        self.n += len(words)
        return True

    def sign(self, text: str) -> bool:
        if self.peek().kind == "sign" and self.peek().text == text:
            self.n += 1
            return True
        return False

    def need_sign(self, text: str) -> None:
        if not self.sign(text):
            self.unexpected()

    def unexpected(self) -> NoReturn:
        token = self.peek()
        if token.kind == "end":
            raise ApiError(400, "MALFORMED_QUERY", "unexpected token: '<EOF>'")
        self._fail(token.at, f"unexpected token: '{token.text}'")

    def name(self) -> Token:
        token = self.next()
        if token.kind != "name" or token.text.lower() in _RESERVED:
            self.n -= 1
            self.unexpected()
        return token

    # -- statement ----------------------------------------------------------------------

    def query(self, nested: bool = False) -> Query:
        out = Query(self.text)
        if not self.word("select"):
            self.unexpected()
        out.items.append(self.item())
        while self.sign(","):
            out.items.append(self.item())
        if not self.word("from"):
            self.unexpected()
        source = self.next()  # Group and Order are objects although they are keywords
        if source.kind != "name":
            self.n -= 1
            self.unexpected()
        out.object, out.object_at = source.text, source.at
        self.word("as")
        self._alias()
        if self.word("using", "scope"):
            out.scope = self.name().text
        if self.word("where"):
            out.where = self.expression()
        if self.word("with") and not self._one_of("security_enforced", "user_mode", "system_mode"):
            self.unexpected()
        if self.word("group", "by"):
            out.group_by.append(self.item())
            while self.sign(","):
                out.group_by.append(self.item())
            if self.word("having"):
                self.unexpected()
        if self.word("order", "by"):
            out.order_by.append(self.order())
            while self.sign(","):
                out.order_by.append(self.order())
        if self.word("limit"):
            out.limit = self.integer()
        if self.word("offset"):
            out.offset = self.integer()
        if self.word("for") and not self._one_of("view", "reference", "update"):
            self.unexpected()
        self.word("all", "rows")
        if not nested and self.peek().kind != "end":
            self.unexpected()
        return out

    def _one_of(self, *words: str) -> bool:
        return any(self.word(word) for word in words)

    def integer(self) -> int:
        token = self.next()
        if token.kind != "number" or not token.text.isdigit():
            self.n -= 1
            self.unexpected()
        return int(token.text)

    def item(self) -> Item:
        if self.sign("("):
            at = self.peek().at
            nested = self.query(nested=True)
            self.need_sign(")")
            return Item("subquery", "", at, query=nested)
        if self.word("typeof"):
            at = self.peek(-1).at
            while not self.word("end"):
                if self.peek().kind == "end":
                    self.unexpected()
                self.n += 1
            return Item("typeof", "", at)
        token = self.name()
        if self.sign("("):
            function = token.text.lower()
            if function == "count" and self.sign(")"):
                return Item("count", "", token.at, "count", self._alias())
            inner = self.next() if function == "fields" else self.name()
            self.need_sign(")")
            if function == "fields":
                return Item("fields", inner.text.upper(), token.at)
            kind = "aggregate" if function in AGGREGATES else "function"
            return Item(kind, inner.text, inner.at, function, self._alias())
        alias = ""
        if self.peek().kind == "name" and self.peek().text.lower() not in _RESERVED:
            alias = self.name().text
        return Item("path", token.text, token.at, alias=alias)

    def _alias(self) -> str:
        if self.peek().kind == "name" and self.peek().text.lower() not in _RESERVED:
            return self.name().text
        return ""

    def order(self) -> tuple[str, bool, bool | None, int]:
        token = self.name()
        descending = False
        if self.word("desc"):
            descending = True
        else:
            self.word("asc")
        nulls: bool | None = None
        if self.word("nulls", "first"):
            nulls = True
        elif self.word("nulls", "last"):
            nulls = False
        return token.text, descending, nulls, token.at

    # -- filters ------------------------------------------------------------------------

    def expression(self) -> Expression:
        first = self.term()
        for op in ("and", "or"):
            if self.word(op):
                parts = [first, self.term()]
                while self.word(op):
                    parts.append(self.term())
                if self.peek().kind == "name" and self.peek().text.lower() in ("and", "or"):
                    self.unexpected()  # AND beside OR needs parentheses
                return Group(op, tuple(parts))
        return first

    def term(self) -> Expression:
        if self.word("not"):
            return Group("not", (self.term(),))
        if self.sign("("):
            inner = self.expression()
            self.need_sign(")")
            return inner
        token = self.name()
        op = self.next()
        text = op.text.lower()
        if op.kind == "sign" and text in ("=", "!=", "<>", "<", "<=", ">", ">="):
            return Condition(
                token.text, "!=" if text == "<>" else text, (self.literal(),), token.at
            )
        if op.kind == "name" and text == "like":
            return Condition(token.text, "like", (self.literal(),), token.at)
        if op.kind == "name" and text in ("includes", "excludes", "in", "not"):
            if text == "not":
                if not self.word("in"):
                    self.unexpected()
                text = "not in"
            self.need_sign("(")
            if self.peek().kind == "name" and self.peek().text.lower() == "select":
                inner_query = self.query(nested=True)
                self.need_sign(")")
                return Condition(token.text, text, (), token.at, inner_query)
            values = [self.literal()]
            while self.sign(","):
                values.append(self.literal())
            self.need_sign(")")
            return Condition(token.text, text, tuple(values), token.at)
        self.n -= 1
        return self.unexpected()

    def literal(self) -> Literal:
        token = self.next()
        if token.kind == "string":
            body = token.text[1:-1]
            if len(body) > 4000:
                raise ApiError(
                    400,
                    "INVALID_QUERY_FILTER_OPERATOR",
                    "maximum length of a filter string is 4000 characters",
                )
            return Literal("string", _unescape(body), token.at)
        if token.kind in ("number", "date", "datetime"):
            return Literal(token.kind, token.text, token.at)
        if token.kind == "name":
            lower = token.text.lower()
            if lower == "null":
                return Literal("null", "null", token.at)
            if lower in ("true", "false"):
                return Literal("boolean", lower, token.at)
            return Literal("word", token.text.upper(), token.at)
        self.n -= 1
        return self.unexpected()


_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", "b": "\b", "f": "\f"}


def _unescape(body: str) -> str:
    return re.sub(
        r"\\(u[0-9a-fA-F]{4}|.)",
        lambda m: chr(int(m[1][1:], 16)) if len(m[1]) == 5 else _ESCAPES.get(m[1].lower(), m[1]),
        body,
        flags=re.DOTALL,
    )


def parse(text: str) -> Query:
    """Parse a statement or refuse it with MALFORMED_QUERY."""
    if not text.strip():
        raise ApiError(400, "MALFORMED_QUERY", "A query string has to be specified")
    if len(text) > MAX_STATEMENT:
        raise ApiError(
            400,
            "QUERY_TOO_COMPLICATED",
            f"SOQL statements cannot be longer than {MAX_STATEMENT} characters.",
        )
    return _Parser(text).query()
