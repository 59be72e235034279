"""What is broken, and when: drawn from a seed. Pure.

Theory of operation: each lane breaks one thing after another, and the lanes run side by side: the
broker dies while an edge is replaced and Amplitude answers 503. A lane takes all its steps in a
random order before it takes one again, so that even a short run has most kinds. A lane rests from
when it was whole again: on a slow machine it breaks less, but never keeps a thing broken for ever.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from random import Random

from ampgate.lab.chaos.faults import Rule, faults
from ampgate.lab.chaos.network import Impairment


class Lane(StrEnum):
    EDGES = "edges"
    DELIVERIES = "deliveries"
    KAFKA = "Kafka"
    AMPLITUDE = "Amplitude"
    AAMPE = "Aampe"
    PULLS = "pulls"
    AMPERITY = "Amperity"
    PAUSES = "pauses"
    NETWORK = "network"
    CONFIGURATION = "configuration"
    CLOCKS = "clocks"
    RETENTION = "retention"
    PARTITIONS = "partitions"


class Act(StrEnum):
    KILL = "kill -9, then a new one"
    REPLACE = "replaced, the successor first"
    JOIN = "one more joins, and leaves"
    FAULT = "faults"
    PAUSE = "stopped, and goes on later"
    IMPAIR = "a way between two parts"
    RELOAD = "the configuration is read again"
    FILL = "the disk is full"
    SET = "a wall clock is wrong"
    DELETE = "records are deleted before they are delivered"
    GROW = "there are twice as many partitions"


@dataclass(frozen=True, slots=True)
class Step:
    """`rest`: how long nothing is broken before it; `seconds`: how long what was killed stays away,
    who joined stays, or a fault, a pause or an impairment lasts. `name` is that of the fault, the
    broker, the process, the way, the configuration, the clock or the order. `ahead` is how far a
    clock is so, in seconds; `share` how much is deleted of what was not delivered yet.
    """

    lane: Lane
    act: Act
    name: str = ""
    rules: Sequence[Rule] = ()
    impairment: Impairment | None = None
    rest: float = 0.0
    seconds: float = 0.0
    ahead: float = 0.0
    share: float = 0.0

    @property
    def words(self) -> str:
        lasting = f"{self.seconds:.1f} s"
        match self.act:
            case Act.FAULT:
                return f"{self.lane}: {self.name} for {lasting}"
            case Act.PAUSE:
                return f"{self.lane}: SIGSTOP for {self.name}, SIGCONT after {lasting}"
            case Act.IMPAIR:
                return f"{self.lane}: the way to {self.name}: {self.impairment} for {lasting}"
            case Act.RELOAD:
                return f"{self.lane}: {self.name}, SIGHUP for all"
            case Act.SET:
                off = f"{abs(self.ahead) / 60:.0f} min {'ahead' if self.ahead > 0 else 'behind'}"
                return f"{self.lane}: that of {self.name} is {off} for {lasting}"
            case Act.DELETE:
                stopped = f"deliveries stopped for {lasting}"
                return f"{self.lane}: {stopped}, {self.share:.0%} of what waits is deleted"
            case Act.GROW:
                return f"{self.lane}: twice as many, of {self.name}, {lasting} between"
            case Act.FILL:
                return f"{self.lane}: the disk of {self.name} is full, a new one after {lasting}"
            case Act.KILL if self.name:
                return f"{self.lane}: kill -9 for {self.name}, a new one after {lasting}"
            case Act.KILL:
                return f"{self.lane}: kill -9, a new one after {lasting}"
            case Act.JOIN:
                return f"{self.lane}: one more joins, and leaves after {lasting}"
            case Act.REPLACE:
                return f"{self.lane}: one is replaced, the successor first"


@dataclass(frozen=True, slots=True)
class Rhythm:
    """How long a lane rests before a step, and how long a step lasts; each between two bounds."""

    rest: tuple[float, float]
    lasts: tuple[float, float]


RHYTHMS: Mapping[Lane, Rhythm] = {
    Lane.EDGES: Rhythm((2.0, 4.0), (0.0, 2.0)),
    Lane.DELIVERIES: Rhythm((2.0, 5.0), (0.0, 3.0)),
    Lane.KAFKA: Rhythm((6.0, 18.0), (0.0, 3.0)),
    Lane.AMPLITUDE: Rhythm((0.5, 2.5), (1.0, 4.0)),
    Lane.AAMPE: Rhythm((0.5, 2.5), (1.0, 4.0)),
    Lane.PULLS: Rhythm((1.0, 4.0), (0.0, 2.0)),
    Lane.AMPERITY: Rhythm((0.5, 2.5), (0.5, 3.0)),
    # Longer than a group's session, so that others take what it has: then it goes on.
    Lane.PAUSES: Rhythm((2.0, 6.0), (0.5, 15.0)),
    Lane.NETWORK: Rhythm((1.0, 4.0), (0.5, 5.0)),
    Lane.CONFIGURATION: Rhythm((3.0, 9.0), (0.0, 0.0)),
    Lane.CLOCKS: Rhythm((1.0, 4.0), (0.5, 8.0)),
    Lane.RETENTION: Rhythm((4.0, 16.0), (0.5, 3.0)),
    Lane.PARTITIONS: Rhythm((4.0, 14.0), (0.0, 3.0)),
}
ONCE = {Lane.PARTITIONS}  # These take each of their steps once: partitions cost memory.
EDGE, DELIVERY, PULL = "an edge", "a delivery", "a pull"
EDGES = "the edges"  # They share a port.
DELIVERIES, PULLS = "the deliveries", "the pulls"
AHEAD_SECONDS = (60.0, 21_600.0)
SHARE = (0.2, 1.0)
PARKED_FIRST, PARKED_LAST = GROWTHS = "the parked topic first", "the parked topic last"
GZIP, PLAIN = CONFIGURATIONS = "requests to Amplitude in gzip", "requests to Amplitude as they are"


def nodes(brokers: int) -> Sequence[str]:
    return [f"broker {number}" for number in range(1, brokers + 1)]


def plan(
    seed: int, seconds: float, users: Sequence[str], brokers: int = 1
) -> Mapping[Lane, Sequence[Step]]:
    """Every lane's steps: as many as have room in the time, if nothing else takes any."""
    return {
        lane: list(_steps(lane, Random(f"{seed} {lane}"), seconds, users, brokers)) for lane in Lane
    }


def without(act: Act, lanes: Mapping[Lane, Sequence[Step]]) -> Mapping[Lane, Sequence[Step]]:
    """What is left where this cannot be done; the others keep their rests."""
    return {lane: [step for step in steps if step.act is not act] for lane, steps in lanes.items()}


def _steps(
    lane: Lane, random: Random, seconds: float, users: Sequence[str], brokers: int
) -> Iterator[Step]:
    rhythm = RHYTHMS[lane]
    left: list[Step] = []
    is_first = True
    at = 0.0
    while True:
        rest, lasting = random.uniform(*rhythm.rest), random.uniform(*rhythm.lasts)
        at += rest + lasting
        if at > seconds:
            return
        if not left:
            if lane in ONCE and not is_first:
                return
            is_first = False
            left = list(_steps_of(lane, random, users, brokers))
            random.shuffle(left)
        yield replace(left.pop(), rest=rest, seconds=lasting)


def _steps_of(lane: Lane, random: Random, users: Sequence[str], brokers: int) -> Iterator[Step]:
    """All that a lane can break, once each."""
    match lane:
        case Lane.EDGES:
            yield from (Step(lane, act) for act in (Act.KILL, Act.REPLACE))
        case Lane.DELIVERIES | Lane.PULLS:
            yield from (Step(lane, act) for act in (Act.KILL, Act.REPLACE, Act.JOIN))
        case Lane.KAFKA:
            for node in nodes(brokers):
                yield from (Step(lane, act, node) for act in (Act.KILL, Act.FILL))
        case Lane.AMPLITUDE | Lane.AAMPE | Lane.AMPERITY:
            for name, rules in faults(lane.lower(), random, users).items():
                yield Step(lane, Act.FAULT, name, rules)
        case Lane.PAUSES:
            for name in (EDGE, DELIVERY, PULL, *nodes(brokers)):
                yield Step(lane, Act.PAUSE, name)
        case Lane.NETWORK:
            for name in (EDGES, Lane.AMPLITUDE, Lane.AAMPE, Lane.AMPERITY, *nodes(brokers)):
                for impairment in Impairment:
                    yield Step(lane, Act.IMPAIR, name, impairment=impairment)
        case Lane.CONFIGURATION:
            yield from (Step(lane, Act.RELOAD, name) for name in CONFIGURATIONS)
        case Lane.CLOCKS:
            for name in (EDGES, DELIVERIES, PULLS):
                for way in (1, -1):
                    off = math.exp(random.uniform(*map(math.log, AHEAD_SECONDS)))
                    yield Step(lane, Act.SET, name, ahead=way * off)
        case Lane.RETENTION:
            yield Step(lane, Act.DELETE, share=random.uniform(*SHARE))
        case Lane.PARTITIONS:
            yield from (Step(lane, Act.GROW, name) for name in GROWTHS)
