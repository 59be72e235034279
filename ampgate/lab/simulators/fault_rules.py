"""A script of faults: which requests, when, and what happens to them.

`POST /_faults` replaces the script; times are seconds since then; `{"rules": []}` ends it:

    {"seed": 1, "rules": [
      {"match": {"path": "/batch"}, "from_seconds": 5, "for_seconds": 20, "probability": 0.3,
       "effect": {"kind": "answer", "status": 503, "headers": {"retry-after": "2"}}},
      {"match": {"id": "u-1"}, "times": 1, "effect": {"kind": "throttle"}}]}

A rule matches when every given part does, all in one record where they speak of one. Rules are
asked in order; conditions and delays add up, and the first answer or reset ends the search.
"""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

RULES_MAX = 1000


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
    """A load balancer's page (amplitude.md#hosts)."""

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


class Reject(_Strict):
    """Every record that matches is refused for good, as the destination does; no other is.

    `/batch` names them, with the `field`; Aampe answers 422; the forms name nobody.
    """

    kind: Literal["reject"]
    field: str = "event_properties"


class MaxBodyBytes(_Strict):
    kind: Literal["max_body_bytes"]
    bytes: int = Field(ge=1)


class Drop(_Strict):
    """Amplitude accepts what matches, and then none of its read APIs shows it."""

    kind: Literal["drop"]


class Double(_Strict):
    """What matches is stored twice: `"times": 100` doubles so many records."""

    kind: Literal["double"]


class Late(_Strict):
    """Amplitude's Export shows what matches so many hours later than it came."""

    kind: Literal["late"]
    hours: int = Field(default=1, ge=1, le=24)


class Cut(_Strict):
    """So many bytes are missing at the end of a success's body, and nothing says so."""

    kind: Literal["cut"]
    bytes: int = Field(default=100, ge=1)


class Expire(_Strict):
    """What a request refers to is not known any more: its cursor, its job, or its signed link."""

    kind: Literal["expire"]


class Move(_Strict):
    """A page begins so many objects after its cursor, or before it: some are missed or repeated."""

    kind: Literal["move"]
    by: int = Field(default=1, ge=-100, le=100)


# Of what is accepted while the rule holds: they match records, and `times` counts these.
AfterAcceptance = Drop | Double | Late
Effect = Annotated[
    AnswerWith
    | Html
    | Empty
    | Delay
    | Reset
    | HoldIds
    | Silence
    | Reject
    | MaxBodyBytes
    | Drop
    | Double
    | Late
    | Cut
    | Expire
    | Move,
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
        is_told = names_nobody or isinstance(self.effect, Reject)
        return is_told or self.match.reads_records


class Faults(_Strict):
    seed: int = 0
    rules: list[Rule] = Field(default_factory=list, max_length=RULES_MAX)
