"""The pages of the edge: a CSP allows each its own script and its own connections."""

import re
from base64 import b64encode
from hashlib import sha256


def headers_of(page: str, connect: str) -> dict[str, str]:
    """Headers for a page with one inline script and one inline style; `connect` as in CSP."""
    script, style = (_hash_of(page, element) for element in ("script", "style"))
    policy = (
        "default-src 'none'",
        f"script-src {script}",
        f"style-src {style}",
        "img-src data:",
        f"connect-src {connect}",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
    return {
        "content-security-policy": "; ".join(policy),
        "x-content-type-options": "nosniff",
        "referrer-policy": "no-referrer",
        "cache-control": "no-cache",
    }


def _hash_of(page: str, element: str) -> str:
    [content] = re.findall(rf"<{element}>(.*?)</{element}>", page, re.DOTALL)
    return f"'sha256-{b64encode(sha256(content.encode()).digest()).decode()}'"
