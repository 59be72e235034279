"""Committing the offsets of a consumer's partitions."""

import asyncio
from collections.abc import Mapping

import structlog
from aiokafka import TopicPartition as KafkaPartition
from aiokafka.errors import CommitFailedError, KafkaError, OffsetMetadataTooLargeError

from consumers.kafka.commit_notes import BYTES_MAX
from schemas.kafka.fetching.fetch import Consumer
from schemas.records import TopicPartition

COMMIT_SECONDS_MAX = 10.0
log = structlog.get_logger()


class Commits:
    def __init__(self, consumer: Consumer) -> None:
        self._consumer = consumer
        self._is_failing = False
        self.note_bytes_max = BYTES_MAX  # Less, where the cluster takes less.

    async def store(self, offsets: Mapping[TopicPartition, tuple[int, str]]) -> None:
        """Commit those of our partitions, each with a note; a failure is logged once."""
        assigned = self._consumer.assignment()
        ours = {
            KafkaPartition(*place): committed
            for place, committed in offsets.items()
            if KafkaPartition(*place) in assigned
        }
        if not ours:
            return
        try:
            async with asyncio.timeout(COMMIT_SECONDS_MAX):  # aiokafka's own tries have no end.
                await self._consumer.commit(ours)
        except CommitFailedError:
            log.warning("rebalance before a commit, its records will be sent again")
        except OffsetMetadataTooLargeError:
            self.note_bytes_max //= 2
            log.warning("commit notes are too long for Kafka, shortening them")
        except (KafkaError, TimeoutError) as error:
            if not self._is_failing:
                log.warning("offset commit failed, retrying", error=repr(error))
            self._is_failing = True
        else:
            self._is_failing = False
