"""An engine with a shell around it that has no faults, in virtual time: how long does it take?

Of a world (tests/simulation) it has only what takes time: requests, parking, reading again.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from heapq import heappop, heappush
from itertools import count
from random import Random

import orjson
from pydantic import SecretStr

from consumers.delivery.batch import Batch
from consumers.delivery.delivery import Delivery
from consumers.delivery.destination import Response
from consumers.delivery.lanes import Letter
from consumers.destinations.amplitude.events import AmplitudeEvents
from consumers.kafka.letter_forms import whole
from schemas.records import Stored, TopicPartition
from schemas.vendors.amplitude import AmplitudeDestination

CONFIG = AmplitudeDestination(type="amplitude", name="a", api_key=SecretStr("k"))
OWN, PARKED = TopicPartition("events", 0), TopicPartition("parked", 0)
REQUEST_SECONDS = 0.05
PARK_SECONDS, PARK_MAX = 0.02, 500
LOOK_SECONDS, READ_MAX = 0.1, 1000
HOLD_SECONDS = 30.0


class VirtualShell:
    """Delivers one event after the other of `users`, of whom some are throttled once."""

    def __init__(
        self, users: Sequence[str], *, memory: int, is_throttled: Callable[[str], bool]
    ) -> None:
        self.now = 1000.0
        self.delivered_at: dict[str, float] = {}  # Its last event, by user.
        self.delivered: Counter[str] = Counter()
        self.parked = self.read_again = 0  # Records.
        self._is_throttled = is_throttled
        self._held: dict[str, float] = {}
        self._logs: dict[TopicPartition, list[Stored]] = {OWN: _events(users), PARKED: []}
        self._positions = dict.fromkeys(self._logs, 0)
        self._agenda: list[tuple[float, int, Callable[[], None]]] = []
        self._ids = count()
        self._is_parking = False
        self._looks_at = self.now
        self._delivery = Delivery(
            AmplitudeEvents(CONFIG),
            topic=OWN.topic,
            parked_topic=PARKED.topic,
            memory_max_bytes=memory,
            random=Random(1),
        )
        for place in self._logs:
            self._delivery.assign(place, 0)

    def run(self, seconds: float) -> None:
        """Until all is delivered, or for so long."""
        ends = self.now + seconds
        while self.now < ends and self.delivered.total() < len(self._logs[OWN]):
            self._read()
            self._load()
            while batch := self._delivery.next_batch(self.now):
                self._later(REQUEST_SECONDS, lambda batch=batch: self._reply(batch))  # type: ignore[misc]  # A loop's variable.
            self._park()
            times = [at for at in (self._delivery.wakes_at(), self._looks_at) if at is not None]
            times += [self._agenda[0][0]] if self._agenda else []
            self.now = max(self.now + 1e-6, min(times))
            while self._agenda and self._agenda[0][0] <= self.now:
                heappop(self._agenda)[2]()

    def _later(self, seconds: float, action: Callable[[], None]) -> None:
        heappush(self._agenda, (self.now + seconds, next(self._ids), action))

    def _read(self) -> None:
        delivery = self._delivery
        for place, take in ((PARKED, delivery.scan), (OWN, delivery.accept)):
            if place == OWN and (not delivery.has_room or OWN in delivery.full()):
                continue
            position = self._positions[place]
            found = self._logs[place][position : position + READ_MAX]
            self._positions[place] += len(found)
            take(found, self.now)

    def _load(self) -> None:
        if self.now < self._looks_at:
            return
        self._looks_at = self.now + LOOK_SECONDS
        while self._delivery.wants(self.now) is not None:
            offset = self._delivery.wanted_from(PARKED.partition)
            found = self._logs[PARKED][offset : offset + READ_MAX]
            self._delivery.load(found, self.now)
            self.read_again += len(found)

    def _reply(self, batch: Batch) -> None:
        users = list(dict.fromkeys(str(one.user_id) for one in batch.encoded))
        throttled = [user for user in users if self._is_held(user)]
        if throttled:
            named = orjson.dumps({"code": 429, "throttled_users": dict.fromkeys(throttled, 1001)})
            self._delivery.settle(batch, Response(429, named), self.now)
            return
        for encoded in batch.encoded:
            user = str(encoded.user_id)
            expected, self.delivered[user] = self.delivered[user], self.delivered[user] + 1
            assert orjson.loads(encoded.body)["n"] == expected, f"{user} out of order"
            self.delivered_at[user] = self.now
        self._delivery.settle(batch, Response(200, b'{"code":200}'), self.now)

    def _is_held(self, user: str) -> bool:
        if not self._is_throttled(user):
            return False
        return self._held.setdefault(user, self.now + HOLD_SECONDS) > self.now

    def _park(self) -> None:
        letters: list[Letter] = []
        while not self._is_parking and len(letters) < PARK_MAX:
            if (letter := self._delivery.next_parking()) is None:
                break
            letters.append(letter)
        if letters:
            self._is_parking = True
            self._later(PARK_SECONDS, lambda: self._has_parked(letters))

    def _has_parked(self, letters: Sequence[Letter]) -> None:
        self._is_parking = False
        self.parked += len(letters)
        log = self._logs[PARKED]
        for letter in letters:
            form = whole(letter, "a")
            log.append(
                Stored(
                    *PARKED, len(log), round(self.now * 1000), form.key, form.value, form.headers
                )
            )
        self._delivery.parked(letters)


def _events(users: Sequence[str]) -> list[Stored]:
    counts: Counter[str] = Counter()
    events: list[Stored] = []
    for user in users:
        members = {"event_type": "e", "user_id": user, "n": counts[user], "time": 1}
        events.append(Stored(*OWN, len(events), 1, user.encode(), orjson.dumps(members), ()))
        counts[user] += 1
    return events
