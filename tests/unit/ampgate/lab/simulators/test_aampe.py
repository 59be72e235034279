"""Aampe's ingestion API as aampe.md#events to aampe.md#answers tells of it."""

import gzip

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ampgate.lab.simulators.aampe import Aampe, AampeOptions
from ampgate.lab.simulators.model import Conditions, Request
from tests.unit.ampgate.lab.simulators.requests import aampe, parsed

EVENT = {"contact_id": "u-1", "event_name": "bought", "timestamp": 1767225600.25}
UPDATE = {"contact_id": "u-1", "timestamp": 1767225600, "user_properties": {"plan": "pro"}}


@pytest.mark.parametrize(("body", "path"), [(EVENT, "/v1/events"), (UPDATE, "/v1/properties")])
def test_acceptance_is_202_null(body: dict[str, object], path: str) -> None:
    model = Aampe()
    answer = model.answer(aampe(body, path), 0.0)

    assert (answer.status, answer.body) == (202, b"null")
    assert [(path, orjson.dumps(body))] == model.received


def test_properties_are_those_of_the_contact() -> None:
    model = Aampe()
    model.answer(aampe(UPDATE, "/v1/properties"), 0.0)
    model.answer(aampe({**UPDATE, "user_properties": {"n": 1}}, "/v1/properties"), 1.0)

    assert model.properties({"contact_id": "u-1"}) == {"plan": "pro", "n": 1}


@pytest.mark.parametrize("authorization", ["", "Bearer", "Bearer wrong", "Basic key"])
def test_a_wrong_key_is_401(authorization: str) -> None:
    model = Aampe(AampeOptions(accepted_keys=frozenset({"key"})))
    answer = model.answer(aampe(EVENT, authorization=authorization), 0.0)

    assert (answer.status, parsed(answer)) == (401, {"detail": "Invalid API Key"})


@pytest.mark.parametrize(
    ("request_", "status", "detail"),
    [
        (aampe(EVENT, "/v1/event"), 404, "Not Found"),
        (Request("GET", "/v1/events"), 405, "Method Not Allowed"),
    ],
)
def test_paths_and_methods_are_fastapis(request_: Request, status: int, detail: str) -> None:
    answer = Aampe().answer(request_, 0.0)

    assert (status, {"detail": detail}) == (answer.status, parsed(answer))


@pytest.mark.parametrize(
    ("path", "body", "error"),
    [
        ("/v1/events", {**EVENT, "contact_id": ""}, ("string_too_short", ["body", "contact_id"])),
        ("/v1/events", {**EVENT, "contact_id": 1}, ("string_type", ["body", "contact_id"])),
        ("/v1/events", {**EVENT, "timestamp": "1"}, ("float_type", ["body", "timestamp"])),
        ("/v1/events", {**EVENT, "timestamp": True}, ("float_type", ["body", "timestamp"])),
        ("/v1/events", {**EVENT, "metadata": "{}"}, ("dict_type", ["body", "metadata"])),
        (
            "/v1/properties",
            {**UPDATE, "user_properties": []},
            ("dict_type", ["body", "user_properties"]),
        ),
        ("/v1/properties", EVENT, ("missing", ["body", "user_properties"])),
        ("/v1/events", [EVENT], ("model_attributes_type", ["body"])),
    ],
)
def test_a_bad_record_is_422_as_pydantic_says_it(
    path: str, body: object, error: tuple[str, list[str]]
) -> None:
    model = Aampe()
    answer = model.answer(aampe(body, path), 0.0)
    (detail,) = orjson.loads(answer.body)["detail"]

    assert (422, error) == (answer.status, (detail["type"], detail["loc"]))
    assert model.received == []


def test_a_missing_field_reads_as_documented() -> None:
    answer = Aampe().answer(aampe({"contact_id": "x", "timestamp": 1, "time": 2}), 0.0)

    assert parsed(answer) == {
        "detail": [
            {
                "type": "missing",
                "loc": ["body", "event_name"],
                "msg": "Field required",
                "input": {"contact_id": "x", "timestamp": 1, "time": 2},
            }
        ]
    }


def test_what_is_not_json_is_named_by_position() -> None:
    request = aampe({})
    answer = Aampe().answer(Request("POST", "/v1/events", "", request.headers, b'{"a": }'), 0.0)
    (detail,) = orjson.loads(answer.body)["detail"]

    assert (detail["type"], detail["loc"]) == ("json_invalid", ["body", 6])
    assert detail["ctx"] == {"error": "Expecting value"}


def test_over_the_rate_it_asks_to_wait_and_a_client_that_does_not_is_noted() -> None:
    model = Aampe(AampeOptions(requests_per_second=1, retry_after_seconds=2))
    answers = [model.answer(aampe(EVENT), now) for now in (0.0, 0.1, 0.2, 0.9, 2.1)]

    assert [answer.status for answer in answers] == [202, 429, 429, 429, 202]
    assert answers[1].headers["retry-after"] == "2"
    assert model.violations.total == 1, "only the one at 0.9 s had time to hear"


def test_a_contact_can_be_throttled() -> None:
    answer = Aampe().answer(aampe(EVENT), 0.0, Conditions(throttled={"u-1": 7}))

    assert (answer.status, answer.headers["retry-after"]) == (429, "7")


def test_milliseconds_are_accepted_and_noted() -> None:
    model = Aampe()
    answer = model.answer(aampe({**EVENT, "timestamp": 1767225600123}), 0.0)

    assert (answer.status, model.violations.total) == (202, 1)


def test_a_string_for_metadata_and_gzip_are_violations() -> None:
    model = Aampe()
    packed = gzip.compress(orjson.dumps(EVENT))
    headers = {**aampe(EVENT).headers, "content-encoding": "gzip"}
    statuses = [
        model.answer(aampe({**EVENT, "metadata": "{}"}), 0.0).status,
        model.answer(Request("POST", "/v1/events", "", headers, packed), 0.0).status,
    ]

    assert (statuses, model.violations.total) == ([422, 400], 2)


def test_repetitions_are_received_and_counted() -> None:
    model = Aampe()
    for _ in range(2):
        model.answer(aampe({**EVENT, "event_id": "e-1"}), 0.0)

    assert len(model.received) == 2
    assert (model.stats()["distinct_insert_ids"], model.stats()["duplicates"]) == (1, 1)


@given(st.binary())
def test_no_body_breaks_the_simulator(body: bytes) -> None:
    answer = Aampe().answer(Request("POST", "/v1/events", "", aampe({}).headers, body), 0.0)

    assert answer.status == 422
