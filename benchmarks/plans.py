"""What a tracking plan and a transform cost, an event: `python -m benchmarks.plans`.

CPU time of one process, the best of several rounds.
"""

import json
import time
from collections.abc import Callable

from pydantic import SecretStr

from consumers.delivery import border
from consumers.destinations import destinations_of
from schemas.plans.plan import plan_of
from schemas.records import Stored
from schemas.topics import Kind
from schemas.vendors.amplitude import AmplitudeDestination

EVENTS, ROUNDS = 2_000, 15
EVENT_TYPES, PROPERTIES = 2_000, 10


def event(number: int) -> bytes:
    """Of about 600 bytes."""
    properties = {
        "price": 12.5,
        "quantity": 3,
        "currency": "EUR",
        "sku": "ABC-123-XYZ",
        "name": "A white hanging heart",
        "page": "https://shop.example/products/white-hanging-heart",
        "referrer": "https://search.example/?q=hanging+heart",
        "in_stock": True,
        "tags": ["gift", "home", "white"],
    }
    return json.dumps(
        {
            "event_type": "Order Completed",
            "user_id": f"user-{number}",
            "device_id": f"3f0c2f7e-7a52-4f0e-9d4c-{number:012d}",
            "time": 1_767_225_600_000 + number,
            "insert_id": f"6a6f2f2e-1b44-4c0b-8f0e-{number:012d}",
            "platform": "Web",
            "os_name": "Chrome",
            "os_version": "131.0.0.0",
            "device_model": "Linux x86_64",
            "city": "Berlin",
            "language": "en-GB",
            "event_properties": properties,
        },
        separators=(",", ":"),
    ).encode()


SCHEMA = {
    "properties": {
        "price": {"type": "number", "minimum": 0},
        "quantity": {"type": "integer"},
        "currency": {"enum": ["EUR", "USD", "GBP"]},
        "sku": {"type": "string", "pattern": "^[A-Z0-9-]+$"},
        **{name: {"type": "string"} for name in ("name", "page", "referrer")},
        "in_stock": {"type": "boolean"},
        "tags": {"type": "array", "items": {"type": "string"}},
    },
    "required": ["price", "currency"],
    "additionalProperties": False,
}


def same(event: dict[str, object]) -> dict[str, object]:
    """The trivial transform."""
    return event


def microseconds(work: Callable[[], object]) -> float:
    """An event, of a work for `EVENTS` of them."""
    best = float("inf")
    for _ in range(ROUNDS):
        started = time.process_time()
        work()
        best = min(best, time.process_time() - started)
    return best / EVENTS * 1e6


def encoding(**keys: object) -> float:
    given = {"type": "amplitude", "name": "us", "api_key": SecretStr("k"), **keys}
    (part, *_) = destinations_of(AmplitudeDestination.model_validate(given))
    records = [
        Stored("ampgate.events", 0, n, 0, f"user-{n}".encode(), event(n), ()) for n in range(EVENTS)
    ]
    return microseconds(lambda: border.encode_all(part, records))


def main() -> None:
    values = [event(number) for number in range(EVENTS)]
    plan = plan_of(json.dumps({"events": {"Order Completed": SCHEMA}}).encode())
    check = microseconds(lambda: [plan.violation(Kind.EVENT, value) for value in values])
    properties = {name: {"type": "string"} for name in (f"property {n}" for n in range(PROPERTIES))}
    schema = {"properties": properties, "additionalProperties": False}
    large = {"events": {f"event {n}": schema for n in range(EVENT_TYPES)}}
    started = time.process_time()
    plan_of(json.dumps(large).encode())
    loading = time.process_time() - started
    plain = encoding()
    print(f"an event of {len(values[0])} bytes, held to a plan      {check:6.2f} us")
    print(
        f"a plan of {EVENT_TYPES} types and {EVENT_TYPES * PROPERTIES} properties {loading:6.2f} s"
    )
    print(f"encoded for Amplitude, nothing configured  {plain:6.2f} us")
    for name, keys in (
        ("with events patterns", {"events": {"allow": ["Order *"]}}),
        ("with rename", {"rename": {"Order Completed": "Bought"}}),
        ("with drop_properties", {"drop_properties": ["email", "address.*"]}),
        ("with a transform", {"transform": "benchmarks.plans:same"}),
    ):
        print(f"    {name:<38} {encoding(**keys) - plain:+6.2f} us")


if __name__ == "__main__":
    main()
