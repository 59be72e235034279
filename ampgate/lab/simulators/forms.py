"""The body of `/identify` and `/groupidentify`: a form, not JSON (amplitude.md#identify)."""

from email.message import Message
from email.parser import BytesParser
from email.policy import compat32
from urllib.parse import parse_qsl

from ampgate.lab.simulators.model import Request

FIELDS_MAX = 100


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
    head = f"content-type: {content_type}\r\n\r\n"
    form = BytesParser(policy=compat32).parsebytes(head.encode("latin-1", "replace") + body)
    fields: dict[str, str] = {}
    parts = form.get_payload()
    for part in parts[:FIELDS_MAX] if isinstance(parts, list) else ():
        if not isinstance(part, Message):
            continue
        name = part.get_param("name", "", "content-disposition")
        value = part.get_payload(decode=True)
        if isinstance(name, str) and name and isinstance(value, bytes):
            fields[name] = value.decode("utf-8", "replace")
    return fields
