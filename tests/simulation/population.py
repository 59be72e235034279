"""Who writes into the log of a world: most records are valid, some invalid in each known way."""

from dataclasses import dataclass
from random import Random

import orjson

from schemas.records import TopicPartition
from tests.simulation.far_end import Origin
from tests.simulation.log import TOPIC, Kept, Log
from tests.simulation.subjects import Subject

HUGE_BYTES = 12_000
# What is wrong with a record, and how often; what nobody has stays out of it.
OURS = {"not_json": 3, "tombstone": 2, "wrong_key": 2, "unencodable": 2}
UNSENDABLE = {"unsendable": 2}  # The destination can encode it, and can make no request of it.
AMPLITUDE = {"invalid": 2, "missing": 2, "short": 2, "silenced": 2, "nameless": 2}
OUTCAST = ("cursed", "firewalled")
# What any request may meet, and so the last of many that an outcast was alone in, too.
PASSING = ("connect_timeout", "read_timeout", *map("status_{}".format, (500, 502, 503, 504, 529)))
REASONS = {
    "not_json": ("not_json",),
    "tombstone": ("tombstone",),
    "wrong_key": ("wrong_key",),
    "unencodable": ("unprocessable",),
    "unsendable": ("unprocessable",),
    "invalid": ("invalid_field",),
    "missing": ("missing_field",),
    "short": ("invalid_id_length",),
    "silenced": ("silenced",),
    "nameless": ("rejected",),
    "huge": ("payload_too_large",),
    "firewalled": (
        "not_the_destination",
        *(f"status_{status}" for status in (302, 400, 401, 402, 403, 407, 410, 418, 421, 451)),
        *PASSING,
    ),
    "cursed": PASSING,
}


@dataclass
class Population:
    subject: Subject
    random: Random
    log: Log
    origins: dict[str, Origin]
    owners: int
    is_huge_refused: bool
    outcast: tuple[int, str] | None  # The one record that fails whatever it is sent with.

    def write(self, n: int) -> None:
        kind = self._kind(n)
        owner = self.random.randrange(self.owners)
        self._append(n, owner, kind)

    def write_good(self, n: int) -> None:
        """Of an owner that has no other."""
        self._append(n, 60 + 3 * n, "good")

    def write_into(self, number: int, n: int) -> None:
        """A good one for this partition, as far as any owner's records come there.

        Named: what the engine fills in for an offset is that of the record that had it before.
        """
        for owner in range(self.owners):
            key, _ = self.subject.members(n, owner, self.random)
            if self.log.partition_of(key) == number:
                self._append(n, owner, "good", is_named=True)
                return

    def expected_reasons(self, kind: str) -> tuple[str, ...]:
        if self.subject.is_form and kind in AMPLITUDE:
            return ("rejected",)
        if self.subject.is_aampe and kind in AMPLITUDE:
            return ("invalid_field",) if kind == "invalid" else ("rejected",)
        return REASONS[kind]

    def _kind(self, n: int) -> str:
        if self.outcast and n == self.outcast[0]:
            return self.outcast[1]
        bad = OURS | AMPLITUDE | UNSENDABLE | ({"huge": 3} if self.is_huge_refused else {})
        kinds = ["good", *bad]
        return self.random.choices(kinds, [980, *bad.values()])[0]

    def _append(self, n: int, owner: int, kind: str, *, is_named: bool = False) -> None:
        random = self.random
        key, members = self.subject.members(n, owner, random)
        if self.subject.is_aampe and "user_id" not in members and kind not in OURS:
            kind = "skipped"  # Aampe knows no devices.
        partition = self.log.partition_of(key)
        end = self.log[TopicPartition(TOPIC, partition)].end
        offset = end + random.choice([0, 0, 1])  # Gaps, as transactions leave them.
        name = f"i{n}"
        if is_named or self.subject.is_form or random.random() < 0.9:
            members["insert_id"] = name
        else:
            name = f"{TOPIC}/{partition}/{offset}"  # As the engine will fill it in.
        if kind == "huge":
            for field in ("user_properties", "group_properties", "event_properties"):
                if field in members or field == "event_properties":
                    known = members.get(field) or {}
                    assert isinstance(known, dict)
                    members[field] = {**known, "$set": {"x": "x" * HUGE_BYTES}}
                    break
        if kind in ("unencodable", "unsendable"):
            members["poison"] = "encode" if kind == "unencodable" else "request"
        value: bytes | None = orjson.dumps(members)
        if kind == "not_json":
            value = b'{"user_id":'
        elif kind == "tombstone":
            value = None
        wire_key: bytes | None = b"another" if kind == "wrong_key" else key.encode()
        if kind == "good" and random.random() < 0.05:
            wire_key = None  # The producer set no key.
        changes = members.get("user_properties") or members.get("group_properties") or {}
        assert isinstance(changes, dict)
        self.origins[name] = Origin(n, key, kind, partition, offset, value, changes)
        kept = Kept(TOPIC, partition, offset, wire_key, value, name, timestamp=1 + n)
        self.log.write(name, kept)
