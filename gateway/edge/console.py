"""The console: a page that polls this edge's metrics, and those of a delivery that its URL
names."""

import re
from importlib.resources import files
from urllib.parse import urlsplit

from gateway.edge.pages import headers_of

PAGE = files("gateway.edge").joinpath("console.html").read_text(encoding="utf-8")
_HOST = re.compile(r"[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\]")  # No character that ends a CSP directive.


def headers(delivery: str | None) -> dict[str, str]:
    """The page's CSP: it may run its own script, and connect to this edge and that delivery."""
    origin = None if delivery is None else origin_of(delivery)
    return headers_of(PAGE, connect=" ".join(["'self'", *([origin] if origin else [])]))


def origin_of(url: str) -> str | None:
    """The origin of an HTTP URL; it comes from the link, so it is not trusted."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    host = parts.netloc.rpartition("@")[2].removesuffix("" if port is None else f":{port}")
    if parts.scheme not in ("http", "https") or not _HOST.fullmatch(host):
        return None
    return f"{parts.scheme}://{host}" + ("" if port is None else f":{port}")
