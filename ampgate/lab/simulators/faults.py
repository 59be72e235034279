"""What a script of faults decides, request by request: `fault_rules` says how it is written."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Literal

import orjson

from ampgate.lab.simulators.fault_rules import (
    AfterAcceptance,
    AnswerWith,
    Cut,
    Delay,
    Double,
    Drop,
    Empty,
    Expire,
    Faults,
    HoldIds,
    Html,
    Late,
    Match,
    MaxBodyBytes,
    Move,
    Reject,
    Reset,
    Rule,
    Silence,
)
from ampgate.lab.simulators.model import Answer, Conditions, Received, json_answer
from ampgate.lab.simulators.spool import HOUR_MS, Shown

_PROPERTIES = ("event_properties", "user_properties", "group_properties", "metadata")
_IDS = ("user_id", "device_id", "contact_id", "group_value")


@dataclass(frozen=True, slots=True)
class _Applied:
    """A rule, the ids that it applies to, and where in the request these are."""

    rule: Rule
    ids: list[str] = field(default_factory=list)
    indexes: list[int] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Fate:
    """What a script decided for one request; `None` lets the destination answer."""

    conditions: Conditions
    delay_seconds: float
    ending: Answer | Literal["reset before", "reset after"] | None
    cut_bytes: int = 0  # So many are missing at the end of a success.


class Script:
    """The faults, posted at a time: the same requests at the same times get the same faults."""

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
        applying: list[_Applied] = []
        seen: list[dict[str, object]] | None = None
        for index, rule in enumerate(self._rules):
            if not self._is_due(index, rule, now) or rule.match.path not in (None, path):
                continue
            if isinstance(rule.effect, AfterAcceptance):
                continue
            applied = _Applied(rule)
            if rule.reads_records:
                seen = records() if seen is None else seen
                matching = (n for n, record in enumerate(seen) if _matches(rule.match, record))
                first = next(matching, None)
                if first is None:
                    continue
                others = matching if isinstance(rule.effect, Reject) else ()
                applied = _Applied(rule, _ids_of(rule, seen[first]), [first, *others])
            if rule.probability < 1.0 and self._random.random() >= rule.probability:
                continue
            left = self._left[index]
            self._left[index] = None if left is None else left - 1
            applying.append(applied)
            if isinstance(rule.effect, AnswerWith | Html | Empty | Reset):
                break
        self.applied += len(applying)
        return _fate(applying, self._random) if applying else None

    @property
    def changes_what_is_shown(self) -> bool:
        return any(isinstance(rule.effect, AfterAcceptance) for rule in self._rules)

    def shown(self, received: Received, now: float) -> Shown:
        """How the read side shows an accepted record."""
        copies, late_ms = 1, 0
        record = orjson.loads(received.body)
        for index, rule in enumerate(self._rules):
            is_its = rule.match.path in (None, received.endpoint) and _matches(rule.match, record)
            if not is_its or not self._is_due(index, rule, now):
                continue
            if rule.probability < 1.0 and self._random.random() >= rule.probability:
                continue
            match rule.effect:
                case Drop():
                    copies = 0
                case Double():
                    copies *= 2
                case Late(hours=hours):
                    late_ms += hours * HOUR_MS
                case _:
                    continue
            left = self._left[index]
            self._left[index] = None if left is None else left - 1
            self.applied += 1
        return Shown(copies, late_ms)

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
    """The ids that a rule without `ids` applies to."""
    if rule.match.id is not None:
        return [rule.match.id]
    names = ("device_id",) if isinstance(rule.effect, Silence) else _IDS
    found = [value for name in names if isinstance(value := record.get(name), str)]
    return found[:1]


def _fate(applying: list[_Applied], random: Random) -> Fate:
    held: dict[str, dict[str, float | None]] = {"throttle": {}, "daily_quota": {}}
    silenced: set[str] = set()
    sizes: list[int] = []
    rejected: dict[int, str] = {}
    delay, cut_bytes, moved_by, is_expired = 0.0, 0, 0, False
    ending: Answer | Literal["reset before", "reset after"] | None = None
    for applied in applying:
        match applied.rule.effect:
            case Delay(seconds=seconds, jitter_seconds=jitter):
                delay += seconds + (jitter * random.random() if jitter else 0.0)
            case HoldIds(kind=kind, ids=ids, seconds=seconds_held):
                held[kind] |= dict.fromkeys(ids or applied.ids, seconds_held)
            case Silence(ids=ids):
                silenced.update(ids or applied.ids)
            case Reject(field=name):
                rejected |= dict.fromkeys(applied.indexes, name)
            case MaxBodyBytes(bytes=size):
                sizes.append(size)
            case Cut(bytes=missing):
                cut_bytes += missing
            case Expire():
                is_expired = True
            case Move(by=by):
                moved_by += by
            case Reset(when=when):
                ending = "reset before" if when == "before" else "reset after"
            case AnswerWith() | Html() | Empty() as answer:
                ending = _answer(answer)
    conditions = Conditions(
        throttled=held["throttle"],
        over_quota=held["daily_quota"],
        silenced=frozenset(silenced),
        max_body_bytes=min(sizes, default=None),
        rejected=rejected,
        is_expired=is_expired,
        moved_by=moved_by,
    )
    return Fate(conditions, delay, ending, cut_bytes)


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
