"""The far end: the strict model of a destination, with faults, behind an unreliable network.

What the model allows is what is documented; what it stores is checked here as it comes.
"""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random

import orjson

from ampgate.lab.simulators import model as models
from consumers.delivery.destination import Reply, Request, Response, Unreachable
from tests.simulation.faults import Faults
from tests.simulation.poison import IMPOSSIBLE, UNREADABLE
from tests.simulation.subjects import Subject, Wire

PAGE = b"<html>Sign in</html>"
# They say nothing about records: not the destination's answers, or about something else.
STRANGE = [Response(status, PAGE) for status in (302, 400, 401, 402, 407, 410, 418, 451)]
STRANGE += [
    Response(200, PAGE),
    Response(202, PAGE),
    Response(200, b'{"code":500}'),
    Response(203, b""),
]
NAMED = {
    "invalid": "events_with_invalid_fields",
    "missing": "events_with_missing_fields",
    "short": "events_with_invalid_id_lengths",
    "silenced": "silenced_events",
}


@dataclass(slots=True)
class Origin:
    """What the world knows of a record by its name."""

    n: int
    key: str
    kind: str  # good, or what is wrong with it.
    partition: int = 0
    offset: int = 0
    value: bytes | None = None
    changes: Mapping[str, object] = field(default_factory=dict)


@dataclass
class FarEnd:
    subject: Subject
    random: Random
    faults: Faults
    origins: dict[str, Origin]
    dead: Mapping[str, str]
    lost: Collection[str]
    proxy_bytes: int | None
    is_lying: bool = False  # Its answers leave out whom they concern.
    down_until: float = 0.0
    locked_until: float = 0.0
    strange_until: float = 0.0  # A proxy or a sign-in page answers in its place.
    deployed_until: float = 0.0  # A faulty release of the destination refuses every request.
    stored: dict[str, None] = field(default_factory=dict)  # In order.
    may_repeat: Counter[str] = field(default_factory=Counter)
    repeated: set[str] = field(default_factory=set)  # Keys.
    replayed: set[str] = field(default_factory=set)
    last: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.model = self.subject.model()

    def answer(self, request: Request, now: float) -> Reply:
        chance = self.random.random
        if chance() < self.faults.lost_request:
            return Unreachable("connect_timeout")
        wires = self.subject.carried(request.body)
        refusal = self._refusal(wires, now)
        if refusal is not None:
            return refusal
        reply = self._modelled(request, wires, now)
        if reply.status < 300 and chance() < self.faults.lost_reply:
            for wire in wires:
                self.may_repeat.update(wire.names)
            if chance() < 0.5:
                return Response(self.random.choice([500, 502, 504]), b"<html>")
            return Unreachable("read_timeout")
        return reply

    def _refusal(self, wires: Sequence[Wire], now: float) -> Response | None:
        faults, chance, choice = self.faults, self.random.random, self.random.choice
        kinds = {self.origins[name].kind for wire in wires for name in wire.names}
        if chance() < faults.outage:
            self.down_until = now + choice([5.0, 300.0])
        if chance() < faults.wrong_key:
            self.locked_until = now + choice([5.0, 300.0])
        if chance() < faults.strange:
            self.strange_until = now + choice([0.0, 5.0, 300.0])
        if now < self.down_until or chance() < faults.unwell or "cursed" in kinds:
            body = choice([b"", b"<html>Bad Gateway</html>"])
            return Response(
                choice([500, 502, 503, 504, 529]), body, choice([None, None, 2.0, 40.0])
            )
        if now < self.locked_until:
            invalid_key = Response(400, b'{"code":400,"error":"Invalid API key: key"}')
            if self.subject.is_form:
                invalid_key = Response(400, b"invalid_api_key")
            refusals = [Response(401, b""), Response(403, b"<html>"), invalid_key]
            return choice(refusals[:2] if self.subject.is_aampe else refusals)
        if now <= self.strange_until:
            return choice(STRANGE)
        if "firewalled" in kinds:
            return choice([Response(403, b"<html>Forbidden</html>"), *STRANGE])
        if len(wires) > 1 and chance() < faults.page:
            return Response(400, choice([b"<html>Bad Request</html>", b""]))
        if chance() < faults.odd:
            return Response(choice([200, 400]), choice([UNREADABLE, IMPOSSIBLE]))
        if len(wires) > 1 and chance() < faults.shrink:
            return Response(413, b'{"code":413,"error":"Payload too large"}')
        if chance() < faults.throttle_all:
            return Response(429, choice([b'{"code":429}', b""]), choice([None, 1.0, 20.0]))
        return self._refused(wires, now)

    def _refused(self, wires: Sequence[Wire], now: float) -> Response | None:
        """Some records are invalid, or the destination says so wrongly."""
        is_bad_deploy = now < self.deployed_until
        found: dict[str, list[int]] = {}
        for index, wire in enumerate(wires):
            for name in wire.names:
                kind = self.origins[name].kind
                if is_bad_deploy or kind in (*NAMED, "nameless"):
                    found.setdefault("invalid" if is_bad_deploy else kind, []).append(index)
        if self.subject.is_aampe:
            return Response(422 if "invalid" in found else 400, b"{}") if found else None
        if self.subject.is_form:
            return Response(400, b"invalid_event_field") if found else None
        if "nameless" in found:
            return Response(400, b'{"code":400,"error":"Invalid event JSON"}')
        if not found:
            return self._strange(wires)
        is_short = self.random.random() < self.faults.names_first
        body: dict[str, object] = {"code": 400, "error": "Invalid field values on some events"}
        for kind, indexes in found.items():
            named = indexes[:1] if is_short else indexes
            body[NAMED[kind]] = named if kind == "silenced" else {"time": named}
        if self.random.random() < self.faults.names_strangers:  # It contradicts itself.
            body["throttled_events"] = [-1, len(wires) + 7, next(iter(found.values()))[0]]
        return Response(400, orjson.dumps(body))

    def _strange(self, wires: Sequence[Wire]) -> Response | None:
        if len(wires) < 2 or self.random.random() >= self.faults.names_strangers:
            return None
        stranger = {"code": 400, "events_with_missing_fields": {"time": [-1, len(wires)]}}
        return Response(400, orjson.dumps(stranger))

    def _modelled(self, request: Request, wires: Sequence[Wire], now: float) -> Response:
        faults, chance = self.faults, self.random.random
        throttled: dict[str, float | None] = {}
        over_quota: dict[str, float | None] = {}
        for wire in wires:
            held = over_quota if chance() < faults.quota / 10 else throttled
            if chance() < faults.throttle:
                either = [name for name in (wire.user_id, wire.device_id) if name is not None]
                held.update(dict.fromkeys(self.random.sample(either, min(len(either), 1)), None))
                if chance() < 0.3:
                    held.update(dict.fromkeys(either, None))
        conditions = models.Conditions(throttled, over_quota, frozenset(), self.proxy_bytes)
        asked = models.Request("POST", request.path, "", request.headers, request.body)
        answer = self.model.answer(asked, now, conditions)
        self.model.received.clear()
        if answer.status < 300:
            for wire in wires:
                for name in wire.names:
                    self._store(name)
        body = answer.body
        if answer.status == 429 and not self.subject.is_form and not self.subject.is_aampe:
            body = self._cut(orjson.loads(body))
        after = answer.headers.get("retry-after")
        return Response(answer.status, body, None if after is None else float(after))

    def _cut(self, body: dict[str, object]) -> bytes:
        """Real answers often say less than the documented ones."""
        if self.is_lying:
            names = ["throttled_events"]
            if self.random.random() < 0.5:
                names = [name for name in body if name.endswith(("_users", "_devices"))]
            body = {name: body[name] for name in names}
        return orjson.dumps(body)

    def _store(self, name: str) -> None:
        origin = self.origins[name]
        if name in self.stored:
            assert self.may_repeat[name] > 0, f"{name} came twice for no reason"
            self.may_repeat[name] -= 1
            if not self.subject.dedupes:
                self.repeated.add(origin.key)
            return
        last = self.last.get(origin.key, -1)
        if name in self.replayed or name in self.dead or name in self.lost:
            # It arrived after the client gave up, or it was replayed: it is late, not early.
            self.repeated.add(origin.key)
        else:
            assert last < origin.n, f"{origin.key}: {name} was stored after i{last}"
            self.last[origin.key] = origin.n
        self.stored[name] = None
