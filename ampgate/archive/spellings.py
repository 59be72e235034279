"""The ways in which JSON encoders write a string. Pure."""

import json

import orjson


def spellings(text: str) -> tuple[bytes, ...]:
    """Without the quotes; first as it is, for keys and headers."""
    plain = orjson.dumps(text)[1:-1]
    ascii_only = json.dumps(text)[1:-1].encode()
    slashed = (plain.replace(b"/", b"\\/"), ascii_only.replace(b"/", b"\\/"))
    return tuple(dict.fromkeys((text.encode(), plain, ascii_only, *slashed)))
