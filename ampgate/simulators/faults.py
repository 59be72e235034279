"""A script of faults: which requests, when, and what befalls them.

`POST /_faults` replaces the script; times are seconds since then; `{"rules": []}` ends it:

    {"seed": 1, "rules": [
      {"match": {"path": "/batch"}, "from_seconds": 5, "for_seconds": 20, "probability": 0.3,
       "effect": {"kind": "answer", "status": 503, "headers": {"retry-after": "2"}}},
      {"match": {"id": "u-1"}, "times": 1, "effect": {"kind": "throttle"}}]}

A rule matches when every given part does, all in one record where they speak of one. Rules are
asked in order; conditions and delays add up, and the first answer or reset ends the search.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from random import Random
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from ampgate.simulators.model import Answer, Conditions, json_answer

RULES_MAX = 1000
_PROPERTIES = ("event_properties", "user_properties", "group_properties", "metadata")
_IDS = ("user_id", "device_id", "contact_id", "group_value")


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Match(_Strict):
    path: str | None = None
    id: str | None = None  # A user_id, device_id, contact_id or group_value.
    event_type: str | None = None  # For Aampe: the event_name.
    event_properties: dict[str, object] | None = None  # For Aampe: metadata.

    @property
    def reads_records(self) -> bool:
        return any(part is not None for part in (self.id, self.event_type, self.event_properties))


class AnswerWith(_Strict):
    """Any answer instead of the destination's: nothing is stored."""

    kind: Literal["answer"]
    status: int = Field(ge=200, le=599)
    headers: dict[str, str] = Field(default_factory=dict)
    body: str | dict[str, object] | None = None  # A text, or JSON.


class Html(_Strict):
    """A load balancer's page (upstreams.md §1.0)."""

    kind: Literal["html"]
    status: int = Field(default=502, ge=200, le=599)


class Empty(_Strict):
    kind: Literal["empty"]
    status: int = Field(default=502, ge=200, le=599)


class Delay(_Strict):
    """The request is dealt with at once; its answer is late."""

    kind: Literal["delay"]
    seconds: float = Field(ge=0, le=3600)
    jitter_seconds: float = Field(default=0.0, ge=0, le=3600)


class Reset(_Strict):
    """The connection breaks before the request is dealt with, or after: the answer is lost."""

    kind: Literal["reset"]
    when: Literal["before", "after"] = "before"


class HoldIds(_Strict):
    """The ids are throttled, or over their daily quota.

    Without `ids`: the id of the match, else that of the first record that matched.
    """

    kind: Literal["throttle", "daily_quota"]
    ids: list[str] = Field(default_factory=list)
    seconds: float | None = Field(default=None, ge=0)  # Absent: the destination's own time.


class Silence(_Strict):
    """The devices are silenced; without `ids`, as `HoldIds`."""

    kind: Literal["silence"]
    ids: list[str] = Field(default_factory=list)


class MaxBodyBytes(_Strict):
    kind: Literal["max_body_bytes"]
    bytes: int = Field(ge=1)


Effect = Annotated[
    AnswerWith | Html | Empty | Delay | Reset | HoldIds | Silence | MaxBodyBytes,
    Field(discriminator="kind"),
]


class Rule(_Strict):
    match: Match = Match()
    from_seconds: float = Field(default=0.0, ge=0)
    for_seconds: float | None = Field(default=None, gt=0)
    times: int | None = Field(default=None, ge=1)
    probability: float = Field(default=1.0, ge=0, le=1)
    effect: Effect

    @property
    def reads_records(self) -> bool:
        names_nobody = isinstance(self.effect, HoldIds | Silence) and not self.effect.ids
        return names_nobody or self.match.reads_records


class Faults(_Strict):
    seed: int = 0
    rules: list[Rule] = Field(default_factory=list, max_length=RULES_MAX)


@dataclass(frozen=True, slots=True)
class Fate:
    """What a script decided for one request; `None` lets the destination answer."""

    conditions: Conditions
    delay_seconds: float
    ending: Answer | Literal["reset before", "reset after"] | None


class Script:
    """The faults, posted at a time: the same requests at the same times meet the same fate."""

    def __init__(self, faults: Faults, posted_at: float) -> None:
        self._rules = faults.rules
        self._posted_at = posted_at
        self._random = Random(faults.seed)
        self._left = [rule.times for rule in faults.rules]
        self.applied = 0

    def fate(
        self, path: str, records: Callable[[], list[dict[str, object]]], now: float
    ) -> Fate | None:
        """`None`: no rule applies. The records are read only when a rule asks for them."""
        applying: list[tuple[Rule, list[str]]] = []
        seen: list[dict[str, object]] | None = None
        for index, rule in enumerate(self._rules):
            if not self._is_due(index, rule, now) or rule.match.path not in (None, path):
                continue
            ids: list[str] = []
            if rule.reads_records:
                seen = records() if seen is None else seen
                match = next((record for record in seen if _matches(rule.match, record)), None)
                if match is None:
                    continue
                ids = _ids_of(rule, match)
            if rule.probability < 1.0 and self._random.random() >= rule.probability:
                continue
            left = self._left[index]
            self._left[index] = None if left is None else left - 1
            applying.append((rule, ids))
            if isinstance(rule.effect, AnswerWith | Html | Empty | Reset):
                break
        self.applied += len(applying)
        return _fate(applying, self._random) if applying else None

    def _is_due(self, index: int, rule: Rule, now: float) -> bool:
        since = now - self._posted_at - rule.from_seconds
        is_over = rule.for_seconds is not None and since >= rule.for_seconds
        return since >= 0 and not is_over and self._left[index] != 0


def _matches(match: Match, record: Mapping[str, object]) -> bool:
    if match.id is not None and match.id not in [record.get(name) for name in _IDS]:
        return False
    if match.event_type is not None:
        names = (record.get("event_type"), record.get("event_name"))
        if match.event_type not in names:
            return False
    if match.event_properties is None:
        return True
    found: dict[str, object] = {}
    for name in _PROPERTIES:
        values = record.get(name)
        found |= values if isinstance(values, dict) else {}
    return all(found.get(name) == value for name, value in match.event_properties.items())


def _ids_of(rule: Rule, record: Mapping[str, object]) -> list[str]:
    """Whom a rule without `ids` means."""
    if rule.match.id is not None:
        return [rule.match.id]
    names = ("device_id",) if isinstance(rule.effect, Silence) else _IDS
    found = [value for name in names if isinstance(value := record.get(name), str)]
    return found[:1]


def _fate(rules: list[tuple[Rule, list[str]]], random: Random) -> Fate:
    held: dict[str, dict[str, float | None]] = {"throttle": {}, "daily_quota": {}}
    silenced: set[str] = set()
    sizes: list[int] = []
    delay = 0.0
    ending: Answer | Literal["reset before", "reset after"] | None = None
    for rule, matched in rules:
        match rule.effect:
            case Delay(seconds=seconds, jitter_seconds=jitter):
                delay += seconds + (jitter * random.random() if jitter else 0.0)
            case HoldIds(kind=kind, ids=ids, seconds=seconds_held):
                held[kind] |= dict.fromkeys(ids or matched, seconds_held)
            case Silence(ids=ids):
                silenced.update(ids or matched)
            case MaxBodyBytes(bytes=size):
                sizes.append(size)
            case Reset(when=when):
                ending = "reset before" if when == "before" else "reset after"
            case AnswerWith() | Html() | Empty() as answer:
                ending = _answer(answer)
    conditions = Conditions(
        throttled=held["throttle"],
        over_quota=held["daily_quota"],
        silenced=frozenset(silenced),
        max_body_bytes=min(sizes, default=None),
    )
    return Fate(conditions, delay, ending)


def _answer(effect: AnswerWith | Html | Empty) -> Answer:
    match effect:
        case Html(status=status):
            page = f"<html><body><center><h1>{status}</h1></center></body></html>"
            return Answer(status, {"content-type": "text/html"}, page.encode())
        case Empty(status=status):
            return Answer(status, {}, b"")
        case AnswerWith(body=str() as text):
            return Answer(
                effect.status, {"content-type": "text/plain", **effect.headers}, text.encode()
            )
        case AnswerWith(body=None):
            return Answer(effect.status, effect.headers, b"")
        case _:
            return json_answer(effect.status, effect.body, effect.headers)
