"""Which column kind stands behind a field: believable values by name and type."""

# ruff: noqa: ARG001 (all makers share one signature)
from __future__ import annotations

import random
from collections.abc import Callable, Sequence

from . import columns as col
from . import wordlists as w
from .bodies import BodyColumn, FileColumn, RichColumn
from .columns import Column, Value
from .data import AS_OF, DELETED_EVERY, DELETED_PHASE, PRIMES, Table, java_double
from .definitions import EntityColumn, FieldColumn
from .dirty import DIRTY_LONG, DIRTY_SHORT
from .feeds import LikesColumn
from .photos import PhotoColumn
from .schema import Field

DAY = 86_400

#: Every org has users nobody logs in as; their profile cannot be read.
SYSTEM_USERS: dict[str, tuple[Value, Value]] = {
    "Username": ("autoproc@northwater.example", "cloud@northwater.example"),
    "FirstName": ("Automated", None),
    "LastName": ("Process", "Platform Integration User"),
    "Name": ("Automated Process", "Platform Integration User"),
    "Email": ("noreply@northwater.example", "noreply@northwater.example"),
    "Alias": ("autoproc", "cloud"),
    "UserType": ("AutomatedProcess", "CloudIntegrationUser"),
    "IsActive": ("true", "true"),
    "LastLoginDate": (None, None),
    "Title": (None, None),
    "Department": (None, None),
    "ManagerId": (None, None),
}


def build(table: Table, f: Field) -> Column:
    """The column of a field."""
    column = _column(table, f)
    if table.sobject.name == "User" and f.name in SYSTEM_USERS:
        return col.Except(column, dict(enumerate(SYSTEM_USERS[f.name], start=1)))
    if table.sobject.name == "User" and f.name == "ProfileId":
        profiles = table.org.tables["Profile"].ids
        return col.Except(column, {1: profiles.at(-1), 2: profiles.at(-2)})
    return column


def _column(table: Table, f: Field) -> Column:
    system = _system(table, f)
    if system is not None:
        return system
    rng = table.random(f.name)
    kind, _, argument = f.gen.partition(":")
    maker = _BY_GEN.get(kind)
    if maker is not None:
        return maker(table, f, rng, argument.replace("~", " "))
    if f.type == "reference":
        return _reference(table, f, rng)
    return _by_type(table, f, rng)


def _pool_size(rng: random.Random) -> int:
    return rng.choice(PRIMES)


def _pool(rng: random.Random, make: Callable[[], str], f: Field, fill: float = 0.8) -> Column:
    size = _pool_size(rng)
    share = 1.0 if not f.nillable else fill
    return col.Pool([make() if rng.random() < share else None for _ in range(size)])


def _system(table: Table, f: Field) -> Column | None:
    name = f.name
    if name == "Id":
        return col.Ids(table.ids)
    if name == "IsDeleted" and table.deletable:
        flags: list[Value] = ["false"] * DELETED_EVERY
        flags[DELETED_PHASE] = "true"
        return col.Pool(flags)
    if name == "IsArchived":
        return col.Prefix(col.Pool(["true"]), table.archived, col.Pool(["false"]))
    if name == "CreatedDate":
        return table.created
    if name in ("LastModifiedDate", "SystemModstamp"):
        rng = table.random("LastModifiedDate")
        delays = [rng.randrange(120 * DAY) if rng.random() < 0.6 else 0 for _ in range(163)]
        if name == "SystemModstamp":
            delays = [d + (7 if n % 41 == 3 else 0) for n, d in enumerate(delays)]
        created = table.created
        return col.Stamp(created.start, created.span, created.rows, delays, AS_OF - 1)
    return None


# -- by type ------------------------------------------------------------------------------


def _sentence(rng: random.Random, low: int = 3, high: int = 14) -> str:
    return " ".join(rng.choice(w.WORDS) for _ in range(rng.randint(low, high)))


def _paragraph(rng: random.Random, length: int) -> str:
    breaks = ("\n", "\r\n", "\n\n", ", ", '; "', " – ", '" ')
    text = _sentence(rng, 4, 10).capitalize()
    for _ in range(rng.randint(0, 3)):
        text += rng.choice(breaks) + _sentence(rng, 3, 9)
    return text[:length].strip()


def _by_type(table: Table, f: Field, rng: random.Random) -> Column:
    t = f.type
    if t == "boolean":
        share = rng.choice((0.05, 0.3, 0.5))
        return col.Pool(["true" if rng.random() < share else "false" for _ in range(61)])
    if t == "picklist":
        return _pool(rng, lambda: rng.choice(f.values), f, 0.85)
    if t == "multipicklist":
        return _pool(rng, lambda: ";".join(sorted(rng.sample(f.values, rng.randint(1, 3)))), f)
    if t == "textarea":
        size = min(f.length, 400)
        return _pool(rng, lambda: _paragraph(rng, size), f, 0.5)
    if t == "phone":
        return _pool(rng, lambda: f"+49 {rng.randint(30, 99)} {rng.randint(100000, 9999999)}", f)
    if t == "url":
        return _pool(
            rng, lambda: f"https://www.{rng.choice(w.ASCII_LAST)}-{rng.randint(1, 999)}.example", f
        )
    if t == "email":
        return _email(table, f, rng, "")
    if t in ("int", "long"):
        return _pool(rng, lambda: str(rng.randrange(-20, 90_000)), f)
    if t in ("double", "currency", "percent"):
        if not f.nillable:
            return col.Number(7919, rng.randrange(1, 5000), 99_991, (".0", ".5", ".25", ".99"))
        limit = 100 if t == "percent" else 250_000
        return _pool(rng, lambda: java_double(round(rng.uniform(0, limit), min(f.scale, 2))), f)
    if t == "date":
        start = AS_OF // DAY - 9 * 365
        return _pool(rng, lambda: col.day_text(start + rng.randrange(9 * 365)), f)
    if t == "datetime":
        return _pool(rng, lambda: col.datetime_text(AS_OF - 1 - rng.randrange(700 * DAY)), f)
    if t == "time":
        return _pool(
            rng,
            lambda: f"{rng.randrange(24):02d}:{rng.randrange(60):02d}:{rng.randrange(60):02d}.000Z",
            f,
        )
    if t == "encryptedstring":
        return _pool(rng, lambda: f"*****{rng.randint(1000, 9999)}", f)
    if t == "anyType":
        choices: Sequence[Callable[[], str]] = (
            lambda: _sentence(rng, 1, 4),
            lambda: rng.choice(("true", "false")),
            lambda: java_double(round(rng.uniform(0, 9999), 2)),
            lambda: col.day_text(AS_OF // DAY - rng.randrange(900)),
        )
        return _pool(rng, lambda: rng.choice(choices)(), f, 0.85)
    size = f.length or 255
    return _pool(rng, lambda: _sentence(rng, 1, 5)[:size].strip(), f)


# -- references -------------------------------------------------------------------------------


def _to(table: Table, name: str, rng: random.Random) -> Column:
    target = table.org.tables.get(name)
    if target is None or target.rows == 0:
        return col.Pool([None])
    offset = rng.randrange(target.rows)
    if target.rows <= 600:
        rows = list(range(target.rows))
        rng.shuffle(rows)
        return col.Pool([target.ids.at(r) for r in rows])
    return col.Reference(target.ids, target.rows, offset)


def _reference(table: Table, f: Field, rng: random.Random) -> Column:
    targets = [_to(table, name, rng) for name in f.ref]
    inner = targets[0] if len(targets) == 1 else col.Turns(targets)
    if not f.nillable:
        return inner
    lost = table.org.tables.get(f.ref[0])
    if lost is not None and lost.sobject.has_deleted:
        space = lost.ids  # a few rows point at purged rows: their ids were used up, the rows left
        inner = col.Sometimes(inner, 1999, 1234, lambda i: space.at(-1 - i % 900))
    return col.Sometimes(inner, rng.choice((7, 11, 13)), rng.randrange(7))


def _nth(table: Table, f: Field, rng: random.Random, name: str) -> Column:
    """The rows of another object in turn, none of them left out."""
    target = table.org.tables.get(name)
    if target is None or target.rows == 0:
        return col.Pool([None])
    return col.Pool([target.ids.at(k) for k in range(target.rows)])


def _posts(table: Table, f: Field, rng: random.Random, popular: str) -> Column:
    """The rows of all record feeds in turn, with `popular` more in one place. Rows of FeedItem are
    left out: there they would be seen by no entity feed."""
    named = [table.org.tables.get(name) for name in f.ref if name != "FeedItem"]
    feeds = [feed for feed in named if feed is not None and feed.rows]
    if not feeds:
        return col.Pool([None])
    most = max(table.rows - int(popular), 0)
    posts = [feed.ids.at(k) for feed in feeds for k in range(min(feed.rows, most))]
    rest = [posts[n % len(posts)] for n in range(most)] if posts else []
    return col.Pool([feeds[0].ids.at(0)] * int(popular) + rest)


def _tree(table: Table, f: Field, rng: random.Random, argument: str) -> Column:
    """Where a folder item lies: folder n in folder n // 2 of the list that begins with the roots,
    so that folders lie in folders; documents anywhere."""
    name, _, roots = argument.partition(":")
    target = table.org.tables.get(name)
    if target is None or target.rows == 0:
        return col.Pool([None])
    below = max(target.rows - int(roots), 0)
    places = [n // 2 if n < below else n % target.rows for n in range(max(table.rows, 1))]
    return col.Pool([target.ids.at(k) for k in places])


def _below(table: Table, f: Field, rng: random.Random, argument: str) -> Column:
    """True for folder items that are folders: as many as there are folders below the roots."""
    name, _, roots = argument.partition(":")
    target = table.org.tables.get(name)
    below = max((target.rows if target else 0) - int(roots), 0)
    return col.Prefix(col.Pool(["true"]), below, col.Pool(["false"]))


def _over(table: Table, f: Field, rng: random.Random, argument: str) -> Column:
    """The folder that a folder lies in; the roots lie in none."""
    roots = int(argument)
    parents: list[Value] = [
        table.ids.at((n - roots) // 2) if n >= roots else None for n in range(max(table.rows, 1))
    ]
    return col.Pool(parents)


def _copy(table: Table, f: Field, rng: random.Random, argument: str) -> Column:
    """The values of a field of another object, in turn."""
    name, _, field_name = argument.partition(".")
    target = table.org.tables.get(name)
    if target is None or target.rows == 0:
        return col.Pool([None])
    return col.Pool([target.column(field_name).value(k) for k in range(target.rows)])


def _every(table: Table, f: Field, rng: random.Random, argument: str) -> Column:
    targets = [_to(table, name, rng) for name in f.ref]
    inner = targets[0] if len(targets) == 1 else col.Turns(targets)
    return col.Mostly(inner, int(argument), 3)


# -- by name ----------------------------------------------------------------------------------


def _shuffled(rng: random.Random, words: Sequence[str], size: int) -> list[str]:
    return [rng.choice(words) for _ in range(size)]


def _company(table: Table, f: Field, rng: random.Random, _: str) -> Column:
    return col.Template(
        _shuffled(rng, w.COMPANY, 101),
        " ",
        _shuffled(rng, w.BRANCH, 83),
        " ",
        _shuffled(rng, w.LEGAL, 47),
        " ",
        str,
    )


def _person(table: Table, f: Field, rng: random.Random, _: str) -> Column:
    first, last = table.sobject.field("FirstName"), table.sobject.field("LastName")
    if first is None or last is None:
        return col.Template(_shuffled(rng, w.FIRST, 97), " ", _shuffled(rng, w.LAST, 113))
    firsts = [table.column("FirstName").value(n + 97) for n in range(97)]
    lasts = [table.column("LastName").value(n + 113) for n in range(113)]
    return col.Template([f"{t} " if t else "" for t in firsts], [t or "" for t in lasts])


def _first(table: Table, f: Field, rng: random.Random, _: str) -> Column:
    return col.Pool([None if n % 19 == 4 else rng.choice(w.FIRST) for n in range(97)])


def _last(table: Table, f: Field, rng: random.Random, _: str) -> Column:
    return col.Pool(list(_shuffled(rng, w.LAST, 113)))


def _email(table: Table, f: Field, rng: random.Random, _: str) -> Column:
    inner = col.Template(
        _shuffled(rng, w.ASCII_FIRST, 61),
        ".",
        _shuffled(rng, w.ASCII_LAST, 67),
        str,
        "@mail.example",
    )
    return inner if not f.nillable else col.Sometimes(inner, 9, 4)


def _username(table: Table, f: Field, rng: random.Random, _: str) -> Column:
    return col.Template(_shuffled(rng, w.ASCII_FIRST, 61), ".", str, "@northwater.example")


def _sequence(table: Table, f: Field, rng: random.Random, argument: str) -> Column:
    return col.Template(argument, lambda i: f"{i + 1:07d}")


def _unit(i: int) -> str:
    return str(i + 1)


def _alias(table: Table, f: Field, rng: random.Random, argument: str) -> Column:
    return col.Template(argument, _unit)


def _const(table: Table, f: Field, rng: random.Random, argument: str) -> Column:
    return col.Pool([argument])


def _null(table: Table, f: Field, rng: random.Random, _: str) -> Column:
    return col.Pool([None])


def _true(table: Table, f: Field, rng: random.Random, argument: str) -> Column:
    every = int(argument) if argument else 0
    if not every:
        return col.Pool(["true"])
    return col.Pool(["false" if n == every - 1 else "true" for n in range(every)])


def _false(table: Table, f: Field, rng: random.Random, _: str) -> Column:
    return col.Pool(["false"])


def _words_from(words: Sequence[str], fill: float = 0.85) -> Maker:
    def make(table: Table, f: Field, rng: random.Random, _: str) -> Column:
        return _pool(rng, lambda: rng.choice(words), f, fill)

    return make


def _numbered(words: Sequence[str]) -> Maker:
    def make(table: Table, f: Field, rng: random.Random, _: str) -> Column:
        return col.Template(_shuffled(rng, words, 89), " ", str)

    return make


def _large(table: Table, f: Field, rng: random.Random, _: str) -> Column:
    return _pool(rng, lambda: java_double(float(round(rng.uniform(1e4, 9e8), -3))), f)


def _address(table: Table, f: Field, rng: random.Random, part: str) -> Column:
    makers: dict[str, Callable[[], str]] = {
        "Street": lambda: (
            rng.choice(w.STREET)
            + f" {rng.randint(1, 240)}"
            + rng.choice(("", "", "", "\nBuilding C", "\r\n2nd floor"))
        ),
        "City": lambda: rng.choice(w.CITY),
        "State": lambda: rng.choice(w.STATE),
        "PostalCode": lambda: f"{rng.randint(0, 99999):05d}",
        "Country": lambda: rng.choice(w.COUNTRY),
        "Latitude": lambda: java_double(round(rng.uniform(-60, 70), 6)),
        "Longitude": lambda: java_double(round(rng.uniform(-180, 180), 6)),
        "GeocodeAccuracy": lambda: rng.choice(("Address", "Street", "City")),
    }
    return _pool(rng, makers[part], f, 0.3 if part in ("Latitude", "Longitude") else 0.85)


def _day(table: Table, f: Field, rng: random.Random, _: str) -> Column:
    return col.Day(table.created)


def _when(table: Table, f: Field, rng: random.Random, _: str) -> Column:
    created = table.created
    return col.Stamp(created.start, created.span, created.rows, [0, 1800, 3600, 7200], AS_OF - 1)


def _dirty(table: Table, f: Field, rng: random.Random, argument: str) -> Column:
    values: list[Value] = list(DIRTY_SHORT if argument == "short" else DIRTY_LONG)
    values.append(None)
    rng.shuffle(values)
    return col.Pool(values)


def _size(table: Table, f: Field, rng: random.Random, _: str) -> Column:
    return col.Number(7907, rng.randrange(1, 5000), 2_000_003)


def _hash(table: Table, f: Field, rng: random.Random, _: str) -> Column:
    return _pool(rng, lambda: f"{rng.getrandbits(128):032x}", f, 1.0)


def _durable(table: Table, f: Field, rng: random.Random, argument: str) -> Column:
    return col.Template(argument or "Account.", lambda i: f"{i:05d}")


def _entity(table: Table, f: Field, rng: random.Random, what: str) -> Column:
    return EntityColumn(table.org, what)


def _field(table: Table, f: Field, rng: random.Random, what: str) -> Column:
    return FieldColumn(table.org, table.sobject.name, what)


def _secret(table: Table, f: Field, rng: random.Random, _: str) -> Column:
    return _pool(rng, lambda: f"KD-{rng.randint(10000, 99999)}-{rng.randint(1000, 9999)}", f)


def _each(table: Table, f: Field, rng: random.Random, argument: str) -> Column:
    return col.Pool(list(argument.split(",")))


def _rate(table: Table, f: Field, rng: random.Random, _: str) -> Column:
    rates: list[Value] = [java_double(round(rng.uniform(0.2, 9), 6)) for _ in range(11)]
    return col.Pool(["1.0", *rates])


def _first_only(table: Table, f: Field, rng: random.Random, _: str) -> Column:
    return col.Pool(["true"] + ["false"] * (table.rows - 1))


def _month(table: Table, f: Field, rng: random.Random, argument: str) -> Column:
    ahead = int(argument or 0)
    days: list[Value] = []
    for i in range(max(table.rows, 1)):
        n = i // max(1, table.rows // 12) + ahead
        days.append(f"{2025 + n // 12}-{n % 12 + 1:02d}-01")
    return col.Pool(days)


def _currency_code(table: Table, f: Field, rng: random.Random, _: str) -> Column:
    return col.Pool([rng.choice(f.values) for _ in range(61)])


def _is_person(i: int) -> bool:
    return i % 10 == 3  # every tenth account is a person account


def _person_flag(table: Table, f: Field, rng: random.Random, _: str) -> Column:
    return col.Pool(["true" if _is_person(i) else "false" for i in range(10)])


class _Twin(Column):
    """The contact that is the other half of a person account."""

    def __init__(self, contacts: Table) -> None:
        self.contacts = contacts

    def value(self, i: int) -> Value:
        row = i // 10
        return self.contacts.ids.at(row) if _is_person(i) and row < self.contacts.rows else None


class _IsTwin(Column):
    """True for contacts that are the other half of a person account."""

    def __init__(self, accounts: Table) -> None:
        self.accounts = accounts

    def value(self, i: int) -> Value:
        return "true" if i * 10 + 3 < self.accounts.rows else "false"


def _person_contact(table: Table, f: Field, rng: random.Random, _: str) -> Column:
    return _Twin(table.org.tables["Contact"])


def _person_twin(table: Table, f: Field, rng: random.Random, _: str) -> Column:
    return _IsTwin(table.org.tables["Account"])


def _person_part(table: Table, f: Field, rng: random.Random, part: str) -> Column:
    makers: dict[str, Column] = {
        "last": _last(table, f, rng, ""),
        "first": _first(table, f, rng, ""),
        "email": _email(table, f, rng, ""),
        "date": col.Pool([f"19{n:02d}-04-{n % 28 + 1:02d}" for n in range(40, 99)]),
        "word": col.Pool([rng.choice(w.SUBJECT) for _ in range(31)]),
    }
    return col.Mostly(makers[part], 10, 3)


def _body(table: Table, f: Field, rng: random.Random, what: str) -> Column:
    return BodyColumn(table, what)


def _file(table: Table, f: Field, rng: random.Random, what: str) -> Column:
    return FileColumn(table, what)


def _photo(table: Table, f: Field, rng: random.Random, _: str) -> Column:
    return PhotoColumn(table.sobject.prefix)


def _likes(table: Table, f: Field, rng: random.Random, _: str) -> Column:
    return LikesColumn(table)


def _rich(table: Table, f: Field, rng: random.Random, _: str) -> Column:
    return RichColumn(table, f.name)


Maker = Callable[[Table, Field, random.Random, str], Column]
_BY_GEN: dict[str, Maker] = {
    "address": _address,
    "below": _below,
    "body": _body,
    "company": _company,
    "const": _const,
    "copy": _copy,
    "currency_code": _currency_code,
    "day": _day,
    "dirty": _dirty,
    "durable": _durable,
    "email": _email,
    "each": _each,
    "entity": _entity,
    "every": _every,
    "field": _field,
    "false": _false,
    "file": _file,
    "first": _first,
    "first_only": _first_only,
    "hash": _hash,
    "large": _large,
    "last": _last,
    "month": _month,
    "nth": _nth,
    "null": _null,
    "over": _over,
    "person": _person,
    "person_contact": _person_contact,
    "likes": _likes,
    "person_flag": _person_flag,
    "person_part": _person_part,
    "person_twin": _person_twin,
    "photo": _photo,
    "posts": _posts,
    "product": _numbered(w.PRODUCT),
    "rate": _rate,
    "rich": _rich,
    "secret": _secret,
    "seq": _sequence,
    "short": _alias,
    "size": _size,
    "subject": _words_from(w.SUBJECT, 0.97),
    "title": _words_from(w.TITLE),
    "tree": _tree,
    "true": _true,
    "username": _username,
    "when": _when,
}
