"""A record that is nested deeper than any parser reads is rejected alone, whatever its protocol."""

import re
from urllib.parse import quote

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gateway.dialects import ENDPOINTS
from gateway.dialects.arrays import elements
from gateway.dialects.nesting import LEVELS_READ, Shallow
from gateway.dialects.shapes import RECORDS_MAX
from tests.unit.gateway.calls import Reply, basic, bearer, call

DEPTHS = (LEVELS_READ - 1, LEVELS_READ, LEVELS_READ + 1, 950, 1_000, 5_000, 500_000)
EVENT = b'{"event_type":"a","user_id":"user-1","event_properties":{"x":%b,"y":"]}[{"}}'
UPDATE = b'{"user_id":"user-1","user_properties":{"x":%b}}'
CALL = b'{"type":"track","event":"a","userId":"user-1","properties":{"x":%b}}'
HOOK = b'{"is_reply":true,"lead":{"email":"a@b.c"},"x":%b}'
GOOD = b'"good"'
NATIVE = ENDPOINTS["/v1/events"]


def deep(levels: int) -> bytes:
    inner = min(levels, 5_000) // 2
    outer = levels - 2 * inner
    return b"[" * outer + b'{"":[' * inner + b'"\\"]"' + b"]}" * inner + b"]" * outer


def refused_alone(reply: Reply, value: bytes, good: int) -> None:
    assert reply.reasons == ["too_deep"]
    assert [one.value for one in reply.batch.rejected] == [value]
    assert len(reply.values) == good


@pytest.mark.parametrize("levels", DEPTHS)
def test_a_record_of_any_depth_is_rejected_alone(levels: int) -> None:
    bad, good = EVENT % deep(levels), EVENT % GOOD
    for body in (b"[%b,%b]" % (good, bad), b'{"events":[%b, %b]}' % (good, bad)):
        refused_alone(call("/v1/events", body, bearer("k")), bad, good=1)
    refused_alone(call("/v1/events", bad, bearer("k")), bad, good=0)
    bad, good = UPDATE % deep(levels), UPDATE % GOOD
    body = b'{"updates":[%b,%b,%b]}' % (bad, good, good)
    refused_alone(call("/v1/user-properties", body, bearer("k")), bad, good=2)


@pytest.mark.parametrize("levels", DEPTHS)
def test_amplitude_names_the_event_so_that_its_sdks_do_not_send_it_again(levels: int) -> None:
    body = b'{"api_key":"k","events":[%b,%b],"options":{}}' % (EVENT % GOOD, EVENT % deep(levels))
    for text in (body, body.replace(b'"api_key":"k",', b"").replace(b"{}}", b'{},"api_key":"k"}')):
        reply = call("/2/httpapi", text)
        assert (reply.status, reply.values) == (400, [])
        assert reply.json["events_with_invalid_fields"] == {"event": [1]}
    form = b"[%b,%b]" % (UPDATE % GOOD, UPDATE % deep(levels))
    reply = call("/identify", b"api_key=k&identification=" + quote(form).encode())
    assert (reply.status, reply.answer.body) == (400, b"invalid_event_field: 1 too_deep ")


@pytest.mark.parametrize("levels", DEPTHS)
def test_protocols_that_answer_with_success_keep_it_as_a_dead_letter(levels: int) -> None:
    bad, good = CALL % deep(levels), CALL % GOOD
    keyed = bad[:-1] + b',"writeKey":"k"}'
    refused_alone(call("/segment/v1/batch", b'{"batch":[%b,%b]}' % (keyed, good)), keyed, good=1)
    refused_alone(call("/segment/v1/track", bad, basic("k")), bad, good=0)
    shared = b'{"batch":[%b],"context":{"x":%b}}' % (good, deep(levels))
    refused_alone(call("/segment/v1/batch", shared, basic("k")), good, good=0)
    hook = HOOK % deep(levels)
    refused_alone(call("/webhooks/amplemarket/k", hook), hook, good=0)
    bad, good = EVENT % deep(levels), EVENT % GOOD
    upload = b"client=k&e=" + quote(b"[%b,%b]" % (bad, good)).encode()
    refused_alone(call("/", upload), bad, good=1)


@pytest.mark.parametrize("levels", DEPTHS)
def test_aampe_is_told_what_is_wrong(levels: int) -> None:
    event = b'{"event_name":"e","contact_id":"u","timestamp":1,"metadata":%b}' % deep(levels)
    reply = call("/aampe/v1/events", event, bearer("k"))
    assert reply.status == 422
    assert reply.json["detail"][0]["type"] == "too_deep"


@pytest.mark.parametrize(
    ("path", "said"), [("/segment/v1/batch", "message"), ("/aampe/v1/events", "detail")]
)
def test_what_is_never_closed_is_refused_in_the_protocols_own_shape(path: str, said: str) -> None:
    headers = basic("k") if "segment" in path else bearer("k")
    reply = call(path, b'{"batch":' + b"[" * 100_000, headers)
    assert reply.status == 400
    assert said in reply.json


def test_countless_brackets_are_not_looked_at() -> None:
    deepest = b"[" * 2_000 + b"]" * 2_000
    reply = call("/v1/events", b"[%b,%b]" % (deepest, b"[1]," * 200_000 + b"1"), bearer("k"))
    assert reply.status == 400


def test_a_deep_record_does_not_hide_how_many_there_are() -> None:
    body = b"[%b%b]" % (EVENT % deep(2_000), b",1" * RECORDS_MAX)
    assert call("/v1/events", body, bearer("k")).status == 413


NESTS = st.recursive(
    st.sampled_from(['"a"', '"]"', '"\\"[{"', "1", '"\\\\"']),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map(lambda some: f"[ {' , '.join(some)}]"),
        st.tuples(st.integers(1, 90), inner).map(lambda one: "[" * one[0] + one[1] + "]" * one[0]),
        inner.map(lambda one: f'{{"{{":{one}}}'),
    ),
    max_leaves=12,
)


@given(st.lists(NESTS, min_size=1, max_size=4))
@example(["[" * 2_000 + "1" + "]" * 2_000, "1", '{"a":' * 1_500 + "[]" + "}" * 1_500])
def test_what_is_taken_out_of_a_text_is_put_back(nests: list[str]) -> None:
    text = f"[{','.join(nests)}]".encode()
    shallow = Shallow(text)

    assert shallow.whole(shallow.text) == text
    assert depth_of(shallow.text) <= LEVELS_READ
    assert elements(text, NATIVE) == [one.strip().encode() for one in nests]


def depth_of(text: bytes) -> int:
    depth = deepest = 0
    for one in re.sub(r'"(?:[^"\\]|\\.)*"', "", text.decode()):
        depth += (one in "[{") - (one in "]}")
        deepest = max(deepest, depth)
    return deepest
