"""Writing letters to Kafka: what is dead, and what is parked."""

import asyncio
from collections.abc import Awaitable, Sequence

import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from consumers.delivery.lanes import Letter
from consumers.kafka import client_arguments, started
from schemas.config import Kafka
from schemas.letters import LetterHeaders, Origin
from schemas.records import TopicPartition

RECORD_BYTES_MAX = 21_000_000  # The largest event Amplitude takes is 20 MB.
log = structlog.get_logger()


class Letters:
    """Where records go that leave the line: the original bytes, untouched, with the reason."""

    def __init__(self, kafka: Kafka) -> None:
        self._dead_letters = kafka.topics.dead_letters
        self._parked = kafka.topics.parked
        self._producer = AIOKafkaProducer(
            **client_arguments(kafka),
            acks="all",
            enable_idempotence=True,
            compression_type=None if kafka.compression == "none" else kafka.compression,
            max_request_size=RECORD_BYTES_MAX,
        )

    async def start(self) -> None:
        await started(self._producer)

    async def stop(self) -> None:
        await self._producer.stop()

    async def bury(self, letter: Letter, destination: str) -> None:
        """Returns only once Kafka has it: until then it is not settled, so it is never given up."""
        await self._write([letter], destination)

    async def park(self, letters: Sequence[Letter], destination: str) -> None:
        """As above, all of them in this order, each in the partition that it came from."""
        await self._write(letters, destination)

    async def _write(self, letters: Sequence[Letter], destination: str) -> None:
        wait_seconds = 0.5
        while letters:
            sent = [await self._send(letter, destination) for letter in letters]
            outcomes = await asyncio.gather(*sent, return_exceptions=True)
            failed = [
                letter
                for letter, outcome in zip(letters, outcomes, strict=True)
                if isinstance(outcome, BaseException)
            ]
            if failed:
                error = next(one for one in outcomes if isinstance(one, BaseException))
                if not isinstance(error, KafkaError):
                    raise error
                log.warning("letters could not be written yet", error=str(error))
                await asyncio.sleep(wait_seconds)
                wait_seconds = min(30.0, wait_seconds * 2)
            letters = failed

    async def _send(self, letter: Letter, destination: str) -> Awaitable[object]:
        record = letter.entry.record
        is_parked = letter.not_before is not None
        try:
            acknowledged: Awaitable[object] = await self._producer.send(
                self._parked if is_parked else self._dead_letters,
                key=record.key,
                value=record.value,
                partition=record.partition if is_parked else None,
                headers=letter_headers(letter, destination),
            )
        except KafkaError as error:
            failed: asyncio.Future[object] = asyncio.get_running_loop().create_future()
            failed.set_exception(error)
            return failed
        return acknowledged


def letter_headers(letter: Letter, destination: str) -> list[tuple[str, bytes | None]]:
    """The headers of product.md §3, in place of older ones of the same names."""
    entry, record = letter.entry, letter.entry.record
    headers = LetterHeaders(
        destination=destination,
        reason=letter.reason,
        detail=letter.detail,
        origin=Origin(TopicPartition(record.topic, record.partition), record.offset),
        attempts=entry.attempts,
        first_failed_at=letter.first_failed_at,
        accepted_at=record.timestamp / 1000,
        status=entry.status,
        not_before=letter.not_before,
    )
    return headers.encoded(record.headers)
