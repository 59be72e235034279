"""The header `opted_out` of a record: the destinations that must not get it. Pure.

Its value is a list of types of destinations between commas, such as `amplitude`; `all` means every
type but those with a minus before them: `all,-aampe`. Anything else in it is ignored.
"""

from typing import Final

from schemas.records import Headers

OPTED_OUT: Final = "opted_out"
_BYTES_MAX: Final = 256


def opted_out(headers: Headers, destination_type: str) -> bool:
    """Whether the record must not reach destinations of that type; the last header counts."""
    value = None
    for name, given in headers:
        if name == OPTED_OUT:
            value = given
    if value is None or len(value) > _BYTES_MAX:
        return False
    words = {word.strip() for word in value.decode(errors="replace").lower().split(",")}
    if destination_type in words:
        return True
    return "all" in words and f"-{destination_type}" not in words
