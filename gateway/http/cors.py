"""CORS by source: which web pages may send, and read the answers. Pure.

A preflight carries no key, so it is judged against the origins of all sources; an answer by its
key's own source. The origin itself is named, never `*`: `sendBeacon` sends with credentials, and
for these `*` does not count. Credentials are for origins that are named in the configuration, not
for those that only a `*` lets in.
"""

from collections.abc import Mapping

PREFLIGHT_SECONDS = b"7200"  # The longest that Chromium caches a preflight.
ECHO_BYTES_MAX = 64  # The most that an answer repeats of a request.
KNOWN_HEADERS = (b"authorization", b"content-type", b"content-encoding", b"traceparent")

HttpHeaders = list[tuple[bytes, bytes]]
VARY = (b"vary", b"Origin")


def answer_headers(origin: bytes | None, origins: frozenset[str]) -> HttpHeaders:
    """Headers that let the page read the answer, and tell caches that it depends on the origin."""
    if origin is None:
        return [VARY]
    return [VARY, *_allowed(origin, origins)]


def allowed_methods(methods: frozenset[str]) -> bytes:
    return ", ".join([*sorted(methods, reverse=True), "OPTIONS"]).encode()


def preflight_headers(
    headers: Mapping[bytes, bytes], origins: frozenset[str], methods: frozenset[str]
) -> HttpHeaders:
    answer: HttpHeaders = [
        (b"vary", b"Origin, Access-Control-Request-Headers"),
        (b"allow", allowed_methods(methods)),
    ]
    origin = headers.get(b"origin")
    allowed = [] if origin is None else _allowed(origin, origins)
    if not allowed:
        return answer
    return [
        *answer,
        *allowed,
        (b"access-control-allow-methods", allowed_methods(methods)),
        (b"access-control-allow-headers", _allowed_headers(headers)),
        (b"access-control-max-age", PREFLIGHT_SECONDS),
    ]


def _allowed_headers(headers: Mapping[bytes, bytes]) -> bytes:
    """The allowed headers: known ones, and those that users add to their SDK.

    If there are many, `*` allows all in a request without credentials
    (https://fetch.spec.whatwg.org/#cors-preflight-fetch).
    """
    requested = headers.get(b"access-control-request-headers", b"").lower()
    names = [name for piece in requested.split(b",") if (name := piece.strip())]
    added = b", ".join(name for name in names if name not in KNOWN_HEADERS)
    if len(added) > ECHO_BYTES_MAX:
        added = b"*"
    return b", ".join([*KNOWN_HEADERS, added] if added else KNOWN_HEADERS)


def _allowed(origin: bytes, origins: frozenset[str]) -> HttpHeaders:
    name = origin.decode("latin-1")
    if name in origins:
        credentials = [(b"access-control-allow-credentials", b"true")]
    elif "*" in origins:
        credentials = []
        origin = origin if len(origin) <= ECHO_BYTES_MAX else b"*"
    else:
        return []
    return [
        (b"access-control-allow-origin", origin),
        *credentials,
        (b"access-control-expose-headers", b"retry-after"),
    ]
