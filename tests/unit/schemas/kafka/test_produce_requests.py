"""Our bytes of a produce request and aiokafka's are the same, and so is what an answer says."""

import struct
from io import BytesIO

from aiokafka.protocol.api import RequestHeader_v1
from aiokafka.protocol.produce import ProduceRequest_v7, ProduceResponse_v7
from hypothesis import given
from hypothesis import strategies as st

from schemas.kafka.produce_requests import Awaited, request_of

INT16 = st.integers(-(2**15), 2**15 - 1)
INT32 = st.integers(0, 2**31 - 1)
INT64 = st.integers(-(2**63), 2**63 - 1)
NAMES = st.text(st.characters(codec="utf-8"), max_size=20)
TOPICS = st.dictionaries(NAMES, st.dictionaries(INT32, st.binary(max_size=50)), max_size=4)
PLACES = st.tuples(INT64, INT64, INT64)
RESULTS = st.dictionaries(NAMES, st.dictionaries(INT32, PLACES, max_size=5), max_size=4)


@given(TOPICS, NAMES, INT32, INT32)
def test_a_request_is_what_aiokafka_would_send(
    topics: dict[str, dict[int, bytes]], client: str, number: int, timeout_ms: int
) -> None:
    listed = {topic: list(batches.items()) for topic, batches in topics.items()}
    struct_ = ProduceRequest_v7(None, -1, timeout_ms, list(listed.items()))
    message = RequestHeader_v1(struct_, number, client).encode() + struct_.encode()

    ours = request_of(number, client, timeout_ms, listed)

    assert ours == struct.pack(">i", len(message)) + message


def answer_of(found: dict[str, dict[int, tuple[int, int, int, int]]]) -> BytesIO:
    """With the number of its request before it."""
    topics = [
        (topic, [(number, *result) for number, result in results.items()])
        for topic, results in found.items()
    ]
    return BytesIO(struct.pack(">i", 7) + ProduceResponse_v7(topics, 0).encode())


@given(RESULTS)
def test_an_answer_without_an_error_says_what_is_stored(
    found: dict[str, dict[int, tuple[int, int, int]]],
) -> None:
    answer = answer_of(
        {t: {number: (0, *places) for number, places in r.items()} for t, r in found.items()}
    )

    assert Awaited.parse_response_header(answer).correlation_id == 7
    assert Awaited.RESPONSE_TYPE.decode(answer) == [
        (topic, number) for topic, results in found.items() for number in results
    ]


@given(RESULTS, NAMES, INT32, INT16.filter(bool))
def test_an_answer_with_an_error_is_read_as_aiokafka_reads_it(
    found: dict[str, dict[int, tuple[int, int, int]]], topic: str, partition: int, error: int
) -> None:
    results = {t: {number: (0, *places) for number, places in r.items()} for t, r in found.items()}
    results.setdefault(topic, {})[partition] = (error, -1, -1, -1)
    answer = answer_of(results)
    Awaited.parse_response_header(answer)

    read = Awaited.RESPONSE_TYPE.decode(answer)

    assert {t: {one[0]: tuple(one[1:]) for one in of} for t, of in read.topics} == results
