"""Functions as users write them, good and bad."""

# ruff: noqa: ARG001

import sys
from asyncio import CancelledError
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

Event = dict[str, Any]
SHARED: Event = {"calls": 0}
NOT_CALLABLE = 5


def same(event: Event) -> Event:
    return event


def nothing(event: Event) -> None:
    return None


def kinds(event: Event, *, kind: str) -> Event:
    return {**event, "kind": kind}


def takes_everything(event: Event) -> Event:
    """Tries to change what is not its own."""
    return {
        "event_type": "New",
        "user_id": "eve",
        "device_id": "d",
        "insert_id": "x",
        "time": 99,
        "event_properties": {"n": 1},
    }


def drops_ids(event: Event) -> Event:
    for name in ("user_id", "insert_id", "time"):
        event.pop(name)
    return event


def raises(event: Event) -> Event:
    raise KeyError("price")


def exits(event: Event) -> Event:
    sys.exit(3)


class ExitsAsTextError(Exception):
    def __str__(self) -> str:
        sys.exit(4)


class ExitsAsDict(dict[str, Any]):
    def items(self) -> Any:  # noqa: ANN401  It returns nothing.
        sys.exit(5)


class ExitsAsKey:
    def __repr__(self) -> str:
        sys.exit(6)


def exits_as_text(event: Event) -> Event:
    raise ExitsAsTextError


def exits_as_dict(event: Event) -> Event:
    return ExitsAsDict(event)


def exits_as_key(event: Event) -> Event:
    return {**event, "event_properties": {ExitsAsKey(): 1}}


def recurses(event: Event) -> Event:
    return recurses(event)


def cancels(event: Event) -> Event:
    raise CancelledError


def is_promised(event: Event) -> Any:  # noqa: ANN401  It is the wrong kind of function.
    return (one for one in [event])


def of_many_digits(event: Event) -> Event:
    return {**event, "event_properties": {"n": 10**5000}}


def grows(event: Event) -> Event:
    return {**event, "event_properties": {"text": "x" * 1_000_000}}


def a_list(event: Event) -> list[Event]:
    return [event]


def with_value(event: Event) -> Event:
    values = {
        "decimal": Decimal(1),
        "nan": float("nan"),
        "moment": datetime(2026, 1, 1, tzinfo=UTC),
        "set": {1},
        "bytes": b"x",
        "surrogate": "\ud800",
        "huge": 2**70,
        "none": None,
        "tuple": (1, 2),
    }
    return {**event, "event_properties": {"at": {"x": [values[event["event_properties"]["of"]]]}}}


def with_a_number_as_key(event: Event) -> Event:
    return {**event, "event_properties": {1: 2}}


def cyclic(event: Event) -> Event:
    event["event_properties"] = event
    return event


def blank(event: Event) -> Event:
    return {**event, "event_type": " "}


def counting(event: Event) -> Event:
    SHARED["calls"] += 1
    return {**event, "event_properties": {"n": SHARED["calls"]}}


async def slowly(event: Event) -> Event:
    return event


def yields(event: Event) -> Any:  # noqa: ANN401  It is the wrong kind of function.
    yield event


def takes_none() -> None:
    return None


def takes_two(event: Event, more: int) -> Event:
    return event


class Mapping:
    @staticmethod
    def inside(event: Event) -> Event:
        return {**event, "event_type": "Inside"}
