"""An answer, before it is framed and sent."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from .bulk import Job, ResultPage

JSON_TYPE = "application/json;charset=UTF-8"


@dataclass
class Answer:
    """An answer before it meets gzip, framing and faults."""

    status: int = 200
    body: bytes | Iterator[bytes] = b""
    content_type: str = JSON_TYPE
    headers: dict[str, str] = field(default_factory=dict)
    page: ResultPage | None = None
    job: Job | None = None
    #: Bytes of a body that is made while it is sent; None: not known.
    length: int | None = None

    def text(self) -> bytes:
        """The whole body; an iterator is read up."""
        if not isinstance(self.body, bytes):
            self.body = b"".join(self.body)
            self.length = None
        return self.body
