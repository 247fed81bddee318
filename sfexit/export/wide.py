"""Objects so wide that one SELECT overflows the address of a REST query.

Their columns are asked for in groups. The first group gives the rows; the others are looked up for
the ids of each page, so that no two cursors have to stay in step.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sfexit.salesforce import query
from sfexit.salesforce.client import Client

# An id costs 24 bytes in the address once its quotes are escaped; the columns need the rest.
IDS_A_QUERY = 100
IDS_BYTES = IDS_A_QUERY * 27


class RowsMoved(Exception):
    """A row is found by one group of columns and not by another: it changed in between."""


def completed(
    client: Client, object_name: str, records: list[dict[str, Any]], groups: Sequence[list[str]]
) -> list[dict[str, Any]]:
    """`records` with the fields of the further `groups` (each beginning with Id) added.

    Raises RowsMoved.
    """
    whole = {record["Id"]: dict(record) for record in records}
    ids = list(whole)
    for columns in groups:
        for start in range(0, len(ids), IDS_A_QUERY):
            wanted = ids[start : start + IDS_A_QUERY]
            listed = ",".join(f"'{one}'" for one in wanted)
            text = f"SELECT {','.join(columns)} FROM {object_name} WHERE Id IN ({listed})"  # noqa: S608
            page = query.first_page(client, text)
            found = list(page.records)
            while page.next_path is not None:
                page = query.next_page(client, page.next_path)
                found += page.records
            if {record["Id"] for record in found} != set(wanted):
                raise RowsMoved(
                    f"{object_name} is too wide for one query, and a row changed between two"
                )
            for record in found:
                whole[record["Id"]].update(record)
    return [whole[one] for one in ids]
