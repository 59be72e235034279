"""The console: one page that polls this edge's metrics, and a delivery's when it is told where."""

import re
from importlib.resources import files
from urllib.parse import urlsplit

from gateway.edge.pages import headers_of

PAGE = files("gateway.edge").joinpath("console.html").read_text(encoding="utf-8")
_HOST = re.compile(r"[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\]")  # Nothing that could end a directive.


def headers(delivery: str | None) -> dict[str, str]:
    """What the page may do: run its own script, and talk to this edge and to that delivery."""
    origin = None if delivery is None else origin_of(delivery)
    return headers_of(PAGE, connect=" ".join(["'self'", *([origin] if origin else [])]))


def origin_of(url: str) -> str | None:
    """A URL's scheme, host and port, if it is one of HTTP; whoever wrote the link chose it."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    host = parts.netloc.rpartition("@")[2].removesuffix("" if port is None else f":{port}")
    if parts.scheme not in ("http", "https") or not _HOST.fullmatch(host):
        return None
    return f"{parts.scheme}://{host}" + ("" if port is None else f":{port}")
