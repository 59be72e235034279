"""What the foreign dialects store is what Amplitude takes, to the letter of its rules."""

from collections.abc import Mapping

import pytest

from ampgate.lab.simulators.amplitude import Amplitude
from tests.unit.ampgate.lab.simulators.requests import upload
from tests.unit.gateway.calls import Reply, basic, bearer, call
from tests.unit.gateway.dialects.segment_calls import TRACK
from tests.unit.gateway.dialects.test_amplemarket import KINDS

CONTEXT = {
    "device": {"id": "d", "type": "android", "advertisingId": "x"},
    "campaign": {"source": "news"},
    "page": {"referrer": "r"},
    "location": {"latitude": 1.5, "longitude": 2.5},
    "sessionId": 1767225600000,
    "traits": {"plan": "pro"},
}
ORDER = {"revenue": 9.5, "products": [{"product_id": "p"}], "price": 1.5, "quantity": 2.4}
GROUP = {"groupId": "acme", "traits": {"seats": 3}}


def segment(**members: object) -> Reply:
    return call(
        "/segment/v1/batch", {"batch": [TRACK | {"context": CONTEXT} | members]}, basic("k")
    )


REPLIES: Mapping[str, Reply] = {
    "track": segment(),
    "order": segment(event="Order Completed", properties=ORDER),
    "page": segment(type="page", name="Home"),
    "identify": segment(type="identify", traits={"plan": "gold"}),
    "empty identify": segment(type="identify", context={}),
    "group": segment(type="group", **GROUP),
    "anonymous group": segment(type="group", userId=None, anonymousId=None, context={}, **GROUP),
    "aampe": call(
        "/aampe/v1/events",
        {"contact_id": "u", "event_name": "e", "timestamp": 1.5, "timezone": "UTC"},
        bearer("k"),
    ),
    **{kind: call("/webhooks/amplemarket/k", body) for kind, (body, _) in KINDS.items()},
}


@pytest.mark.parametrize("name", REPLIES)
def test_amplitude_takes_what_each_dialect_made(name: str) -> None:
    amplitude = Amplitude()
    values = REPLIES[name].values
    assert values
    answer = amplitude.answer(upload(values, options={"min_id_length": 1}), 0.0)
    assert answer.status == 200, answer.body
    assert amplitude.violations.first == []
