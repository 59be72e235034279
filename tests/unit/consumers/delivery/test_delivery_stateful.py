"""Any sequence of accepts, replies, waits and revocations keeps the engine's promises."""

from random import Random

import orjson
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from pydantic import SecretStr

from consumers.delivery.batch import Batch
from consumers.delivery.delivery import Delivery
from consumers.delivery.destination import Limits, Reply, Response, Unreachable
from consumers.delivery.entry import Entry
from consumers.delivery.lanes import Letter
from consumers.delivery.outcomes import Delivered
from consumers.destinations.amplitude.events import AmplitudeEvents
from schemas.records import TopicPartition
from schemas.vendors.amplitude import AmplitudeDestination
from tests.columns import columns_of
from tests.examples import examples
from tests.simulation.invariants import check_whereabouts
from tests.simulation.log import Kept

LIMITS = Limits(records=4, bytes=1000, linger_seconds=0.5, concurrency=3, lanes=2)
PLACES = [TopicPartition("events", n) for n in range(2)]
SOURCES = [("a", "x"), ("a", "y"), ("b", "x")]
indexes = st.lists(st.integers(-1, 4), max_size=2)
bodies = st.fixed_dictionaries(
    {},
    optional={
        "throttled_events": indexes,
        "throttled_users": st.dictionaries(st.sampled_from(["a0", "b1", "other"]), st.just(31)),
        "throttled_devices": st.dictionaries(st.sampled_from(["x", "y"]), st.just(31)),
        "events_with_invalid_fields": st.fixed_dictionaries({"time": indexes}),
        "silenced_events": indexes,
        "error": st.just("Invalid API key: key"),
    },
).map(orjson.dumps)
replies: st.SearchStrategy[Reply] = st.one_of(
    st.just(Unreachable("timeout")),
    st.builds(Response, st.sampled_from([200, 401, 413, 429, 503, 302]), st.just(b"")),
    st.builds(Response, st.sampled_from([400, 429]), bodies, st.none() | st.just(2.0)),
)


At = tuple[TopicPartition, int]


def at(entry: Entry) -> At:
    return TopicPartition(entry.record.topic, entry.record.partition), entry.record.offset


class Promises(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        config = AmplitudeDestination(type="amplitude", name="a", api_key=SecretStr("key"))
        destination = AmplitudeEvents(config)
        destination.limits = LIMITS
        self.delivery = Delivery(
            destination,
            topic="events",
            parked_topic=None,
            memory_max_bytes=100_000,
            random=Random(0),
        )
        self.now = 1000.0
        self.next = dict.fromkeys(PLACES, 0)
        self.in_flight: list[Batch] = []
        self.unsettled: dict[At, str] = {}  # And their keys.
        self.dying: dict[At, Letter] = {}

    @rule(
        place=st.sampled_from(PLACES), who=st.lists(st.sampled_from(SOURCES)), fetched=st.booleans()
    )
    def accept(self, place: TopicPartition, who: list[tuple[str, str]], *, fetched: bool) -> None:
        records: list[Kept] = []
        for user, device in who:
            offset = self.next[place]
            key = f"{user}{place.partition}"
            value = {"event_type": "e", "user_id": key, "device_id": device, "time": 1}
            record = Kept(*place, offset, key.encode(), orjson.dumps(value), f"i{offset}")
            records.append(record)
            self.unsettled[place, offset] = key
            self.next[place] = offset + 1
        if records:
            self.delivery.accept(columns_of(records) if fetched else records, self.now)

    @rule()
    def next_batch(self) -> None:
        while batch := self.delivery.next_batch(self.now):
            self.in_flight.append(batch)
            self._take_dead_letters()
            sent = {at(entry) for _, entries in batch.parts for entry in entries}
            for place, offset in sent:
                key = self.unsettled[place, offset]
                known = self.unsettled.items()
                older = {one for one, whose in known if whose == key and one < (place, offset)}
                left = older - sent - self.dying.keys()
                assert not left, "an older record of the key was left behind"

    @rule(seconds=st.floats(0.1, 40))
    def wait(self, seconds: float) -> None:
        self.now += seconds

    @precondition(lambda self: self.in_flight)
    @rule(reply=replies, data=st.data())
    def settle(self, reply: Reply, data: st.DataObject) -> None:
        batch = self.in_flight.pop(data.draw(st.integers(0, len(self.in_flight) - 1)))
        verdict = self.delivery.settle(batch, reply, self.now)
        if isinstance(verdict.rest, Delivered):
            for lane, entries in batch.parts:
                if lane.offsets.is_ours:
                    for entry in entries:
                        del self.unsettled[at(entry)]

    def _take_dead_letters(self) -> None:
        while letter := self.delivery.next_dead_letter():
            self.dying[at(letter.entry)] = letter

    @rule()
    def dead_letter(self) -> None:
        self._take_dead_letters()
        for letter in self.dying.values():
            self.delivery.dead_lettered(letter)
        for one in self.dying:
            self.unsettled.pop(one, None)  # Revoked meanwhile, it is not ours.
        self.dying.clear()

    @rule(place=st.sampled_from(PLACES))
    def revoke(self, place: TopicPartition) -> None:
        self.delivery.revoke([place])
        self.unsettled = {one: key for one, key in self.unsettled.items() if one[0] != place}

    @invariant()
    def commits_stop_at_the_lowest_unsettled(self) -> None:
        for place, committable in self.delivery.committable().items():
            left = (offset for where, offset in self.unsettled if where == place)
            assert committable == min(left, default=self.next[place])

    @invariant()
    def nothing_is_counted_twice(self) -> None:
        letters = list(self.dying.values())
        check_whereabouts(self.delivery.snapshot(), self.in_flight, letters)
        assert self.delivery.snapshot().unsettled == len(self.unsettled)

    @invariant()
    def one_batch_a_key(self) -> None:
        keys = [
            key
            for batch in self.in_flight
            for key in {
                (entry.record.key, lane.offsets)
                for lane, entries in batch.parts
                for entry in entries
            }
        ]
        assert len(keys) == len(set(keys))

    @invariant()
    def limits_hold(self) -> None:
        assert len(self.in_flight) <= LIMITS.concurrency
        for batch in self.in_flight:
            assert 0 < len(batch.encoded) <= LIMITS.records
            size = sum(len(one.body) + 1 for one in batch.encoded)
            assert len(batch.encoded) == 1 or size <= LIMITS.bytes


TestPromises = Promises.TestCase
TestPromises.settings = settings(examples(100), stateful_step_count=40)
