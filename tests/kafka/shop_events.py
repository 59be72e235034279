"""The events of a shop that sells to the countries of three regions."""

import gzip
import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import islice

from tests.shared_data import DATA

REAL_EVENTS = DATA / "real_events.ndjson.gz"
COUNTRIES = {
    "us-east1": ("United Kingdom", "USA", "Canada", "Brazil"),
    "europe-west3": ("Germany", "France", "EIRE", "Spain", "Netherlands", "Belgium", "Portugal"),
    "asia-southeast1": ("Australia", "Japan", "Singapore", "Cyprus", "Switzerland", "Norway"),
}


def real_events(count: int) -> Iterator[bytes]:
    """From the shop's log; where that is not at hand, events of its shape."""
    if REAL_EVENTS.exists():
        with gzip.open(REAL_EVENTS, "rb") as lines:
            yield from (line.strip() for line in islice(lines, count))
        return
    countries = [country for found in COUNTRIES.values() for country in found] + ["Iceland"]
    for row in range(count):
        user = row * 7919 % 997
        event = {
            "event_type": "Item Purchased",
            "user_id" if user % 4 else "device_id": f"{user:05d}",
            "time": 1291191960000 + row,
            "insert_id": f"row-{row}",
            "event_properties": {"source_row": row},
            "user_properties": {"country": countries[user % len(countries)]},
        }
        yield json.dumps(event).encode()


def rows_by_contact(values: Sequence[bytes], region: str) -> dict[str, list[int]]:
    """What a region ought to get, in order."""
    rows: defaultdict[str, list[int]] = defaultdict(list)
    for event in map(json.loads, values):
        if "user_id" in event and event["user_properties"]["country"] in COUNTRIES[region]:
            rows[event["user_id"]].append(event["event_properties"]["source_row"])
    return rows
