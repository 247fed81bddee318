"""The bytes of a file: one request each, read as a stream.

"sObject Blob Get" and "sObject Rich Text Image Get" of the REST API guide. Neither works inside a
composite request. No document says whether Range is honoured for blobs, so a part is believed only
when the answer says exactly which part it is; everything else begins anew.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from sfexit.errors import DamagedAnswer
from sfexit.salesforce.client import Client
from sfexit.salesforce.describe import check_api_name
from sfexit.salesforce.ids import full_id
from sfexit.salesforce.transport import RawAnswer

_PART = re.compile(r"bytes (\d+)-(\d+)/(\d+)")  # RFC 9110, 14.4
LARGEST_BYTES = 64 << 30  # no file of Salesforce is nearly as large; a stream without end is


@dataclass(frozen=True)
class BodyAnswer:
    """A body on the wire. `start` is the offset of its first byte, `etag` a strong one or ""."""

    start: int
    etag: str
    content_type: str
    _answer: RawAnswer

    def pieces(self) -> Iterator[bytes]:
        """The bytes. Raises NetworkFault, DamagedAnswer."""
        return self._answer.unpacked(LARGEST_BYTES)


@contextmanager
def open_body(
    client: Client,
    object_name: str,
    record_id: str,
    field: str,
    *,
    reference: str = "",
    start: int = 0,
    etag: str = "",
    size: int | None = None,
    packed: bool = False,
) -> Iterator[BodyAnswer]:
    """Ask for a body, or for its rest from `start` on; `with open_body(…) as body`.

    `reference` names an image inside a rich text field. The rest of a body (whose whole `size` is
    known, and `etag` if the org gave one) is asked for by Range; the answer tells where it really
    starts, and is 0 where the org sends everything. `packed` asks for gzip: text logs are large.

    Raises DamagedAnswer for a part other than the one asked for: begin anew then. No retry here.
    """
    path = f"{client.base}/sobjects/{check_api_name(object_name)}/{full_id(record_id)}"
    if reference:
        path += f"/richTextImageFields/{check_api_name(field)}/{full_id(reference)}"
    else:
        path += f"/{check_api_name(field)}"
    headers = {"Accept": "*/*", "Accept-Encoding": "gzip" if packed else "identity"}
    if start:
        headers["Range"] = f"bytes={start}-"
        if etag:
            headers["If-Range"] = etag
    with client.stream(path, headers) as answer:
        told = answer.headers.get("ETag", "")
        strong = told if re.fullmatch(r'"[\x21-\x7e]+"', told) else ""
        begins = 0
        if answer.status == 206:
            part = _PART.fullmatch(answer.headers.get("Content-Range", ""))
            if not part or not start or int(part[1]) != start or answer.encoding != "identity":
                raise DamagedAnswer("The org sent another part of the file than the one asked for.")
            if size is not None and (int(part[3]), int(part[2])) != (size, size - 1):
                raise DamagedAnswer("The file has another size than the org said before.")
            if etag and strong != etag:
                raise DamagedAnswer("The file was changed while it was fetched.")
            begins = start
        elif answer.status != 200:
            raise DamagedAnswer(f"The org answered {answer.status} where a file was asked for.")
        yield BodyAnswer(begins, strong, answer.content_type, answer)
