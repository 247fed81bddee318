"""Refusals, in the shapes Salesforce uses for them."""

from __future__ import annotations


class ApiError(Exception):
    """A refused request: HTTP status, ``errorCode`` and message (REST API guide, Status Codes)."""

    def __init__(
        self, status: int, code: str, message: str, fields: tuple[str, ...] | None = None
    ) -> None:
        super().__init__(f"{status} {code}: {message}")
        self.status = status
        self.code = code
        self.message = message
        self.fields = fields

    def body(self) -> list[dict[str, object]]:
        """The error list that goes over the wire."""
        entry: dict[str, object] = {"message": self.message, "errorCode": self.code}
        if self.fields is not None:
            entry["fields"] = list(self.fields)
        return [entry]


def not_found() -> ApiError:
    """The answer to an unknown path or row."""
    return ApiError(404, "NOT_FOUND", "The requested resource does not exist")
