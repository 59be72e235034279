"""Decodes bytes that somebody else wrote. Pure."""

import re
from typing import Final, TypeVar

import msgspec

from schemas.strictness import LEVELS_MAX, Defect, strictness_defect

NOT_DECODED: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
_well_formed = msgspec.json.Decoder(msgspec.Raw)
_Facts = TypeVar("_Facts")


def decoded(decoder: msgspec.json.Decoder[_Facts], value: bytes) -> _Facts | Defect:
    """What it decodes of a strict value, or why there is nothing."""
    facts: _Facts | Defect
    try:
        try:
            facts = decoder.decode(value)
        except msgspec.ValidationError as error:
            _well_formed.decode(value)  # Members after the wrong one were not read.
            facts = _shape_defect(str(error))
    except RecursionError:
        return Defect("too_deep", "", f"nesting over {LEVELS_MAX} levels")
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        return Defect("not_json", "", str(error))
    return strictness_defect(value) or facts


def _shape_defect(words: str) -> Defect:
    # The path of msgspec's message names the field: "… - at `$.time`".
    found = re.search(r"at `\$\.?([^`]*)`", words)
    if found is None or not found[1]:
        return Defect("not_an_object", "", "a record is one JSON object")
    return Defect("invalid_type", found[1], words)
