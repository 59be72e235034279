"""The verdict on each of Aampe's answers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ampgate.lab.simulators.aampe import Aampe
from ampgate.lab.simulators.model import Request
from consumers.delivery.destination import Encoded, Response
from consumers.delivery.outcomes import Delivered, Outcome, Pause, Reject, Retry
from tests.unit.consumers.destinations.aampe_records import EVENTS

BATCH = [Encoded(b"{}", "u", "u", None, "/v1/events")]


def refused(status: int) -> Pause:
    return Pause(f"status_{status}", may_be_content=True)


NOT_AAMPE = Pause("not_the_destination", may_be_content=True)


@pytest.mark.parametrize(
    ("status", "body", "rest"),
    [
        (202, b"null", Delivered()),
        (202, b"", Delivered()),
        (200, b'{"success":true}', Delivered()),
        (200, b"<html>Sign in</html>", NOT_AAMPE),
        (202, b"Accepted? <b>", NOT_AAMPE),
        (200, b'{"code":500}', NOT_AAMPE),
        (202, b'{"success":false}', NOT_AAMPE),
        (200, b'{"error":"sign in"}', NOT_AAMPE),
        (202, b'{"id":"7"}', Delivered()),
        (202, b'{"status":true}', Delivered()),
        (202, b'{"code":0}', Delivered()),
        (202, b'{"code":202}', Delivered()),
        (202, b'{"status":false}', NOT_AAMPE),
        (202, b'{"code":1001}', NOT_AAMPE),
        (202, b'{"status":"error"}', NOT_AAMPE),
        (202, b"{", NOT_AAMPE),
        (202, b"\xef\xbb\xbfnull", NOT_AAMPE),
        (200, b"", NOT_AAMPE),
        (200, b"null", NOT_AAMPE),
        (200, b"{}", NOT_AAMPE),
        (200, b"[]", NOT_AAMPE),
        (200, b'"success"', NOT_AAMPE),
        (200, b'{"message":"Please sign in"}', NOT_AAMPE),
        (200, b'{"success":true,"error":"quota"}', NOT_AAMPE),
        (200, b'{"success":1}', NOT_AAMPE),
        (200, b'{"status":"ok"}', Delivered()),
        (201, b"null", NOT_AAMPE),
        (203, b"null", NOT_AAMPE),
        (204, b"", NOT_AAMPE),
        (302, b"", refused(302)),
        (400, b'{"detail":"why"}', Reject("rejected", '{"detail":"why"}')),
        (400, b"<html>", refused(400)),
        (400, b"", refused(400)),
        (401, b'{"detail":"Invalid API Key"}', refused(401)),
        (402, b"{}", refused(402)),
        (404, b"", refused(404)),
        (407, b"", refused(407)),
        (413, b'{"detail":"why"}', Reject("payload_too_large", '{"detail":"why"}')),
        (413, b"<html>", refused(413)),
        (421, b"", refused(421)),
        (422, b'{"detail":"why"}', Reject("invalid_field", '{"detail":"why"}')),
        (422, b"<html>", refused(422)),
        (429, b"", Retry("throttled", 5.0)),
        (529, b"", Retry("status_529", None)),
        (999, b"", Retry("status_999", None)),
    ],
)
def test_an_answer_names_who_is_to_blame(status: int, body: bytes, rest: Outcome) -> None:
    assert EVENTS.verdict(Response(status, body), BATCH).rest == rest


def test_a_413_for_a_large_event_is_about_its_size_whoever_says_it() -> None:
    large = [Encoded(b"x" * 20_000, "u", "u", None, "/v1/events")]
    verdict = EVENTS.verdict(Response(413, b"<html>"), large)
    assert verdict.rest == Reject("payload_too_large", "<html>")


@given(st.integers(100, 999), st.binary(max_size=200))
def test_any_answer_has_a_verdict(status: int, body: bytes) -> None:
    assert not EVENTS.verdict(Response(status, body), BATCH).but


def test_a_refusal_names_the_field() -> None:
    body = b'{"contact_id":"u","event_name":"","metadata":"%b"}' % (b"x" * 2000)
    headers = {"authorization": "Bearer k"}
    answer = Aampe().answer(Request("POST", "/v1/events", "", headers, body), now=0.0)
    (outcome,) = [EVENTS.verdict(Response(answer.status, answer.body), BATCH).rest]
    assert isinstance(outcome, Reject)
    assert outcome.reason == "invalid_field"
    for words in ("body.event_name: String should", "body.timestamp: Field required", "metadata"):
        assert words in outcome.detail
