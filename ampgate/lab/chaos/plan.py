"""What is broken, and when: drawn from a seed. Pure.

Theory of operation: each lane breaks one thing after another, and the lanes run side by side: the
broker dies while an edge is replaced and Amplitude answers 503. A lane plays a shuffled deck, so
that even a short run has most kinds; a longer one shuffles again. A lane rests from when it was
whole again: on a slow machine it breaks less, but never keeps a thing broken for ever.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from random import Random

Rule = Mapping[str, object]
"""A rule of a simulator's script (`ampgate.lab.simulators.fault_rules`)."""

THROTTLED_USERS = 3
SMALL_BODY_BYTES = (1_000, 8_000)  # One event always fits.


class Lane(StrEnum):
    EDGES = "edges"
    DELIVERIES = "deliveries"
    KAFKA = "Kafka"
    AMPLITUDE = "Amplitude"
    AAMPE = "Aampe"
    PULLS = "pulls"
    AMPERITY = "Amperity"


class Act(StrEnum):
    KILL = "kill -9, then a new one"
    REPLACE = "replaced, the successor first"
    JOIN = "one more joins, and leaves"
    FAULT = "faults"


@dataclass(frozen=True, slots=True)
class Step:
    """`rest`: how long nothing is broken before it; `seconds`: how long what was killed stays away,
    who joined stays, or a fault lasts.
    """

    rest: float
    lane: Lane
    act: Act
    seconds: float
    name: str = ""
    rules: Sequence[Rule] = field(default_factory=tuple)

    @property
    def words(self) -> str:
        lasting = f"{self.seconds:.1f} s"
        match self.act:
            case Act.FAULT:
                return f"{self.lane}: {self.name} for {lasting}"
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
}
DECKS: Mapping[Lane, Sequence[Act]] = {
    Lane.EDGES: (Act.KILL, Act.REPLACE),
    Lane.DELIVERIES: (Act.KILL, Act.REPLACE, Act.JOIN),
    Lane.KAFKA: (Act.KILL,),
    Lane.PULLS: (Act.KILL, Act.REPLACE, Act.JOIN),
}


def plan(seed: int, seconds: float, users: Sequence[str]) -> Mapping[Lane, Sequence[Step]]:
    """Every lane's steps: as many as have room in the time, if nothing else takes any."""
    return {lane: list(_steps(lane, Random(f"{seed} {lane}"), seconds, users)) for lane in Lane}


def _steps(lane: Lane, random: Random, seconds: float, users: Sequence[str]) -> Iterator[Step]:
    rhythm = RHYTHMS[lane]
    deck: list[Act | str] = []
    at = 0.0
    while True:
        rest, lasting = random.uniform(*rhythm.rest), random.uniform(*rhythm.lasts)
        at += rest + lasting
        if at > seconds:
            return
        if not deck:
            deck = list(DECKS.get(lane) or _faults(lane, random, users))
            random.shuffle(deck)
        match deck.pop():
            case Act() as act:
                yield Step(rest, lane, act, lasting)
            case name:
                rules = _faults(lane, random, users)[name]
                yield Step(rest, lane, Act.FAULT, lasting, name, rules)


def _faults(lane: Lane, random: Random, users: Sequence[str]) -> Mapping[str, Sequence[Rule]]:
    """All of a simulator's faults, by their names."""
    faults = _passing(random)
    if lane is Lane.AMPERITY:
        return faults | _of_pages(random)
    key_refused = "an invalid API key" if lane is Lane.AMPLITUDE else "status 401"
    status = 400 if lane is Lane.AMPLITUDE else 401
    body = {"code": 400, "error": "Invalid API key: k"} if status == 400 else {"detail": "no"}
    faults |= {
        key_refused: [{"effect": {"kind": "answer", "status": status, "body": body}}],
        "throttled users": [
            {"match": {"id": user}, "effect": {"kind": "throttle"}}
            for user in random.sample(users, min(THROTTLED_USERS, len(users)))
        ],
    }
    faults |= _odd_answers(lane, random)
    if lane is Lane.AMPLITUDE:
        size = random.randint(*SMALL_BODY_BYTES)
        faults["status 401"] = [{"effect": {"kind": "answer", "status": 401}}]
        faults["status 413"] = [{"effect": {"kind": "max_body_bytes", "bytes": size}}]
    return faults


def _passing(random: Random) -> dict[str, Sequence[Rule]]:
    """What any API has now and then."""
    retry_after = {"retry-after": str(random.randint(0, 2))}
    return {
        "resets before the request is read": _often(random, kind="reset", when="before"),
        "lost answers": _often(random, kind="reset", when="after"),
        "status 503": [{"effect": {"kind": "answer", "status": 503, "headers": retry_after}}],
        "a proxy's 502": _often(random, kind="html", status=502),
        "slow answers": _often(random, kind="delay", seconds=0.2, jitter_seconds=1.5),
    }


def _of_pages(random: Random) -> dict[str, Sequence[Rule]]:
    """What happens to who reads page by page."""
    return {
        "status 429": _often(random, kind="answer", status=429),
        "pages that are cut off": _often(random, kind="cut", bytes=random.randint(1, 500)),
        "lost cursors": _often(random, kind="expire"),
    }


def _odd_answers(lane: Lane, random: Random) -> Mapping[str, Sequence[Rule]]:
    """What no destination says: a proxy, a sign-in page, or something broken on the way."""
    status = random.choice((402, 407, 410, 418, 421, 451))
    absurd = {"retry-after": random.choice(("-5", "nan", "soon", "\u00b2", "Thu, 01 Jan 0001"))}
    success = 200 if lane is Lane.AMPLITUDE else 202
    return {
        "an unknown 4xx": _often(random, kind="answer", status=status, body="no"),
        "a proxy's 400": _often(random, kind="html", status=400),
        "a sign-in page": _often(random, kind="html", status=200),
        "a failure with a 2xx": _often(
            random, kind="answer", status=success, body={"code": 500, "error": "no"}
        ),
        "status 425": _often(random, kind="answer", status=425),
        "an absurd Retry-After": _often(random, kind="answer", status=503, headers=absurd),
        "a page of 3 MB": _often(random, kind="answer", status=502, body="x" * 3_000_000),
    }


def _often(random: Random, **effect: object) -> Sequence[Rule]:
    return [{"probability": round(random.uniform(0.2, 0.9), 2), "effect": effect}]
