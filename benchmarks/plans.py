"""What a tracking plan, and each change on the way, cost an event: the engine's part alone.

In this process, in turns, so that a busy minute hits all alike. Each round is the best of several:
what is asked is the cost of some microseconds, and not how busy the machine is.
"""

import json
import os
import time
from collections.abc import Callable
from functools import partial
from itertools import count

from pydantic import SecretStr

from benchmarks.goals import BARE, PLAN, PLAN_LOADED, PLANNED, SHAPED, UNCHANGED
from benchmarks.processes import peak_kilobytes
from benchmarks.row import Figures, Round, Rounds, Row, Selection, in_turns, rows_of
from consumers.delivery import border
from consumers.delivery.destination import Destination
from consumers.destinations import destinations_of, parts_of
from consumers.destinations.planned import Planned
from schemas.plans.checking import Held
from schemas.plans.plan import Plan, plan_of
from schemas.records import Stored
from schemas.topics import Kind
from schemas.vendors.amplitude import AmplitudeDestination

EVENTS, REPEATS, ROUNDS = 2_000, 3, 7
EVENT_TYPES, PROPERTIES = 2_000, 10  # Of a large plan.
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
_made = count()
CHANGES: dict[str, dict[str, object]] = {
    "events patterns": {"events": {"allow": ["Order *"]}},
    "rename": {"rename": {"Order Completed": "Bought"}},
    "drop_properties": {"drop_properties": ["email", "address.*"]},
    "a trivial transform": {"transform": "benchmarks.plans:same"},
}


def same(event: dict[str, object]) -> dict[str, object]:
    """The trivial transform."""
    return event


def measure(selection: Selection) -> Rounds:
    values = [event(number) for number in range(EVENTS)]
    records = [record(number, value) for number, value in enumerate(values)]
    plan = usual_plan()
    parts = encoders(Held(plan, blocks=False))
    subjects: dict[str, Round] = {
        PLAN: partial(figures, EVENTS, lambda: [plan.violation(Kind.EVENT, one) for one in values]),
        PLAN_LOADED: partial(figures, EVENT_TYPES, lambda: plan_of(large_plan())),
    }
    for name, part in parts.items():
        subjects[name] = partial(figures, EVENTS, partial(border.encode_all, part, records))
    return in_turns(selection.of(subjects), ROUNDS)


def rows(found: Rounds) -> list[Row]:
    pairs = [(PLAN, None), (PLAN_LOADED, None), (BARE, None), (UNCHANGED, BARE)]
    changed = [PLANNED, *(SHAPED + name for name in CHANGES)]
    return rows_of([*pairs, *((name, UNCHANGED) for name in changed)], found)


def encoders(held: Held) -> dict[str, Destination]:
    """By its row: Amplitude with each change, without any, and without what could change it."""
    plain = {"type": "amplitude", "name": "us", "api_key": SecretStr("k")}

    def part(keys: dict[str, object]) -> Destination:
        return destinations_of(AmplitudeDestination.model_validate(plain | keys))[0]

    bare = parts_of(AmplitudeDestination.model_validate(plain))[0]
    return {
        BARE: bare,
        UNCHANGED: part({}),
        PLANNED: Planned(part({}), held, lambda _record, _violation: None),
        **{SHAPED + name: part(keys) for name, keys in CHANGES.items()},
    }


def figures(events: int, work: Callable[[], object]) -> Figures:
    best, began = float("inf"), time.monotonic()
    for _ in range(REPEATS):
        started = time.process_time()
        work()
        best = min(best, time.process_time() - started)
    return Figures(
        microseconds_per_event=best / events * 1e6,
        events=events,
        seconds=time.monotonic() - began,
        rss_megabytes=peak_kilobytes(os.getpid()) / 1024,
        other_end_busy=0.0,
    )


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


def record(number: int, value: bytes) -> Stored:
    key = f"user-{number}".encode()
    return Stored("ampgate.events", 0, number, 0, key, value, ())


def usual_plan() -> Plan:
    return plan_of(json.dumps({"events": {"Order Completed": SCHEMA}}).encode())


def large_plan() -> bytes:
    """Another one each time: a plan is remembered by its bytes."""
    properties = {name: {"type": "string"} for name in (f"property {n}" for n in range(PROPERTIES))}
    schema = {"properties": properties, "additionalProperties": False, "x-made": next(_made)}
    return json.dumps({"events": {f"event {n}": schema for n in range(EVENT_TYPES)}}).encode()
