"""The plan of `[delivery]`: for records that came through no edge and no pull."""

import json
from pathlib import Path
from typing import Any

import pytest

from consumers.delivery.destination import Encoded, EncodesMany
from consumers.delivery.outcomes import Reject, Skip
from consumers.destinations import destinations_in
from schemas.configuration.config import Config, ConfigError
from schemas.records import Headers
from tests.simulation.log import Kept

PLAN = {
    "events": {"a": {"properties": {"n": {"type": "integer"}, "mail": {}}}},
    "user_properties": {"properties": {"phone": {"x-classifications": ["PII", "SENSITIVE"]}}},
}
KEY = {"type": "amplitude", "name": "us", "api_key": "k"}


def config(tmp_path: Path, mode: str, **keys: object) -> Config:
    (file := tmp_path / "plan.json").write_text(json.dumps(PLAN))
    delivery = {"plan": str(file), "plan_mode": mode}
    return Config.model_validate({"delivery": delivery, "destinations": [{**KEY, **keys}]})


def record(value: dict[str, Any], headers: Headers = ()) -> Kept:
    event = {"event_type": "a", "user_id": "u", "insert_id": "i", "time": 1, **value}
    return Kept("events", 0, 0, None, json.dumps(event).encode(), None, headers=headers)


RECORDS = [
    record({}),
    record({"event_type": "b"}),
    record({"event_type": "b"}, (("source", None),)),
    record({"event_type": "b"}, (("source", b"web"),)),
    record({"event_properties": {"n": "1"}}),
    record({"event_type": "debug"}),
    record({"user_id": None}),
]
WRONG = 'event_properties.n is not of type "integer"'


@pytest.mark.parametrize(("mode", "is_dead"), [("off", False), ("warn", False), ("block", True)])
def test_what_has_no_source_is_held_to_the_plan(tmp_path: Path, mode: str, is_dead: bool) -> None:
    violations = []
    configured = config(tmp_path, mode, events={"deny": ["debug"]})
    (part, *_) = destinations_in(
        configured,
        configured.destinations[0],
        on_violation=lambda record, found: violations.append((record, found.reason)),
    )
    assert isinstance(part, EncodesMany)
    together = list(part.encode_all(RECORDS))
    assert together == [part.encode(one) for one in RECORDS]

    unknown = Reject("not_in_plan", "the plan has no such event_type")
    expected = {1: unknown, 2: unknown, 4: Reject("violates_plan", WRONG)} if is_dead else {}
    for index, found in enumerate(together):
        match index:
            case 5:
                assert found == Skip("not_routed")
            case 6:
                assert isinstance(found, Reject)
                assert found.reason == "missing_id"
            case _:
                assert isinstance(found, Encoded) or found == expected[index]
                assert isinstance(found, Encoded) is (index not in expected)
    reasons = ["not_in_plan", "not_in_plan", "violates_plan"] * 2
    assert [reason for _, reason in violations] == ([] if mode == "off" else reasons)


def test_classified_properties_are_dropped(tmp_path: Path) -> None:
    given = {"user_properties": {"phone": 1, "$set": {"phone": 2, "plan": "pro"}}}
    for classes, left in (
        (["PII"], {"$set": {"plan": "pro"}}),
        (["REVENUE"], given["user_properties"]),
    ):
        configured = config(tmp_path, "off", drop_classified=classes)
        (part, *_) = destinations_in(configured, configured.destinations[0])
        encoded = part.encode(record(given))
        assert isinstance(encoded, Encoded)
        assert json.loads(encoded.body)["user_properties"] == left


def test_without_a_plan_nothing_can_be_classified() -> None:
    configured = Config.model_validate({"destinations": [{**KEY, "drop_classified": ["PII"]}]})
    with pytest.raises(ConfigError, match="drop_classified needs a plan"):
        destinations_in(configured, configured.destinations[0])


def test_a_mode_without_a_plan_is_a_wrong_configuration() -> None:
    with pytest.raises(ValueError, match="plan_mode needs plan"):
        Config.model_validate({"delivery": {"plan_mode": "block"}})
