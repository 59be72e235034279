"""Dead letters as the delivery writes them."""

from dataclasses import replace

from tests.operating import AMPLITUDE, Message, Operation, event

NOW_MS = 1_767_225_600_000
NOW = "2026-01-01T00:00:00.000Z"
ACCEPTED, FAILED = "2025-12-31T23:59:58.000Z", "2025-12-31T23:59:59.000Z"


def letter(origin: str, destination: str = AMPLITUDE, **headers: str) -> Message:
    about = {
        "source": "web-shop",
        "destination": destination,
        "reason": "invalid_field",
        "detail": "time: negative",
        "origin": origin,
        "attempts": "1",
        "first_failed_at": FAILED,
        "accepted_at": ACCEPTED,
    }
    return replace(event("ann", insert_id="a"), headers=about | headers)


async def die(world: Operation, *letters: Message) -> list[str]:
    return await world.produce(world.config.kafka.topics.dead_letters, letters)
