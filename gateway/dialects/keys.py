"""Where a request carries its write key."""

import base64
import binascii
import re
from collections.abc import Mapping


def bearer_key(headers: Mapping[bytes, bytes]) -> str | None:
    return _credentials(headers, b"bearer")


def basic_key(headers: Mapping[bytes, bytes]) -> str | None:
    """The user name of Basic authentication. A missing colon is forgiven, and one too many, as
    Segment's SDK for Roku writes it: `Basic: a2V5` (segment.md#sdks).
    """
    encoded = _credentials(headers, b"basic") or _credentials(headers, b"basic:")
    if encoded is None:
        return None
    try:
        decoded = base64.b64decode(encoded).decode("utf-8", "replace")
    except (binascii.Error, ValueError):
        return None
    return decoded.partition(":")[0] or None


def path_key(path: str) -> str:
    """What follows `/webhooks/VENDOR/`: a key may have slashes, as those in Base64 have."""
    return re.split("/+", path.lstrip("/"), maxsplit=2)[-1].rstrip("/")


def _credentials(headers: Mapping[bytes, bytes], wanted: bytes) -> str | None:
    scheme, _, credentials = headers.get(b"authorization", b"").partition(b" ")
    if scheme.lower() != wanted:
        return None
    return credentials.strip().decode("utf-8", "replace") or None
