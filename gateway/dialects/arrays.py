"""A JSON array taken apart: each element stays bytes. Pure."""

from typing import Annotated

import msgspec
from msgspec import Meta, Raw, ValidationError

from gateway.dialects.shapes import RECORDS_MAX, Endpoint, RefusedError, split_json, too_many

SURELY_FEW_BYTES = 2 * RECORDS_MAX  # An element and its comma have two at least.
_array = msgspec.json.Decoder(list[Raw])
# An element is an object of 100 bytes and more, however short its text is. So one of a tuple's type
# that nothing can be stops the decoder where there are too many of them.
_NOTHING = Annotated[int, Meta(ge=2, le=1)]
_at_most = msgspec.json.Decoder(tuple[(*(Raw,) * RECORDS_MAX, _NOTHING)])  # type: ignore[misc]  # mypy counts them.
_ONE_MORE = f"$[{RECORDS_MAX}]"


def elements(array: bytes, endpoint: Endpoint) -> list[bytes]:
    """The values in it, if a request may have so many; msgspec's errors if it is no array."""
    if _has_too_many(array):
        raise RefusedError(too_many(endpoint))
    return [bytes(raw) for raw in split_json(_array, array)]


def _has_too_many(array: bytes) -> bool:
    """Told before they are made; of what is no array nothing is said."""
    if len(array) <= SURELY_FEW_BYTES or array.count(b",") < RECORDS_MAX:
        return False
    try:
        _at_most.decode(array)
    except ValidationError as error:
        return _ONE_MORE in str(error)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False  # The same is found, and told, where it is decoded.
    return False
