"""Size, rate, quota, dedupe of `/2/httpapi` and `/batch` (amplitude.md#per-user-limits to
amplitude.md#partial-success).
"""

import gzip

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ampgate.lab.simulators.model import Conditions, Request
from tests.unit.ampgate.lab.simulators.requests import (
    amplitude,
    answered,
    event,
    parsed,
    received,
    upload,
)

PATHS = ["/2/httpapi", "/batch"]


@pytest.mark.parametrize(("path", "limit"), [("/2/httpapi", 1_000_000), ("/batch", 20_000_000)])
def test_a_body_over_the_limit_is_too_large_also_when_compressed(path: str, limit: int) -> None:
    model = amplitude()
    body = upload([event(1, event_properties={"x": "x" * limit})], path).body
    packed = {"content-encoding": "gzip"}
    answers = [
        answered(Request("POST", path, body=body), model),
        answered(Request("POST", path, headers=packed, body=gzip.compress(body, 1)), model),
    ]

    assert [parsed(answer) for answer in answers] == [
        {"code": 413, "error": "Payload too large"}
    ] * 2
    assert model.violations.total == 0, "a lone event cannot be split"


def test_several_events_over_the_limit_are_a_violation() -> None:
    model = amplitude(body_max_bytes={"/2/httpapi": 100, "/batch": 100, "/identify": 100})

    assert answered(upload([event(1), event(2)]), model).status == 413
    assert model.violations.total == 1


def test_two_thousand_events_pass_and_one_more_is_too_many() -> None:
    model = amplitude()

    assert answered(upload([event(n) for n in range(2000)]), model).status == 200
    assert answered(upload([event(n) for n in range(2001)]), model).status == 413
    assert model.violations.first == ["/batch: 2001 events in one request"]


def test_gzip_is_understood_and_nothing_else() -> None:
    model = amplitude()
    body = upload([event(1)]).body

    def status(encoding: str, packed: bytes) -> int:
        headers = {"content-encoding": encoding}
        return answered(Request("POST", "/batch", headers=headers, body=packed), model).status

    assert status("gzip", gzip.compress(body)) == 200
    assert status("gzip", gzip.compress(body)[:-9]) == 400
    assert status("br", body) == 400
    assert model.violations.total == 2


def test_a_silenced_device_is_refused_with_its_events() -> None:
    model = amplitude(silenced=frozenset({"device-1"}))
    answer = answered(upload([event(0), event(1)]), model)

    assert parsed(answer)["error"] == "Events silenced for device_id"
    assert parsed(answer)["silenced_devices"] == ["device-1"]
    assert parsed(answer)["silenced_events"] == [1]
    assert received(model) == []


@pytest.mark.parametrize(("path", "allowed"), [("/2/httpapi", 900), ("/batch", 30_000)])
def test_an_id_over_its_rate_is_throttled_and_free_after_thirty_seconds(
    path: str, allowed: int
) -> None:
    model = amplitude()
    for first in range(0, allowed, 900):
        events = [event(1, insert_id=f"{n}") for n in range(first, min(first + 900, allowed))]
        assert answered(upload(events, path), model, now=100.0).status == 200
    request = upload([event(0), event(1, insert_id="more")], path)
    body = parsed(answered(request, model, now=101.0))

    assert body["eps_threshold"] == allowed // 30
    assert body["throttled_users"] == {"user-1": allowed // 30 + 1}
    assert body["throttled_devices"] == {"device-1": allowed // 30 + 1}
    assert body["throttled_events"] == [1]
    assert ("exceeded_daily_quota_users" in body) == (path == "/batch")
    assert answered(request, model, now=131.0).status == 200
    assert model.violations.total == 0


def test_a_held_id_that_comes_early_is_a_violation() -> None:
    model = amplitude()
    conditions = Conditions(throttled={"user-1": None})

    assert answered(upload([event(1)]), model, 100.0, conditions).status == 429
    assert answered(upload([event(1)]), model, 100.4).status == 429
    assert model.violations.total == 0, "it was under way already"
    assert answered(upload([event(1)]), model, 120.0).status == 429
    assert model.violations.total == 1
    assert answered(upload([event(1)]), model, 130.0).status == 200


def test_a_flagged_user_over_the_daily_quota_waits_for_the_next_hour() -> None:
    model = amplitude(daily_quota=2, flagged=frozenset({"user-1"}))
    three = [event(1, insert_id=f"{n}") for n in range(3)]
    body = parsed(answered(upload(three), model, now=7200.0 - 60))

    assert body["exceeded_daily_quota_users"] == {"user-1": 3}
    assert body["throttled_users"] == {}
    assert body["throttled_events"] == [0, 1, 2]
    assert answered(upload(three[:2]), model, now=7200.0).status == 200
    assert answered(upload(three[2:]), model, now=7200.0 + 23 * 3600).status == 429
    assert answered(upload(three[2:]), model, now=7200.0 + 24 * 3600).status == 200


def test_a_duplicate_is_accepted_in_silence_for_seven_days() -> None:
    model = amplitude()
    for days in (0, 6.9, 7):
        assert parsed(answered(upload([event(1)]), model, days * 86400))["events_ingested"] == 1

    assert len(received(model)) == 2
    assert model.stats()["duplicates"] == 1


@pytest.mark.parametrize(
    ("other", "stored"),
    [
        ({"device_id": "device-2"}, 2),
        ({"user_id": "user-2", "device_id": ...}, 2),
        ({"insert_id": "insert-2"}, 2),
        ({"insert_id": ...}, 2),
        ({"time": 5}, 1),
    ],
)
def test_an_event_is_known_by_device_and_insert_id(other: dict[str, object], stored: int) -> None:
    model = amplitude()
    answered(upload([event(1), event(1, **other)]), model)

    assert len(received(model)) == stored
    assert model.violations.total == 0


def test_an_insert_id_reused_for_another_event_is_a_violation() -> None:
    model = amplitude()
    answered(upload([event(1), event(1, event_properties={"x": 1})]), model)

    assert model.violations.total == 1
    assert received(model) == [event(1)]


@given(
    st.lists(st.sampled_from(["good", "untyped", "blank", "short", "throttled", "silenced"])),
    st.sampled_from(PATHS),
)
def test_a_request_is_stored_whole_or_not_at_all(kinds: list[str], path: str) -> None:
    wrong: dict[str, dict[str, object]] = {
        "good": {},
        "untyped": {"event_type": ...},
        "blank": {"event_type": " "},
        "short": {"user_id": "u", "device_id": ...},
        "throttled": {"user_id": "hot-user"},
        "silenced": {"device_id": "spammer"},
    }
    model = amplitude(silenced=frozenset({"spammer"}))
    events = [event(n, **wrong[kind]) for n, kind in enumerate(kinds)]
    conditions = Conditions(throttled={"hot-user": None})
    answer = answered(upload(events, path), model, conditions=conditions)

    is_good = set(kinds) <= {"good"}
    assert (answer.status == 200) == is_good
    assert received(model) == (events if is_good else [])


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3))))
def test_each_pair_of_ids_is_stored_once(pairs: list[tuple[int, int]]) -> None:
    model = amplitude()
    events = [event(0, device_id=f"device-{d}", insert_id=f"{i}") for d, i in pairs]
    for single in events:
        assert answered(upload([single]), model).status == 200

    assert received(model) == [e for n, e in enumerate(events) if e not in events[:n]]
    assert model.stats()["duplicates"] == len(pairs) - len(set(pairs))
