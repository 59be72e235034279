"""A world in a bottle: one seed decides every fault, delay and reply. No clock, no socket."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, fields
from heapq import heappop, heappush
from itertools import count
from random import Random

import orjson
from pydantic import SecretStr

from consumers.delivery.delivery import Delivery
from consumers.delivery.destination import Limits, Reply, Request, Response, Unreachable
from consumers.delivery.lanes import Batch, Entry, Letter
from consumers.destinations.amplitude import AmplitudeEvents
from consumers.kafka import letter_headers
from schemas.config import AmplitudeDestination
from schemas.records import Headers, TopicPartition

RECORDS = 600
FAULTY_STEPS = 400
HEALTHY_SECONDS = 7200.0
HELD_SECONDS = 30.0
QUOTA_STEP_SECONDS = 3600.0
ENVELOPE_BYTES = 300


@dataclass(frozen=True, slots=True)
class Kept:
    """A record as the log keeps it."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    name: str  # Its insert_id.
    timestamp: int = 0
    headers: Headers = ()


@dataclass
class Faults:
    """Swarm testing: each seed has some faults off and the others at odds of their own."""

    lost_request: float = 0.0
    lost_reply: float = 0.0
    unwell: float = 0.0
    throttle: float = 0.0
    throttle_all: float = 0.0
    quota: float = 0.0  # Over the daily quota, for an hour.
    names_first: float = 0.0  # Of all culprits the answer names the first one only.
    names_strangers: float = 0.0
    late_parking: float = 0.0
    shrink: float = 0.0
    page: float = 0.0
    crash: float = 0.0
    rebalance: float = 0.0
    late_dead_letter: float = 0.0
    outage: float = 0.0  # It begins, and lasts for some seconds.
    wrong_key: float = 0.0  # Likewise.

    @classmethod
    def swarm(cls, random: Random) -> "Faults":
        faults = cls(**{one.name: random.choice([0, 0, 0.02, 0.1, 0.3]) for one in fields(cls)})
        for rare in ("crash", "rebalance", "throttle", "quota", "outage", "wrong_key"):
            setattr(faults, rare, getattr(faults, rare) / 20)
        # Where most requests fail, no sender can tell the innocent from the cursed.
        if faults.lost_request + faults.lost_reply + faults.unwell > 0.5:
            faults.lost_reply = 0.0
        return faults


@dataclass
class Event:
    """What the world knows of a record by its insert_id."""

    n: int
    key: str
    kind: str


class Amplitude:
    """A model of the far end: what it stores, and what it says."""

    def __init__(self, random: Random, faults: Faults, events: dict[str, Event]) -> None:
        self.random, self.faults, self.events = random, faults, events
        self.stored: set[str] = set()
        self.last: dict[str, int] = {}
        self.down_until = self.locked_until = 0.0

    def answer(self, names: Sequence[str], ids: Sequence[dict[str, str]], now: float) -> Reply:
        faults, chance, choice = self.faults, self.random.random, self.random.choice
        kinds = [self.events[name].kind for name in names]
        if chance() < faults.lost_request:
            return Unreachable("connect_timeout")
        if chance() < faults.outage:
            self.down_until = now + choice([5.0, 300.0])
        if chance() < faults.wrong_key:
            self.locked_until = now + choice([5.0, 300.0])
        if now < self.down_until or chance() < faults.unwell or "cursed" in kinds:
            return Response(choice([500, 502, 503, 504, 529]), b"", choice([None, None, 2.0]))
        if now < self.locked_until:
            invalid_key = Response(400, b'{"code":400,"error":"Invalid API key: key"}')
            return choice([Response(401, b""), Response(403, b"<html>"), invalid_key])
        if len(names) > 1 and chance() < faults.page:
            return Response(400, b"<html>Bad Request</html>")
        if (len(names) > 1 and chance() < faults.shrink) or "huge" in kinds:
            return Response(413, b'{"code":413,"error":"Payload too large"}')
        if chance() < faults.throttle_all:
            return Response(429, b'{"code":429}', choice([None, 1.0, 20.0]))
        if refused := [index for index, kind in enumerate(kinds) if kind == "refused"]:
            if chance() < faults.names_first:
                refused = refused[:1]
            body = {"code": 400, "events_with_invalid_fields": {"time": refused}}
            return Response(400, orjson.dumps(body))
        if chance() < faults.names_strangers:
            stranger = {"code": 400, "events_with_missing_fields": {"time": [-1, len(names)]}}
            if len(names) > 1:
                return Response(400, orjson.dumps(stranger))
        if over := [index for index in range(len(names)) if chance() < faults.quota]:
            named = {ids[index].get("user_id", "stranger"): 500_310 for index in over}
            body = {"code": 429, "exceeded_daily_quota_users": named, "throttled_events": over}
            return Response(429, orjson.dumps(body))
        if hot := [index for index in range(len(names)) if chance() < faults.throttle]:
            return Response(429, orjson.dumps(self._throttled(ids, hot)))
        for name in names:
            self._store(self.events[name], name)
        if chance() < faults.lost_reply:
            return Unreachable("read_timeout")
        return Response(200, b'{"code":200}')

    def _throttled(self, ids: Sequence[dict[str, str]], hot: Sequence[int]) -> dict[str, object]:
        """By user and device as documented, or by nothing but the index."""
        if self.random.random() < 0.3:
            return {"code": 429, "throttled_events": hot}
        kind = self.random.choice(["user_id", "device_id"])
        named = {ids[index][kind]: 31 for index in hot if kind in ids[index]}
        hit = [index for index, one in enumerate(ids) if one.get(kind) in named]
        member = "throttled_users" if kind == "user_id" else "throttled_devices"
        return {"code": 429, member: named, "throttled_events": hit or hot}

    def _store(self, event: Event, name: str) -> None:
        if name in self.stored:
            return
        last = self.last.get(event.key, -1)
        assert last < event.n, f"{event.key}: {name} was stored after i{last}"
        self.stored.add(name)
        self.last[event.key] = event.n


@dataclass
class World:
    seed: int
    now: float = 1_000_000.0
    requests: int = 0
    log: dict[TopicPartition, list[Kept]] = field(default_factory=dict)
    committed: dict[TopicPartition, int] = field(default_factory=dict)
    read: dict[TopicPartition, int] = field(default_factory=dict)  # Indexes into the log.
    checked: dict[TopicPartition, int] = field(default_factory=dict)
    dead: dict[str, str] = field(default_factory=dict)
    events: dict[str, Event] = field(default_factory=dict)
    scanning: dict[int, int] = field(default_factory=dict)  # By partition: up to which index.
    parked_names: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.random = random = Random(self.seed)
        self.faults = Faults.swarm(random)
        self.limits = Limits(
            records=random.choice([1, 20, 2000]),
            bytes=random.choice([400, 20_000_000 - ENVELOPE_BYTES]),
            linger_seconds=random.choice([0.0, 0.5]),
            concurrency=random.choice([1, 4]),
            lanes=random.choice([1, 4]),
            span_max=random.choice([50, 50_000]),
        )
        self.memory = random.choice([2_000, 64_000_000])
        self.parks = random.random() < 0.8
        self.swarm = f"{self.limits} memory={self.memory} {asdict(self.faults)}"
        secret = SecretStr("key")
        config = AmplitudeDestination(type="amplitude", name="a", api_key=secret, gzip=False)
        self.destination = AmplitudeEvents(config)
        self.destination.limits = self.limits
        self.amplitude = Amplitude(random, self.faults, self.events)
        self.agenda: list[tuple[float, int, Callable[[], None]]] = []
        self.ids = count()
        self.incarnation = 0
        self._write_log()
        self._boot()

    def _write_log(self) -> None:
        random = self.random
        owners = random.choice([1, 5, 50])
        partitions = range(random.choice([1, 2, 3]))
        self.log = {TopicPartition(t, n): [] for t in ("parked", "events") for n in partitions}
        # At most one, and only where others can go by: else a curse looks like an outage.
        others_go_by = owners == 50 and (self.parks or self.limits.span_max > RECORDS)
        cursed = random.randrange(2 * RECORDS) if others_go_by else -1
        for n in range(RECORDS):
            kinds = ["good", "malformed", "refused", "huge"]
            kind = "cursed" if n == cursed else random.choices(kinds, [990, 4, 3, 3])[0]
            self._append(n, random.randrange(owners), kind)
        self.committed = dict.fromkeys(self.log, 0)
        self.checked = dict.fromkeys(self.log, 0)

    def _append(self, n: int, owner: int, kind: str) -> None:
        ids = {"user_id": f"user-{owner}"}
        if owner % 3 == 1:
            ids["device_id"] = f"device-{owner}-{self.random.randrange(2)}"
        elif owner % 3 == 2:
            ids = {"device_id": f"device-{owner - 1}-0"}  # Another key, a device in common.
        key = ids.get("user_id") or ids["device_id"]
        name = f"i{n}"
        time: int | str = "noon" if kind == "malformed" else n
        value = {**ids, "event_type": "bought", "insert_id": name, "time": time}
        place = TopicPartition("events", sum(key.encode()) % (len(self.log) // 2))
        log = self.log[place]
        offset = (log[-1].offset + 1 if log else 0) + self.random.choice([0, 0, 1])  # Gaps.
        log.append(Kept(*place, offset, key.encode(), orjson.dumps(value), name))
        self.events[name] = Event(n, key, kind)

    def _boot(self) -> None:
        """A process that knows nothing but what was committed: neither flights nor holds."""
        self.incarnation += 1
        self.held: dict[tuple[str, str], float] = {}
        self.flying: dict[Batch, None] = {}
        self.dying: dict[Letter, None] = {}
        self.parking: list[Letter] = []
        self.delivery = Delivery(
            self.destination,
            topic="events",
            parked_topic="parked" if self.parks else None,
            memory_max_bytes=self.memory,
            random=self.random,
        )
        for place in self.log:
            self._rewind(place)

    def _rewind(self, place: TopicPartition) -> None:
        """Begin again at what is committed; a partition's parked are read first of all."""
        log, committed = self.log[place], self.committed[place]
        self.read[place] = sum(record.offset < committed for record in log)
        if place.topic == "parked":
            self.scanning[place.partition] = len(log)

    def _later(self, delay: float, action: Callable[[], None]) -> None:
        """Do it then, unless the process has crashed by that time."""
        incarnation = self.incarnation

        def act() -> None:
            if incarnation == self.incarnation:
                action()

        heappush(self.agenda, (self.now + delay, next(self.ids), act))

    def run(self) -> None:
        for _ in range(FAULTY_STEPS):
            self.step()
        for fault in fields(Faults):
            setattr(self.faults, fault.name, 0.0)
        self.amplitude.down_until = self.amplitude.locked_until = 0.0
        targets = {p: log[-1].offset for p, log in self.log.items() if log and p.topic == "events"}
        deadline = self.now + HEALTHY_SECONDS
        while any(self.committed[place] <= last for place, last in targets.items()) or any(
            self.committed[place] < len(log)
            for place, log in self.log.items()
            if place.topic == "parked"
        ):
            assert self.now < deadline, "no liveness: the log was not drained after healing"
            if self.random.random() < 0.2:
                # Traffic goes on. Without it a cursed record is alone, and looks like an outage.
                self._append(RECORDS + next(self.ids), 51, "good")
            self.step()
            self._commit()
        for name, event in list(self.events.items())[:RECORDS]:
            known = name in self.amplitude.stored, name in self.dead
            wanted = (True, False) if event.kind == "good" else (False, True)
            assert known == wanted, f"{name} is {event.kind}: stored, dead = {known}"

    def step(self) -> None:
        random, delivery = self.random, self.delivery
        if random.random() < self.faults.crash:
            self._boot()
            delivery = self.delivery
        if random.random() < self.faults.rebalance:
            self._commit()
            numbers = [n for n in range(len(self.log) // 2) if random.random() < 0.5]
            gone = [place for place in self.log if place.partition in numbers]
            delivery.revoke(gone)
            for place in gone:
                self._rewind(place)
        for place in self.log:
            self._read(place)
        while (wanted := delivery.wants(self.now)) is not None:
            self._load(wanted)
        while batch := delivery.next_batch(self.now):
            self._send(batch)
        while letter := delivery.next_dead_letter():
            self._bury(letter)
        self._park()
        self._check()
        if random.random() < 0.3:
            self._commit()
        if self.agenda:
            when, _, action = heappop(self.agenda)
            self.now = max(self.now, when)
            action()
            self._check()
        wakes_at = delivery.wakes_at()
        self.now = max(self.now + 0.01, min(self.now + 1.0, wakes_at or self.now))

    def _read(self, place: TopicPartition) -> None:
        delivery, log, begin = self.delivery, self.log[place], self.read[place]
        fetched = log[begin : begin + self.random.randint(0, 60)]
        if place.topic == "parked":
            delivery.scan(fetched, self.now)
        elif delivery.has_room and place not in delivery.full():
            if place.partition in self.scanning:
                return
            delivery.accept(fetched, self.now)
        else:
            return
        self.read[place] = begin + len(fetched)
        if self.read[place] >= self.scanning.get(place.partition, len(log) + 1):
            del self.scanning[place.partition]
            delivery.scanned(place.partition)

    def _load(self, place: TopicPartition) -> None:
        offset = self.delivery.wanted_from(place.partition)
        begin = offset  # The parked have no gaps.
        assert self.log[place][begin].offset == offset
        self.delivery.load(self.log[place][begin : begin + self.random.randint(1, 60)], self.now)

    def _park(self) -> None:
        """Written one after the other, as one process does; each is there once it is said so."""
        if self.parking:
            return
        while len(self.parking) < 50 and (letter := self.delivery.next_parking()):
            self.parking.append(letter)
        if not self.parking:
            return
        letters = list(self.parking)

        def landed() -> None:
            for letter in letters:
                self._append_parked(letter)
            self.parking.clear()
            self.delivery.parked(letters)

        late = self.random.random() < self.faults.late_parking
        self._later(5.0 if late else 0.0, landed)

    def _append_parked(self, letter: Letter) -> None:
        record = letter.entry.record
        place = TopicPartition("parked", record.partition)
        headers = letter_headers(letter, "a")
        name = orjson.loads(record.value or b"{}")["insert_id"]
        offset = len(self.log[place])
        kept = Kept(*place, offset, record.key, record.value, name, headers=headers)
        self.log[place].append(kept)
        self.parked_names.add(name)

    def _send(self, batch: Batch) -> None:
        self.requests += 1
        self.flying[batch] = None
        request: Request = self.destination.request(batch.encoded)
        sent = orjson.loads(request.body)["events"]
        assert 0 < len(sent) <= self.limits.records, "too many records in a request"
        fits = len(request.body) <= self.limits.bytes + ENVELOPE_BYTES
        assert len(sent) == 1 or fits, "too many bytes in a request"
        assert len(self.flying) <= self.limits.concurrency, "too many requests in flight"
        for event in sent:
            for kind in ("user_id", "device_id", "insert_id"):
                until = self.held.get((kind, event.get(kind)), 0.0)
                assert until <= self.now, f"{kind} {event.get(kind)} is held and was sent"
        reply = self.amplitude.answer([event["insert_id"] for event in sent], sent, self.now)
        self._later(self.random.expovariate(2.0), lambda: self._settle(batch, sent, reply))

    def _settle(self, batch: Batch, sent: Sequence[dict[str, str]], reply: Reply) -> None:
        del self.flying[batch]
        self.delivery.settle(batch, reply, self.now)
        if not isinstance(reply, Response) or reply.status != 429:
            return
        body, until = orjson.loads(reply.body), self.now + HELD_SECONDS
        for user in body.get("exceeded_daily_quota_users", ()):
            self.held["user_id", user] = (self.now // QUOTA_STEP_SECONDS + 1) * QUOTA_STEP_SECONDS
        for user in body.get("throttled_users", ()):
            self.held["user_id", user] = max(until, self.held.get(("user_id", user), 0.0))
        for device in body.get("throttled_devices", ()):
            self.held["device_id", device] = until
        if all(lane.offsets.is_ours for lane, _ in batch.parts):
            for index in body.get("throttled_events", ()):
                self.held["insert_id", sent[index]["insert_id"]] = until

    def _bury(self, letter: Letter) -> None:
        self.dying[letter] = None
        record = letter.entry.record
        name = (
            record.name
            if isinstance(record, Kept)
            else orjson.loads(record.value or b"")["insert_id"]
        )

        def landed() -> None:
            del self.dying[letter]
            self.dead[name] = letter.reason
            self.delivery.dead_lettered(letter)

        late = self.random.random() < self.faults.late_dead_letter
        self._later(5.0 if late else 0.0, landed)

    def _check(self) -> None:
        """Everything unsettled is in one place, and counted once."""
        delivery = self.delivery
        lined_up = [
            entry
            for lane in delivery._line
            for entries in (lane.queue, *lane.waiting.values())
            for entry in entries
        ]
        flown = [entry for batch in self.flying for _, part in batch.parts for entry in part]
        letters = [*self.dying, *delivery._dead, *self.parking, *delivery._leaving]
        everything: list[Entry] = [*lined_up, *flown, *(letter.entry for letter in letters)]
        size = sum(len(entry.encoded.body) for entry in everything)
        assert delivery._bytes == size, f"{delivery._bytes} bytes are counted, {size} are there"
        ours = [one for one in everything if one.offsets.is_ours]
        places = {(id(one.offsets), one.offset) for one in ours}
        assert len(places) == len(ours), "a record is in two places"
        unsettled = len(ours) + delivery.parked_records()
        assert delivery.unsettled() == unsettled, "a record is in no place"

    def _commit(self) -> None:
        for place, offset in self.delivery.committable().items():
            assert offset >= self.committed[place], "a commit went backwards"
            log, index = self.log[place], self.checked[place]
            while index < len(log) and log[index].offset < offset:
                name = log[index].name
                known = name in self.amplitude.stored or name in self.dead
                if place.topic == "events":
                    known = known or name in self.parked_names
                assert known, f"{name} was committed and lost"
                index += 1
            self.checked[place] = index
            self.committed[place] = offset
