"""The path of a request's target. Pure."""


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
