"""The body of `/identify` and `/groupidentify`: a form, not JSON (amplitude.md#identify)."""

import re
from urllib.parse import parse_qsl

from ampgate.lab.simulators.model import Request

FIELDS_MAX = 100
_BOUNDARY = re.compile(r'boundary="?([^";,]+)"?')
_NAME = re.compile(rb'[;\s]name="?([^";\r\n]+)"?')


def form_fields(request: Request) -> dict[str, str]:
    """The form's fields, of the body and of the query; empty when it is no form at all."""
    content_type = request.headers.get("content-type", "").lower()
    fields = _urlencoded(request.query)
    if content_type.startswith("multipart/form-data"):
        fields |= _multipart(request.headers["content-type"], request.body)
    elif content_type.startswith("application/x-www-form-urlencoded"):
        fields |= _urlencoded(request.body.decode("utf-8", "replace"))
    return fields


def is_json(request: Request) -> bool:
    return "json" in request.headers.get("content-type", "") or request.body[:1] in (b"{", b"[")


def _urlencoded(text: str) -> dict[str, str]:
    try:
        return dict(parse_qsl(text, keep_blank_values=True, max_num_fields=FIELDS_MAX))
    except ValueError:
        return {}


def _multipart(content_type: str, body: bytes) -> dict[str, str]:
    boundary = _BOUNDARY.search(content_type)
    if boundary is None:
        return {}
    fields: dict[str, str] = {}
    # Each part is between two boundary lines: headers, an empty line, the value.
    for part in (b"\r\n" + body).split(b"\r\n--" + boundary[1].encode())[1:FIELDS_MAX]:
        head, separator, value = part.partition(b"\r\n\r\n")
        name = _NAME.search(head)
        if separator and name:
            fields[name[1].decode("utf-8", "replace")] = value.decode("utf-8", "replace")
    return fields
