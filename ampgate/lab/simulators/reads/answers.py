"""What all of Amplitude's read APIs share: who asks, and how they say no."""

import base64
import binascii
from urllib.parse import parse_qsl

from ampgate.lab.simulators.model import Answer, Request, json_answer


def api_key_of(request: Request) -> str:
    """Of Basic credentials; empty without both keys."""
    scheme, _, pair = request.headers.get("authorization", "").partition(" ")
    try:
        key, colon, secret = base64.b64decode(pair).decode().partition(":")
    except (binascii.Error, ValueError):
        return ""
    return key if scheme.lower() == "basic" and colon and secret else ""


def query_of(request: Request) -> dict[str, str]:
    return dict(parse_qsl(request.query, keep_blank_values=True))


def error(status: int, details: str) -> Answer:
    found = {"http_code": status, "type": "unspecified", "metadata": {"details": details}}
    return json_answer(status, {"error": found})
