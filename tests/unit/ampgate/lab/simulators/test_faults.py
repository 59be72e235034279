"""A script of faults decides alike each time, and only where its rules match."""

from collections.abc import Mapping

import pytest
from pydantic import ValidationError

from ampgate.lab.simulators.aampe import Aampe
from ampgate.lab.simulators.amplitude import Amplitude
from ampgate.lab.simulators.fault_rules import Faults
from ampgate.lab.simulators.model import Answer, Request
from ampgate.lab.simulators.simulator import Reaction, Simulator
from tests.unit.ampgate.lab.simulators.requests import event, identify, parsed, upload

ONE = upload([event(0), event(1, event_properties={"sku": "a"})])


def simulator(*rules: Mapping[str, object], seed: int = 0) -> Simulator:
    simulator = Simulator(Amplitude())
    simulator.set_faults(Faults.model_validate({"seed": seed, "rules": rules}), now=100.0)
    return simulator


def status(reaction: Reaction) -> int | str:
    return reaction.answer.status if isinstance(reaction.answer, Answer) else reaction.answer


DOWN = {"effect": {"kind": "answer", "status": 503}}


@pytest.mark.parametrize(
    ("effect", "expected"),
    [
        ({"kind": "answer", "status": 503, "body": "no"}, (503, b"no")),
        ({"kind": "answer", "status": 403, "body": {"code": 403}}, (403, b'{"code":403}')),
        ({"kind": "answer", "status": 500}, (500, b"")),
        ({"kind": "empty", "status": 200}, (200, b"")),
        ({"kind": "html"}, (502, b"<html><body><center><h1>502</h1></center></body></html>")),
    ],
)
def test_an_answer_stands_in_for_the_destinations(
    effect: dict[str, object], expected: tuple[int, bytes]
) -> None:
    faulty = simulator({"effect": effect})
    answer = faulty.respond(ONE, 100.0).answer

    assert isinstance(answer, Answer)
    assert expected == (answer.status, answer.body)
    assert faulty.model.received == []


def test_an_answer_carries_its_headers() -> None:
    effect = {"kind": "answer", "status": 503, "headers": {"retry-after": "2"}}
    answer = simulator({"effect": effect}).respond(ONE, 100.0).answer

    assert isinstance(answer, Answer)
    assert answer.headers["retry-after"] == "2"


def test_a_reset_before_stores_nothing_and_one_after_loses_only_the_answer() -> None:
    before = simulator({"effect": {"kind": "reset"}})
    after = simulator({"effect": {"kind": "reset", "when": "after"}})

    assert [s.respond(ONE, 100.0).answer for s in (before, after)] == ["reset", "reset"]
    assert [len(s.model.received) for s in (before, after)] == [0, 2]


def test_a_delay_is_added_to_the_answer() -> None:
    faulty = simulator(
        {"effect": {"kind": "delay", "seconds": 2}}, {"effect": {"kind": "delay", "seconds": 3}}
    )

    assert faulty.respond(ONE, 100.0).delay_seconds == 5.0
    assert len(faulty.model.received) == 2


@pytest.mark.parametrize(
    ("match", "request_", "is_hit"),
    [
        ({}, ONE, True),
        ({"path": "/batch"}, ONE, True),
        ({"path": "/2/httpapi"}, ONE, False),
        ({"id": "user-1"}, ONE, True),
        ({"id": "device-0"}, ONE, True),
        ({"id": "user-9"}, ONE, False),
        ({"event_type": "bought"}, ONE, True),
        ({"event_properties": {"sku": "a"}}, ONE, True),
        ({"id": "user-0", "event_properties": {"sku": "a"}}, ONE, False),
        ({"id": "user-1"}, identify({"user_id": "user-1"}), True),
        ({"id": "user-1"}, Request("POST", "/batch", body=b"{"), False),
        ({"id": "user-1"}, Request("POST", "/nowhere", body=b"{"), False),
    ],
)
def test_a_rule_matches_when_one_record_has_it_all(
    match: dict[str, object], request_: Request, is_hit: bool
) -> None:
    reaction = simulator({"match": match, **DOWN}).respond(request_, 100.0)

    assert is_hit == (status(reaction) == 503)


def test_a_rule_has_its_time_and_its_number() -> None:
    timed = simulator({"from_seconds": 5, "for_seconds": 10, **DOWN})
    counted = simulator({"times": 2, **DOWN})

    assert [status(timed.respond(ONE, t)) for t in (104, 105, 114, 115)] == [200, 503, 503, 200]
    assert [status(counted.respond(ONE, 100.0)) for _ in range(3)] == [503, 503, 200]


def test_odds_are_the_seeds() -> None:
    rule = {"probability": 0.5, **DOWN}
    runs = [
        [status(simulator.respond(ONE, 100.0)) for _ in range(50)]
        for simulator in (simulator(rule, seed=1), simulator(rule, seed=1), simulator(rule, seed=2))
    ]

    assert runs[0] == runs[1] != runs[2]
    assert {200, 503} == set(runs[0])


@pytest.mark.parametrize(
    ("kind", "member"),
    [("throttle", "throttled_users"), ("daily_quota", "exceeded_daily_quota_users")],
)
def test_a_held_user_is_named_and_free_after_its_time(kind: str, member: str) -> None:
    rule = {"match": {"id": "user-1"}, "times": 1, "effect": {"kind": kind, "seconds": 5}}
    faulty = simulator(rule)
    answer = faulty.respond(ONE, 100.0).answer

    assert isinstance(answer, Answer)
    assert list(parsed(answer)[member]) == ["user-1"]  # type: ignore[call-overload]
    assert parsed(answer)["throttled_events"] == [1]
    assert [status(faulty.respond(ONE, t)) for t in (100.1, 105.0)] == [429, 200]


def test_a_device_can_be_silenced_and_a_body_too_large() -> None:
    silenced = simulator({"effect": {"kind": "silence", "ids": ["device-1"]}})
    small = simulator({"effect": {"kind": "max_body_bytes", "bytes": 10}})

    assert [status(s.respond(ONE, 100.0)) for s in (silenced, small)] == [400, 413]
    assert small.model.violations.total == 0, "nobody could know of this limit"


def test_without_an_id_the_first_record_that_matches_is_meant() -> None:
    answer = simulator({"effect": {"kind": "throttle"}}).respond(ONE, 100.0).answer

    assert isinstance(answer, Answer)
    assert parsed(answer)["throttled_users"] == {"user-0": 1001}


def test_all_that_match_are_rejected_and_no_neighbour() -> None:
    events = [event(n, event_type="Bad" if n in (1, 3) else "Good") for n in range(4)]
    rule = {"match": {"event_type": "Bad"}, "effect": {"kind": "reject", "field": "time"}}
    faulty = simulator(rule)
    answer = faulty.respond(upload(events), 100.0).answer

    assert isinstance(answer, Answer)
    assert (answer.status, parsed(answer)["events_with_invalid_fields"]) == (400, {"time": [1, 3]})
    assert status(faulty.respond(upload([events[0], events[2]]), 100.0)) == 200
    assert [status(faulty.respond(upload([one]), 100.0)) for one in events] == [200, 400, 200, 400]


def test_a_rejected_identification_is_refused_without_a_name_and_an_aampe_event_with_422() -> None:
    rule: dict[str, object] = {"match": {"id": "user-1"}, "effect": {"kind": "reject"}}
    answer = simulator(rule).respond(identify([{"user_id": "user-1"}]), 100.0).answer
    aampe = Simulator(Aampe())
    aampe.set_faults(Faults.model_validate({"rules": [rule]}), now=100.0)
    body = b'{"contact_id":"user-1","event_name":"e","timestamp":1}'
    request = Request("POST", "/v1/events", headers={"authorization": "Bearer k"}, body=body)

    assert isinstance(answer, Answer)
    assert (answer.status, answer.body) == (400, b"invalid_event_field")
    assert status(aampe.respond(request, 100.0)) == 422
    assert aampe.model.received == []


def test_requests_and_faults_are_counted() -> None:
    faulty = simulator({"times": 1, **DOWN})
    for _ in range(2):
        faulty.respond(ONE, 100.0)
    stats = faulty.stats()

    assert stats["requests"] == {"/batch": {"503": 1, "200": 1}}
    assert (stats["faults_applied"], stats["accepted"]) == (1, 2)


def test_a_new_script_replaces_the_old_and_an_empty_one_ends_it() -> None:
    faulty = simulator(DOWN)
    faulty.set_faults(Faults(), now=100.0)

    assert status(faulty.respond(ONE, 100.0)) == 200


@pytest.mark.parametrize(
    "rule",
    [
        {},
        {"effect": {"kind": "explode"}},
        {"effect": {"kind": "answer", "status": 99}},
        {"effect": {"kind": "empty"}, "probability": 2},
        {"effect": {"kind": "empty"}, "when": "now"},
    ],
)
def test_a_rule_that_means_nothing_is_refused(rule: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Faults.model_validate({"rules": [rule]})


def test_an_effect_of_another_destination_is_refused() -> None:
    faults = Faults.model_validate({"rules": [{"effect": {"kind": "silence"}}]})

    with pytest.raises(ValueError, match=r"rules\.0\.effect: aampe has no 'silence'"):
        Simulator(Aampe()).set_faults(faults, now=0.0)
