"""Answers of Amplitude in JSON where a text is usual, and with members that are not documented."""

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from consumers.delivery.destination import Encoded, Response
from consumers.delivery.outcomes import Hold, Id, Pause, Reject, Resend, Retry, Split, Verdict
from consumers.destinations.amplitude.answers import Answer
from consumers.destinations.amplitude.events import AmplitudeEvents
from consumers.destinations.amplitude.forms import AmplitudeGroupIdentify, AmplitudeIdentify
from schemas.vendors.amplitude import AmplitudeDestination

CONFIG = AmplitudeDestination(type="amplitude", name="a", api_key=SecretStr("key"))
EVENTS, IDENTIFY, GROUPS = (
    AmplitudeEvents(CONFIG),
    AmplitudeIdentify(CONFIG),
    AmplitudeGroupIdentify(CONFIG),
)
FORMS = pytest.mark.parametrize("form", [IDENTIFY, GROUPS])
ALL = pytest.mark.parametrize("destination", [EVENTS, IDENTIFY, GROUPS])
BATCH = [Encoded(b"{}", f"u{n}", f"u{n}", f"d{n}") for n in range(3)]
THROTTLED = Hold(30.0, "throttled")


def verdict(
    destination: AmplitudeEvents | AmplitudeIdentify, status: int, **body: object
) -> Verdict:
    return destination.verdict(Response(status, orjson.dumps({"code": status, **body})), BATCH)


@ALL
@pytest.mark.parametrize(
    "body",
    [
        {"error": "Invalid API key: key"},
        {"error": "Invalid API key: key", "missing_field": None},
        {"error": "Request missing required field", "missing_field": "api_key"},
    ],
)
def test_a_refused_key_kills_no_record_whatever_the_answers_form(
    destination: AmplitudeEvents, body: dict[str, object]
) -> None:
    assert verdict(destination, 400, **body).rest == Pause("invalid_api_key")


@FORMS
@pytest.mark.parametrize("error", ["Missing request body", "Invalid request path"])
def test_a_form_that_was_changed_on_its_way_is_no_records_fault(
    form: AmplitudeIdentify, error: str
) -> None:
    assert verdict(form, 400, error=error).rest == Pause("status_400", may_be_content=True)


@FORMS
def test_an_answer_to_a_form_may_name_its_records(form: AmplitudeIdentify) -> None:
    found = verdict(form, 400, error="x", events_with_invalid_fields={"user_properties": [1]})
    assert found.rest == Resend()
    assert isinstance(found.but[1], Reject)
    assert isinstance(verdict(form, 400, error="x").rest, Split)


def test_of_a_form_only_those_wait_whom_the_answer_names() -> None:
    found = verdict(IDENTIFY, 429, error="x", throttled_users={"u1": 41})
    assert (found.rest, found.holds) == (Resend(), {Id("user", "u1"): THROTTLED})
    assert verdict(IDENTIFY, 429, error="x").rest == THROTTLED
    others = verdict(IDENTIFY, 429, error="x", throttled_users={"stranger": 41})
    assert (others.rest, others.holds) == (THROTTLED, {Id("user", "stranger"): THROTTLED})


@ALL
@pytest.mark.parametrize("held", ["throttled_users", "exceeded_daily_quota_devices"])
def test_an_empty_id_in_an_answer_names_no_record(destination: AmplitudeEvents, held: str) -> None:
    nobody = [Encoded(b"{}", "u", "u"), Encoded(b"{}", "d", None, "d"), Encoded(b"{}", "g")]
    answer = Response(429, orjson.dumps({"code": 429, "error": "x", held: {"": 31}}))

    assert isinstance(destination.verdict(answer, nobody).rest, Retry | Hold)


ODD = st.sampled_from([None, [], "x", 7, True, {"a": None}, [None], {"a": "b"}, [[0]]])
MEMBERS = sorted(set(Answer.__struct_fields__) - {"error", "missing_field", "throttled_users"})


@given(st.dictionaries(st.sampled_from(MEMBERS), ODD))
def test_a_member_that_is_not_as_documented_hides_no_other(odd: dict[str, object]) -> None:
    """A server in another language writes a null, or an empty list, where there is nobody."""
    refused = verdict(EVENTS, 400, **{**odd, "error": "Invalid API key: key"})
    assert refused.rest == Pause("invalid_api_key")
    found = verdict(EVENTS, 429, error="x", throttled_users={"u1": 41}, **odd)
    assert found.holds[Id("user", "u1")] == THROTTLED
    assert not isinstance(found.rest, Retry)


@ALL
@pytest.mark.parametrize(
    ("told", "seconds"), [(0.001, 30.0), (29.0, 30.0), (120.0, 120.0), (None, 30.0)]
)
def test_a_throttled_user_waits_for_30_seconds_at_least_whatever_a_proxy_says(
    destination: AmplitudeEvents, told: float | None, seconds: float
) -> None:
    named = Response(429, b'{"code":429,"throttled_users":{"u1":31},"throttled_events":[1]}', told)
    assert destination.verdict(named, BATCH).holds == {Id("user", "u1"): Hold(seconds, "throttled")}
    by_index = Response(429, b'{"code":429,"throttled_events":[1]}', told)
    assert destination.verdict(by_index, BATCH).but == {1: Hold(seconds, "throttled")}
    if destination is not EVENTS:
        text = Response(429, b"too_many_requests", told)
        assert destination.verdict(text, BATCH).rest == Hold(seconds, "throttled")
