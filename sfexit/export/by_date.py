"""Dividing a slice by date, for the roads that read an object whole."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime
from typing import Any

from sfexit.errors import OrgRefused, Transient
from sfexit.export import plan
from sfexit.export.work import Work
from sfexit.salesforce import query
from sfexit.salesforce.client import Client


def halves(client: Client, work: Work, condition: str) -> tuple[str, str] | None:
    """Two conditions that together hold the rows of one; None: it cannot be divided."""
    name = plan.date_field(work.description)
    if name is None:
        return None
    oldest, newest = _span(client, work.name, name)
    return plan.halves(condition, name, oldest=oldest, newest=newest)


def _span(
    client: Client, object_name: str, field_name: str
) -> tuple[datetime | None, datetime | None]:
    """Oldest and newest value of a date field: hints for halving, never bounds."""
    try:
        page = query.first_page(
            client,
            f"SELECT MIN({field_name}) low, MAX({field_name}) high FROM {object_name}",  # noqa: S608
        )
    except (OrgRefused, Transient):
        return None, None
    record = page.records[0] if page.records else {}
    return _moment(record.get("low")), _moment(record.get("high"))


def _moment(text: Any) -> datetime | None:
    if not isinstance(text, str):
        return None
    with suppress(ValueError):
        return datetime.fromisoformat(text.replace("Z", "+00:00"))
    return None
