"""Requests to the dialects without a server: what the edge does between the socket and Kafka."""

import json
from base64 import b64encode
from dataclasses import dataclass
from typing import Any

from msgspec.structs import replace

from gateway.dialects import endpoint_of, nesting
from gateway.dialects.shapes import RECORDS_MAX, Answer, Batch, Context, RefusedError, Request
from gateway.edge.admission import Budget, OutOfRoomError, Share

NOW_MS = 1_800_000_000_000


def room() -> Share:
    share = Budget(2 * 10**9).share()
    share.let_become(2 * 10**9, free=10**9, records=RECORDS_MAX - 1, copied=10**9)
    return share


ROOM = room()
CONTEXT = Context([("source", b"s")], NOW_MS, "9.9.9.9", lambda ip: ip, keeps_ip=True, room=ROOM)


@dataclass(frozen=True, slots=True)
class Reply:
    """The answer, and what would be stored."""

    answer: Answer
    batch: Batch

    @property
    def status(self) -> int:
        return self.answer.status

    @property
    def json(self) -> Any:  # noqa: ANN401  JSON is anything.
        return json.loads(self.answer.body)

    @property
    def values(self) -> list[dict[str, Any]]:
        return [json.loads(record.value) for record in self.batch.records]

    @property
    def keys(self) -> list[bytes | None]:
        return [record.key for record in self.batch.records]

    @property
    def reasons(self) -> list[str]:
        return [rejection.defect.reason for rejection in self.batch.rejected]


def call(
    path: str,
    body: object,
    headers: dict[bytes, bytes] | None = None,
    query: bytes = b"",
    key: str = "k",
) -> Reply:
    """As `Ingest` does it; `key` is the only right one."""
    endpoint = endpoint_of(path)
    assert endpoint is not None, path
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    request = Request(path, query, headers or {}, raw)
    try:
        given = endpoint.seen_key(Request(path, query, headers or {}))
        given = given or nesting.sent_key(endpoint, request)
        if given != key:
            return Reply(endpoint.unknown_key(given), Batch())
        opened = nesting.opened(endpoint, request)
        batch = endpoint.read(opened, replace(CONTEXT, room=room()))
        if (refusal := endpoint.refusal(batch)) is not None:
            return Reply(refusal, Batch())
    except RefusedError as refused:
        return Reply(refused.answer, Batch())
    except RecursionError:
        return Reply(endpoint.failure(400, "the nesting is far too deep"), Batch())
    except OutOfRoomError as error:
        return Reply(endpoint.failure(error.status, error.message), Batch())
    return Reply(endpoint.success(request, batch, CONTEXT.now_ms), batch)


def basic(key: str) -> dict[bytes, bytes]:
    return {b"authorization": b"Basic " + b64encode(f"{key}:".encode())}


def bearer(key: str) -> dict[bytes, bytes]:
    return {b"authorization": f"Bearer {key}".encode()}
