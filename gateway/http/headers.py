"""A request's headers, by name. Pure."""

from collections.abc import Sequence


def combined(lines: Sequence[tuple[bytes, bytes]]) -> dict[bytes, bytes]:
    """The headers; `content-encoding` may have several lines (RFC 9110 §5.3)."""
    headers = dict(lines)
    for name in (b"content-encoding", b"transfer-encoding"):
        if name in headers:
            headers[name] = b",".join(value for of, value in lines if of == name)
    return headers
