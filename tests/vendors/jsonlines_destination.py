"""JSON lines, made up: an event a line, 500 a request (consumers/destinations/jsonlines.py).

200 when all lines are stored; 400 with `{"line": 3, "error": "…"}` when none is, for that line.
"""

from collections.abc import Sequence

from consumers.delivery.destination import (
    Destination,
    Encoded,
    Limits,
    Merge,
    Request,
    Response,
)
from consumers.delivery.outcomes import Delivered, Reject, Resend, Skip, Verdict
from consumers.destinations.answers import by_status, json_of, not_the_destination
from consumers.destinations.records import completed, read_record
from schemas.events import event_key, read_event
from schemas.records import Record
from schemas.topics import Kind
from tests.vendors.jsonlines_vendor import JsonLinesDestination

SPACES = bytes.maketrans(b"\r\n", b"  ")  # In JSON, a bare line end is always a space.


def destinations(config: JsonLinesDestination) -> Sequence[Destination]:
    """Of properties it takes none."""
    return (JsonLinesEvents(config),)


class JsonLinesEvents:
    kind = Kind.EVENT
    limits = Limits(records=500, bytes=1_000_000, linger_seconds=0.2, concurrency=4)
    merge: Merge | None = None

    def __init__(self, config: JsonLinesDestination) -> None:
        self.name = config.name
        self._path = f"/{config.stream}"
        self._headers = {
            "content-type": "application/x-ndjson",
            "authorization": f"Bearer {config.api_key.get_secret_value()}",
        }

    def encode(self, record: Record) -> Encoded | Reject | Skip:
        found = read_record(record, read_event, event_key)
        if isinstance(found, Reject):
            return found
        facts, key, value = found
        line = completed(value, record, facts).translate(SPACES)
        return Encoded(line, key, facts.user_id, facts.device_id)

    def request(self, batch: Sequence[Encoded]) -> Request:
        return Request(self._path, self._headers, b"".join([one.body + b"\n" for one in batch]))

    def verdict(self, response: Response, batch: Sequence[Encoded]) -> Verdict:
        match response.status, json_of(response):
            case 200, {"stored": int()}:
                return Verdict(Delivered())
            case 200, _:
                return not_the_destination()
            case 400, {"line": int(line), "error": str(why)} if 0 <= line < len(batch):
                return Verdict(Resend(), {line: Reject("invalid_line", why)})
            case _:
                return by_status(response)
