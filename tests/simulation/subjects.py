"""Each destination: what its records look like, and what its requests carry of them."""

import gzip
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import NamedTuple
from urllib.parse import parse_qs

import orjson
from pydantic import SecretStr

from ampgate.lab.simulators.aampe import Aampe, AampeOptions
from ampgate.lab.simulators.amplitude import Amplitude
from ampgate.lab.simulators.amplitude_project import AmplitudeOptions
from ampgate.lab.simulators.model import Model
from ampgate.lab.simulators.properties import GROUP_OPERATIONS, USER_OPERATIONS
from consumers.delivery.destination import Destination
from consumers.destinations.aampe.events import AampeEvents, AampeProperties
from consumers.destinations.amplitude.events import (
    AmplitudeEvents,
    AmplitudeGroupIdentifyAsEvents,
    AmplitudeIdentifyAsEvents,
)
from consumers.destinations.amplitude.forms import AmplitudeGroupIdentify, AmplitudeIdentify
from schemas.vendors.aampe import AampeDestination
from schemas.vendors.amplitude import AmplitudeDestination

FLIGHT_SECONDS_MAX = 4.0  # Either way.
NAME = "a"


class Wire(NamedTuple):
    """One element of a request: whose it is, and which records it carries, merged or not."""

    names: tuple[str, ...]
    key: str
    user_id: str | None
    device_id: str | None


Carried = Callable[[bytes], Sequence[Wire]]


@dataclass(frozen=True, slots=True)
class Subject:
    kind: str  # The members of a record: event, identification or group.
    make: Callable[[], Destination]
    carried: Carried
    is_form: bool = False
    is_aampe: bool = False

    @property
    def dedupes(self) -> bool:
        return not (self.is_form or self.is_aampe)

    @property
    def operations(self) -> frozenset[str]:
        if self.is_aampe:
            return frozenset({"$set"})
        return GROUP_OPERATIONS if self.kind == "group" else USER_OPERATIONS

    def model(self) -> Model:
        """Strict, but for what was on its way when something was refused."""
        late = 2 * FLIGHT_SECONDS_MAX + 0.5
        if self.is_aampe:
            return Aampe(AampeOptions(in_flight_seconds=late))
        return Amplitude(AmplitudeOptions(in_flight_seconds=late))

    def members(self, n: int, owner: int, random: Random) -> tuple[str, dict[str, object]]:
        """A record of this owner, and its key."""
        ids = _ids(owner, random)
        key = ids.get("user_id") or ids["device_id"]
        if self.kind == "group":
            properties = _changes(n, random, self.operations)
            group = {"group_type": "org", "group_value": f"{owner}"}
            return f"org:{owner}", {**group, "group_properties": properties, "time": n + 1}
        if self.kind == "identification":
            return key, {**ids, "user_properties": self._changes(n, random), "time": n + 1}
        if self.is_aampe and random.random() < 0.2:
            properties = {"$set": {"last": n}}
            return key, {**ids, "event_type": "$identify", "user_properties": properties}
        return key, {**ids, "event_type": "bought", "time": n + 1}

    def _changes(self, n: int, random: Random) -> Mapping[str, object]:
        if self.is_aampe:
            return {"$set": {random.choice(["last", "other"]): n}}
        return _changes(n, random, self.operations)


def _ids(owner: int, random: Random) -> dict[str, str]:
    if owner % 3 == 1:
        return {"user_id": f"user-{owner}", "device_id": f"device-{owner}-{random.randrange(2)}"}
    if owner % 3 == 2:
        return {"device_id": f"device-{owner - 1}-0"}  # Another key, a device in common.
    return {"user_id": f"user-{owner}"}


def _changes(n: int, random: Random, known: frozenset[str]) -> Mapping[str, object]:
    """Some operations on few properties; one of them tells which records were merged."""
    changes: dict[str, dict[str, object]] = {"$append": {"trace": [n]}}
    for name in ("plan", "count", "list"):
        operation = random.choice(_OPERATIONS[name])
        if operation in known and random.random() < 0.5:
            value: object = {"$unset": "-", "$add": n % 7}.get(operation, n)
            changes.setdefault(operation, {})[name] = value
    return changes


_OPERATIONS = {
    "plan": ["$set", "$setOnce", "$unset"],
    "count": ["$add", "$add", "$set"],
    "list": ["$append", "$prepend", "$postInsert", "$preInsert", "$remove"],
}


def _of_batch(body: bytes) -> Sequence[Wire]:
    plain = gzip.decompress(body) if body[:2] == b"\x1f\x8b" else body
    events: list[dict[str, str]] = orjson.loads(plain)["events"]
    return [_wire((event["insert_id"],), event) for event in events]


def _of_form(body: bytes) -> Sequence[Wire]:
    found = []
    for one in orjson.loads(parse_qs(body.decode())["identification"][0]):
        properties = one.get("user_properties") or one["group_properties"]
        trace = properties["$append"]["trace"]
        found.append(_wire(tuple(f"i{n}" for n in trace), one))
    return found


def _of_aampe(body: bytes) -> Sequence[Wire]:
    event: dict[str, str] = orjson.loads(body)
    contact = event["contact_id"]
    return [Wire((event["event_id"],), contact, contact, None)]


def _wire(names: tuple[str, ...], ids: Mapping[str, str]) -> Wire:
    user, device = ids.get("user_id"), ids.get("device_id")
    key = user or device or f"{ids.get('group_type')}:{ids.get('group_value')}"
    return Wire(names, key, user, device)


_KEY = SecretStr("key")
_AMPLITUDE = AmplitudeDestination(type="amplitude", name=NAME, api_key=_KEY)
_AAMPE = AampeDestination(type="aampe", name=NAME, api_key=_KEY, region="us-east1")
SUBJECTS: Mapping[str, Subject] = {
    "events": Subject("event", lambda: AmplitudeEvents(_AMPLITUDE), _of_batch),
    "identify-as-events": Subject(
        "identification", lambda: AmplitudeIdentifyAsEvents(_AMPLITUDE), _of_batch
    ),
    "groups-as-events": Subject(
        "group", lambda: AmplitudeGroupIdentifyAsEvents(_AMPLITUDE), _of_batch
    ),
    "identify": Subject(
        "identification", lambda: AmplitudeIdentify(_AMPLITUDE), _of_form, is_form=True
    ),
    "groupidentify": Subject(
        "group", lambda: AmplitudeGroupIdentify(_AMPLITUDE), _of_form, is_form=True
    ),
    "aampe-events": Subject("event", lambda: AampeEvents(_AAMPE), _of_aampe, is_aampe=True),
    "aampe-properties": Subject(
        "identification", lambda: AampeProperties(_AAMPE), _of_aampe, is_aampe=True
    ),
}
