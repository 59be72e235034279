"""The elements of a JSON array, each as bytes. Pure."""

from typing import Annotated

import msgspec
from msgspec import Meta, Raw, ValidationError

from gateway.dialects.nesting import Shallow
from gateway.dialects.shapes import RECORDS_MAX, Endpoint, RefusedError, split_json, too_many

SURELY_FEW_BYTES = 2 * RECORDS_MAX  # An element and its comma have two at least.
_array = msgspec.json.Decoder(list[Raw])
# An element takes 100 bytes of memory or more, however short it is. So the decoder's type is a
# tuple of which the element after the last allowed one has an impossible type: it stops there.
_NOTHING = Annotated[int, Meta(ge=2, le=1)]
_at_most = msgspec.json.Decoder(tuple[(*(Raw,) * RECORDS_MAX, _NOTHING)])  # type: ignore[misc]  # mypy counts them.
_ONE_MORE = f"$[{RECORDS_MAX}]"


def elements(array: bytes, endpoint: Endpoint) -> list[bytes]:
    """Its elements, if a request may have so many; msgspec's errors if it is not an array."""
    try:
        return _elements(array, endpoint)
    except RecursionError:
        shallow = Shallow(array)
    return list(map(shallow.whole, _elements(shallow.text, endpoint)))


def _elements(array: bytes, endpoint: Endpoint) -> list[bytes]:
    if has_too_many(array):
        raise RefusedError(too_many(endpoint))
    return [bytes(raw) for raw in split_json(_array, array)]


def has_too_many(array: bytes) -> bool:
    """Whether there are too many, without decoding them; False for anything but an array."""
    if len(array) <= SURELY_FEW_BYTES or array.count(b",") < RECORDS_MAX:
        return False
    try:
        _at_most.decode(array)
    except ValidationError as error:
        return _ONE_MORE in str(error)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return False  # Decoding finds and reports the same error.
    return False
