"""Reports and dashboards as the Analytics REST API tells of them.

Reports and Dashboards REST API guide: "Get Report Metadata", "Error Codes", "Run Reports
Synchronously or Asynchronously", "Dashboards: Describe", "Requirements and Limitations" (at most
2,000 detail rows, 500 synchronous runs an hour). A report has as many rows as its number and its
row tell, so that some are longer than that.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .errors import ApiError, not_found
from .ids import to18

if TYPE_CHECKING:
    from .org import SimulatedOrg

MOST_ROWS = 2000
RUNS_AN_HOUR = 500


def _row(org: SimulatedOrg, name: str, row_id: str) -> tuple[int, dict[str, Any]]:
    """Number and values of a report or dashboard that the user of the request may open."""
    view = org.acting()
    sobject = view.sobject(name)
    found = org.tables.locate(to18(row_id) or "")
    if sobject is None or found is None or found[0].sobject.name != name:
        raise not_found()
    table, row = found
    checks = [view.row_check(sobject, scope) for scope in view.scopes(sobject)]
    seen = any(check is None or check([row])[0] for check in checks)
    if table.deleted(table.changes, row) or not seen:
        raise not_found()
    names = [f.name for f in sobject.fields]
    return row, {one: table.value(table.changes, one, row) for one in names}


def rows_of(number: int) -> int:
    """How many detail rows report ``number`` has."""
    return number * 173 % 3100


def _metadata(values: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": values["Id"],
        "name": values.get("Name"),
        "description": values.get("Description"),
        "developerName": values.get("DeveloperName"),
        "folderId": values.get("OwnerId"),
        "reportFormat": "TABULAR",
        "reportType": {"label": "Accounts", "type": "AccountList"},
        "detailColumns": ["ACCOUNT.NAME", "ACCOUNT.TYPE"],
        "reportFilters": [
            {"column": "ACCOUNT.TYPE", "operator": "equals", "value": "Customer"},
        ],
        "reportBooleanFilter": None,
        "aggregates": ["RowCount"],
        "currency": None,
        "hasDetailRows": True,
    }


def report_definition(org: SimulatedOrg, row_id: str) -> dict[str, Any]:
    """``GET /analytics/reports/{id}/describe``."""
    _, values = _row(org, "Report", row_id)
    return {
        "reportExtendedMetadata": {"aggregateColumnInfo": {}, "detailColumnInfo": {}},
        "reportMetadata": _metadata(values),
        "reportTypeMetadata": {"categories": [], "dataTypeFilterOperatorMap": {}},
    }


def report_result(org: SimulatedOrg, row_id: str, details: bool) -> dict[str, Any]:
    """``GET /analytics/reports/{id}?includeDetails=true``."""
    number, values = _row(org, "Report", row_id)
    with org.lock:
        now = org.now()
        org.report_runs = [one for one in org.report_runs if one > now - 3600]
        if len(org.report_runs) >= RUNS_AN_HOUR:
            raise ApiError(
                403,
                "FORBIDDEN",
                f"You can’t run more than {RUNS_AN_HOUR} reports synchronously every 60 minutes. "
                "Try again later.",
            )
        org.report_runs.append(now)
    total = rows_of(number)
    rows = [
        {"dataCells": [{"label": f"Customer {k}", "value": f"Customer {k}"},
                       {"label": "Customer", "value": "Customer"}]}
        for k in range(min(total, MOST_ROWS) if details else 0)
    ]  # fmt: skip
    return {
        "attributes": {"reportId": values["Id"], "type": "Report"},
        "allData": total <= MOST_ROWS,
        "factMap": {"T!T": {"aggregates": [{"label": str(total), "value": total}], "rows": rows}},
        "hasDetailRows": details,
        "reportMetadata": _metadata(values),
    }


def dashboard_definition(org: SimulatedOrg, row_id: str) -> dict[str, Any]:
    """``GET /analytics/dashboards/{id}/describe``."""
    number, values = _row(org, "Dashboard", row_id)
    return {
        "attributes": {"dashboardId": values["Id"], "type": "Dashboard"},
        "id": values["Id"],
        "name": values.get("Title"),
        "folderId": values.get("FolderId"),
        "developerName": values.get("DeveloperName"),
        "components": [{"id": f"01a{number:012d}AAA", "type": "Report"}],
        "layout": {"gridLayout": True, "numColumns": 12},
    }
