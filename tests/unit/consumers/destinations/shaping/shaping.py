"""Destinations with changes, and what becomes of a record there."""

from typing import Any

import orjson
from pydantic import SecretStr

from consumers.delivery.destination import Encoded
from consumers.delivery.outcomes import Reject, Skip
from consumers.destinations import destinations_of
from schemas.topics import Kind
from schemas.vendors.amplitude import AmplitudeDestination
from tests.simulation.log import Kept

EVENT = {"event_type": "Bought", "user_id": "ann", "insert_id": "i", "time": 1}


def destination(**keys: object) -> AmplitudeDestination:
    given = {"type": "amplitude", "name": "us", "api_key": SecretStr("k"), **keys}
    return AmplitudeDestination.model_validate(given)


def record(value: dict[str, Any], kind: Kind = Kind.EVENT) -> Kept:
    return Kept(f"ampgate.{kind}", 0, 7, None, orjson.dumps(value), None, timestamp=5)


def outcome(
    config: AmplitudeDestination, value: dict[str, Any], kind: Kind = Kind.EVENT
) -> dict[str, Any] | Skip | Reject:
    """What is sent of it, or why nothing is."""
    part = next(one for one in destinations_of(config) if one.kind is kind)
    encoded = part.encode(record(value, kind))
    if not isinstance(encoded, Encoded):
        return encoded
    found: dict[str, Any] = orjson.loads(encoded.body)
    return found
