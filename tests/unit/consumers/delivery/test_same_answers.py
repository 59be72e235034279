"""A destination that gives all requests the same answer, however odd, and recovers in the end."""

from collections import Counter
from random import Random

import orjson
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import SecretStr

from consumers.delivery.delivery import Delivery
from consumers.delivery.destination import Destination, Response
from consumers.delivery.outcomes import Delivered
from consumers.destinations.aampe.events import AampeEvents
from consumers.destinations.amplitude.answers import Answer
from consumers.destinations.amplitude.events import AmplitudeEvents
from consumers.destinations.amplitude.forms import AmplitudeGroupIdentify, AmplitudeIdentify
from schemas.records import Stored, TopicPartition
from schemas.vendors.aampe import AampeDestination
from schemas.vendors.amplitude import AmplitudeDestination
from tests.columns import columns_of
from tests.examples import examples

KEY = SecretStr("key")
AMPLITUDE = AmplitudeDestination(type="amplitude", name="a", api_key=KEY)
AAMPE = AampeDestination(type="aampe", name="b", api_key=KEY, region="us-east1")
# And how each says that it took all.
TAKEN: list[tuple[Destination, Response]] = [
    (AmplitudeEvents(AMPLITUDE), Response(200, b'{"code":200}')),
    (AmplitudeIdentify(AMPLITUDE), Response(200, b"success")),
    (AmplitudeGroupIdentify(AMPLITUDE), Response(200, b"success")),
    (AampeEvents(AAMPE), Response(202, b"")),
]
PLACE = TopicPartition("topic", 0)
Owners = list[tuple[str | None, str | None]]  # A user and a device for each record.
ODD_SECONDS = 40  # Longer than a throttled user waits.
ALL_SECONDS = 9_000  # Longer than two steps of a daily quota.

indexes = st.lists(st.sampled_from([0, 1, -1, 99, 2**60, "0", 0.5, None, True]), max_size=3)
names = st.sampled_from(["", "u0", "u1", "d0", "d1", "stranger", "time"])
ODD: list[object] = [None, True, 7, 400, "x", "Invalid API key: key", "api_key", [], {}]
odd = st.sampled_from(ODD)
said = st.one_of(
    odd, indexes, st.dictionaries(names, odd, max_size=3), st.dictionaries(names, indexes)
)
members = st.sampled_from([*Answer.__struct_fields__, "detail", "success", "status"])
objects = st.builds(
    lambda found, is_own, status: found | ({"code": status, "error": "x"} if is_own else {}),
    st.dictionaries(members, said, max_size=4),
    st.booleans(),
    st.sampled_from([200, 400, 429]),
).map(orjson.dumps)
texts = st.sampled_from([b"", b"success", b"missing_event", b"<html>", b"[" * 2_000, b"\xff"])
statuses = [200, 202, 302, 400, 401, 404, 408, 409, 413, 415, 422, 429, 500, 503, 529]
answers = st.builds(
    Response,
    st.sampled_from([*statuses, 400, 429]),
    objects | texts,
    st.sampled_from([None, 0.0, 0.001, 2.0]),
)
owners = st.lists(
    st.tuples(st.sampled_from([None, "u0", "u1"]), st.sampled_from([None, "d0", "d1"])),
    min_size=1,
    max_size=12,
)


def record(offset: int, user: str | None, device: str | None) -> Stored:
    """Of all kinds at once; of one or the other at least."""
    user = "u2" if user is None and device is None else user
    value: dict[str, object] = {"user_id": user, "device_id": device, "event_type": "e"}
    value |= {"group_type": "g", "group_value": user or device, "insert_id": f"i{offset}"}
    value |= {f"{of}_properties": {"n": offset} for of in ("user", "group", "event")}
    return Stored(*PLACE, offset, 1, None, orjson.dumps(value), ())


class Engine:
    """A delivery, and what became of its records."""

    def __init__(self, destination: Destination, whose: Owners) -> None:
        self.delivery = Delivery(
            destination,
            topic=PLACE.topic,
            parked_topic=None,
            memory_max_bytes=10_000_000,
            random=Random(0),
        )
        self.delivery.assign(PLACE, 0)
        records = [record(offset, *one) for offset, one in enumerate(whose)]
        self.skipped = len(self.delivery.accept(columns_of(records), 0.0))
        self.ended = Counter[int]()

    def answer(self, reply: Response, now: float) -> int:
        """All that it asks at once; returns how many requests that were."""
        requests = 0
        while (batch := self.delivery.next_batch(now)) and requests < 1_000:
            requests += 1
            verdict = self.delivery.settle(batch, reply, now)
            if isinstance(verdict.rest, Delivered):
                sent = [entry for _, part in batch.parts for entry in part]
                self.ended.update(one.offset for entry in sent for one in entry.parts or (entry,))
        while letter := self.delivery.next_dead_letter():
            self.ended[letter.entry.offset] += 1
            self.delivery.dead_lettered(letter)
        return requests


@examples(300)
@given(st.sampled_from(TAKEN), owners, answers)
@example(TAKEN[0], [(None, "d0")], Response(429, b'{"code":429,"throttled_users":{"":9}}'))
@example(TAKEN[2], [("u0", None)], Response(429, b'{"code":429,"throttled_devices":{"":9}}'))
def test_no_answer_makes_it_ask_again_and_again_and_none_loses_a_record(
    of: tuple[Destination, Response], whose: Owners, odd: Response
) -> None:
    destination, taken = of
    engine = Engine(destination, whose)
    for second in range(ODD_SECONDS):
        # To find a bad one, those of a batch are halved.
        assert engine.answer(odd, float(second)) <= 2 * len(whose)
    now = float(ODD_SECONDS)
    while sum(engine.ended.values()) + engine.skipped < len(whose) and now < ALL_SECONDS:
        engine.answer(taken, now)
        now += 30.0

    assert set(engine.ended.values()) <= {1}
    assert len(engine.ended) + engine.skipped == len(whose)
    assert engine.delivery.committable() == {PLACE: len(whose)}
