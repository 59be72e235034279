"""Commits, as Kafka takes or refuses them."""

from collections.abc import Mapping
from random import Random

import pytest
from aiokafka import TopicPartition as KafkaPartition
from aiokafka.errors import OffsetMetadataTooLargeError

from consumers.delivery.clocks import Held
from consumers.delivery.offsets import Unfinished
from consumers.kafka.commit_notes import BYTES_MAX, CommitNote, decoded, encoded
from consumers.kafka.committing import Commits
from schemas.kafka.fetching.fetch import Consumer
from schemas.records import TopicPartition

PLACE = TopicPartition("events", 0)


class Member(Consumer):
    """Of a cluster with an `offset.metadata.max.bytes` of its own."""

    def __init__(self, bytes_max: int) -> None:
        self._bytes_max = bytes_max
        self._closed = True
        self.committed: list[tuple[int, str]] = []

    def assignment(self) -> set[KafkaPartition]:
        return {KafkaPartition(*PLACE)}

    async def commit(self, offsets: Mapping[KafkaPartition, tuple[int, str]]) -> None:
        if any(len(note) > self._bytes_max for _, note in offsets.values()):
            raise OffsetMetadataTooLargeError
        self.committed += offsets.values()


@pytest.mark.parametrize("bytes_max", [4096, 1024, 300, 10])
async def test_offsets_are_committed_whatever_length_of_notes_a_cluster_takes(
    bytes_max: int,
) -> None:
    member = Member(bytes_max)
    commits = Commits(member)
    unsettled = [(n, n) for n in sorted(Random(1).sample(range(50_000), 3000))]
    held = {n: Held("user", "throttled", 1.0) for n in range(40)}
    note = CommitNote(Unfinished(50_000, unsettled), None, held, after={1: 10**6, 2: 10**6})
    for _ in range(20):
        await commits.store({PLACE: (0, encoded(note, 0, commits.note_bytes_max))})
    offset, text = member.committed[-1]
    assert offset == 0
    assert len(text) <= bytes_max
    told = decoded(text, 0)
    assert (told is None) == (bytes_max == 10)
    if told is not None:
        assert told.left.read_to == 50_000
        assert told.left.unsettled[0] == unsettled[0]


def test_a_note_that_cannot_be_made_to_fit_is_left_out() -> None:
    """As of a topic with more partitions than fit, where some were added."""
    after = dict.fromkeys(range(1000), 10**12)
    note = CommitNote(Unfinished(7, ()), None, {}, after=after)
    told = decoded(encoded(note, 7), 7)
    assert told is not None
    assert (told.after, told.left) == ({}, Unfinished(7, []))
    assert encoded(note, 7, 20) == ""
    assert len(encoded(note, 7)) <= BYTES_MAX
