"""A request as the routes see it, and the plainest answers."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs

from . import metadata
from .answers import Answer
from .errors import ApiError
from .query import as_text

XML_TYPE = "text/xml;charset=UTF-8"


@dataclass
class Request:
    """What the routes need to know of an HTTP request."""

    method: str
    target: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes
    base_url: str
    token: str = ""

    @property
    def soap(self) -> bool:
        """The request goes to the Metadata API."""
        return re.fullmatch(r"/services/Soap/m/\d+\.\d/?", self.path) is not None

    @property
    def params(self) -> dict[str, str]:
        """Query parameters, the last of each name."""
        return {k: v[-1] for k, v in parse_qs(self.query, keep_blank_values=True).items()}

    def json(self) -> Any:
        """The body as JSON, or JSON_PARSER_ERROR."""
        try:
            return json.loads(self.body or b"")
        except ValueError:
            raise ApiError(
                400, "JSON_PARSER_ERROR", "The HTTP entity body is not valid JSON"
            ) from None


def error_answer(error: ApiError, soap: bool = False) -> Answer:
    """An error as Salesforce sends it: over SOAP as a fault, with status 500."""
    if soap:
        return Answer(500, metadata.fault(error.code, error.message), XML_TYPE)
    return Answer(error.status, as_text(error.body()))


def json_answer(value: Any, status: int = 200) -> Answer:
    """A value as JSON."""
    return Answer(status, as_text(value))
