"""What still leads into an org from outside: sign-ons, mail, forms, sites, programs.

Signs read from the org, with the last use where the org tells it. No sign is no proof of absence:
the administrator answers for each point.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from sfexit.preflight.questions import Question, Questions, Reply, query
from sfexit.redaction import printable

_SHOWN = 12


@dataclass(frozen=True)
class Point:
    """Something to switch over before an org goes. `soql` gives its signs, `shown` their fields."""

    key: str
    title: str
    action: str
    soql: tuple[tuple[str, str, tuple[str, ...]], ...] = ()  # label, query, fields


@dataclass(frozen=True)
class Seen:
    """What the org told of a point. `unknown`: what could not be read, and why."""

    key: str
    evidence: tuple[str, ...]
    unknown: tuple[str, ...]


# Objects and fields as the Object Reference documents them.
POINTS: tuple[Point, ...] = (
    Point(
        "identity-provider",
        "Salesforce as identity provider for other services",
        "let the users sign in to those services by another identity provider first",
        (("sign-on to another service",
          "SELECT SamlEntityUrl, Timestamp FROM IdpEventLog ORDER BY Timestamp DESC LIMIT 200",
          ("SamlEntityUrl", "Timestamp")),),
    ),
    Point(
        "inbound-mail",
        "Mail addresses that lead into the org (email services, Email-to-Case)",
        "redirect the public addresses; mail to the org's own addresses is lost after the end",
        (("email service",
          "SELECT LocalPart, EmailDomainName FROM EmailServicesAddress WHERE IsActive = true "
          "LIMIT 200", ("LocalPart", "EmailDomainName")),
         ("case from mail", "SELECT CreatedDate FROM Case WHERE Origin = 'Email' "
          "ORDER BY CreatedDate DESC LIMIT 1", ("CreatedDate",))),
    ),
    Point(
        "web-forms",
        "Web-to-Lead and Web-to-Case forms",
        "point the forms of your web pages to the new system; the org takes nothing after the end",
        (("lead from the web", "SELECT CreatedDate FROM Lead WHERE LeadSource = 'Web' "
          "ORDER BY CreatedDate DESC LIMIT 1", ("CreatedDate",)),
         ("case from the web", "SELECT CreatedDate FROM Case WHERE Origin = 'Web' "
          "ORDER BY CreatedDate DESC LIMIT 1", ("CreatedDate",))),
    ),
    Point(
        "sites-domains",
        "Sites, Experience Cloud, own domains",
        "move pages and communities, then change the DNS records of your own domains",
        (("site", "SELECT Name, Status, UrlPathPrefix FROM Site LIMIT 200",
          ("Name", "Status", "UrlPathPrefix")),
         ("domain", "SELECT Domain FROM Domain LIMIT 200", ("Domain",)),
         ("community", "SELECT Name, Status FROM Network LIMIT 200", ("Name", "Status"))),
    ),
    Point(
        "connected-apps",
        "Connected apps and API users",
        "switch each program over or off, and look that its last use lies before the freeze",
        (("token", "SELECT AppName, LastUsedDate, UseCount FROM OauthToken "
          "ORDER BY LastUsedDate DESC NULLS LAST LIMIT 200",
          ("AppName", "LastUsedDate", "UseCount")),
         ("sign-in", "SELECT Application, LoginType, LoginTime FROM LoginHistory "
          "ORDER BY LoginTime DESC LIMIT 200", ("Application", "LoginType", "LoginTime"))),
    ),
)  # fmt: skip


def look(questions: Questions) -> tuple[Seen, ...]:
    """Ask for the signs of every point: one or two calls. A refusal ends as unknown."""
    asked = [(point, label, query(soql), fields)
             for point in POINTS for label, soql, fields in point.soql]  # fmt: skip
    replies = questions.ask([question for _, _, question, _ in asked])
    found: dict[str, tuple[list[str], list[str]]] = {point.key: ([], []) for point in POINTS}
    for (point, label, question, fields), reply in zip(asked, replies, strict=True):
        evidence, unknown = found[point.key]
        if reply.ok:
            evidence += _signs(label, reply, fields)
        else:
            unknown.append(f"{label}: {_object(question)} could not be read ({_why(reply)})")
    return tuple(Seen(key, tuple(seen), tuple(not_read))
                 for key, (seen, not_read) in found.items())  # fmt: skip


def _signs(label: str, reply: Reply, fields: Iterable[str]) -> list[str]:
    """A sign for each different thing, with its newest date; rows come newest first."""
    lines: dict[str, str] = {}
    for row in reply.rows:
        values = {name: _text(row.get(name)) for name in fields}
        dated = {name for name in values if name.endswith(("Date", "Time", "Timestamp"))}
        key = " ".join(value for name, value in values.items() if name not in dated and value)
        when = next((values[name] for name in values if name in dated and values[name]), "")
        if key or when:
            told = ", ".join(filter(None, (key, f"last {when[:10]}" if when else "")))
            lines.setdefault(key, f"{label}: {told}")
    shown = list(lines.values())[:_SHOWN]
    if len(lines) > _SHOWN:
        shown.append(f"and {len(lines) - _SHOWN:,} more of the kind {label}")
    return [printable(one, 200) for one in shown]


def _why(reply: Reply) -> str:
    """The refusal's code and first sentence."""
    words = " ".join(reply.reason.split())
    first = re.match(r"(.*?[^.](?=\. |\.?$)|)", words)
    if not reply.code or first is None or not first[1]:
        return reply.refusal
    return printable(f"{reply.code}: {first[1]}", 200)


def _text(value: object) -> str:
    return "" if value is None else printable(str(value), 120)


def _object(question: Question) -> str:
    return question.path.partition("FROM+")[2].partition("+")[0] or "it"
