"""The path of a request's target. Pure."""

from functools import lru_cache
from typing import NamedTuple
from urllib.parse import unquote

from httptools import parse_url

REMEMBERED_BYTES_MAX = 128


class Target(NamedTuple):
    """What ASGI wants of it."""

    path: str
    raw_path: bytes
    query: bytes


def target_of(url: bytes) -> Target:
    """Most requests of an edge have one of a few targets."""
    return _remembered(url) if len(url) <= REMEMBERED_BYTES_MAX else _target_of(url)


def _target_of(url: bytes) -> Target:
    parsed = parse_url(path_of(url))
    raw_path: bytes = parsed.path
    path = raw_path.decode("ascii")
    return Target(unquote(path) if "%" in path else path, raw_path, parsed.query or b"")


_remembered = lru_cache(maxsize=256)(_target_of)


def path_of(url: bytes) -> bytes:
    """The path and query of a target in origin, absolute or asterisk form (RFC 9112 §3.2)."""
    if url.startswith(b"/"):
        return url
    if url == b"*":
        return b"/"
    scheme, mark, rest = url.partition(b"://")
    if not mark or scheme.lower() not in (b"http", b"https"):
        return url
    ends = [at for at in (rest.find(b"/"), rest.find(b"?")) if at >= 0]
    path = rest[min(ends) :] if ends else b""
    return path if path.startswith(b"/") else b"/" + path
