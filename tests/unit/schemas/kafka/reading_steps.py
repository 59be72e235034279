"""What may happen while partitions are read, in any order."""

from collections.abc import Mapping
from typing import NamedTuple, TypeAlias

from aiokafka import TopicPartition
from hypothesis import strategies as st

from tests.unit.schemas.kafka.stored_logs import Write, writes

TOPIC = "t"
PLACES = [TopicPartition(TOPIC, number) for number in range(3)]
UNKNOWN_SERVER_ERROR, NOT_ALLOWED, UNKNOWN_PARTITION = -1, 29, 3


class Answer(NamedTuple):
    number: int  # Of the fetches that are waited for.
    bytes_max: int
    errors: Mapping[TopicPartition, int]


class Fail(NamedTuple):
    pass


class Take(NamedTuple):
    wanted: frozenset[TopicPartition]
    records_max: int
    bytes_max: int
    waits: bool


class Append(NamedTuple):
    place: TopicPartition
    write: Write


class Delete(NamedTuple):
    place: TopicPartition
    batches: int


class Seek(NamedTuple):
    place: TopicPartition
    back: int


class Pause(NamedTuple):
    place: TopicPartition


class Resume(NamedTuple):
    place: TopicPartition


class Rebalance(NamedTuple):
    places: frozenset[TopicPartition]
    is_prompt: bool  # Their positions are known at once.
    takes: bool  # Something is to be taken meanwhile.


class GiveWay(NamedTuple):
    pass


class Move(NamedTuple):
    place: TopicPartition
    is_known: bool


some_places = st.sampled_from(PLACES)
sets = st.frozensets(some_places, min_size=1)
errors = st.dictionaries(
    some_places, st.sampled_from([UNKNOWN_SERVER_ERROR, NOT_ALLOWED, UNKNOWN_PARTITION]), max_size=2
)
answers = st.builds(
    Answer, st.integers(0, 3), st.sampled_from([1, 100, 200, 1000]), st.just({}) | errors
)
takes = st.builds(
    Take, sets, st.sampled_from([1, 2, 100]), st.sampled_from([1, 10, 10_000]), st.booleans()
)
steps = st.one_of(
    *[answers] * 4,
    *[takes] * 3,
    st.builds(Append, some_places, writes),
    st.builds(Delete, some_places, st.integers(1, 3)),
    st.builds(Seek, some_places, st.integers(0, 6)),
    st.builds(Pause, some_places),
    st.builds(Resume, some_places),
    st.builds(Rebalance, sets, st.booleans(), st.booleans()),
    *[st.just(GiveWay())] * 2,
    st.builds(Move, some_places, st.booleans()),
    st.just(Fail()),
)

Step: TypeAlias = (
    Answer | Fail | Take | Append | Delete | Seek | Pause | Resume | Rebalance | GiveWay | Move
)
