"""What is answered where a request fails."""

import asyncio

import structlog

from gateway.dialects.shapes import Answer, Endpoint
from gateway.edge.admission import OutOfRoomError
from gateway.http.bodies import BodyError
from schemas.kafka.batches import NotStored, TooLargeForKafka

log = structlog.get_logger()


def failure_of(error: BaseException, endpoint: Endpoint) -> Answer:
    match error:
        case BodyError() | OutOfRoomError():
            return endpoint.failure(error.status, error.message)
        case RecursionError():
            return endpoint.failure(400, "malformed JSON: the nesting is far too deep")
        case TooLargeForKafka():
            return endpoint.failure(413, "a record is larger than its topic takes")
        case NotStored():  # Logged once, when it begins (`schemas/kafka/outage.py`).
            return endpoint.failure(503, "not stored: Kafka is not available, retry later")
        case asyncio.CancelledError():
            # Only a shutdown cancels it; clients still connected get an answer.
            return endpoint.failure(503, "not stored: this edge stops, retry later")
    # The path may hold a write key.
    dialect = endpoint.dialect
    log.error("request failed unexpectedly, answered 503", dialect=dialect, exc_info=error)
    return endpoint.failure(503, "not stored: retry later")
