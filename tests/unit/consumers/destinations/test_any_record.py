"""No bytes of a record make anything of a destination raise, or make a request that is not JSON."""

import gzip
from urllib.parse import parse_qs

import orjson
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pydantic import SecretStr

from consumers.delivery import border
from consumers.delivery.destination import Destination, Encoded, Request
from consumers.delivery.outcomes import Reject, Skip
from consumers.destinations import destinations_of
from schemas.vendors.aampe import AampeDestination
from schemas.vendors.amplitude import AmplitudeDestination
from tests.simulation.log import Kept

KEY = SecretStr("key")
FILTER = {"sources": ("shop",), "where": {"user_properties.plan": ("pro",), "n": (1,)}}
CONFIGS: list[AmplitudeDestination | AampeDestination] = [
    AmplitudeDestination(type="amplitude", name="a", api_key=KEY, gzip=False),
    AmplitudeDestination(type="amplitude", name="b", api_key=KEY, user_properties_via="batch"),
    AampeDestination(type="aampe", name="c", api_key=KEY, region="us-east1"),
    AampeDestination(
        type="aampe", name="d", api_key=KEY, region="us-east1", metadata_fields=("platform", "time")
    ),
    AampeDestination.model_validate(
        {"type": "aampe", "name": "e", "api_key": KEY, "region": "us-east1", **FILTER}
    ),
]
DESTINATIONS: list[Destination] = [
    one for each in CONFIGS for one in destinations_of(each, CONFIGS)
]
PIECES = [
    *(b'"u"', b'"\\ud800"', b'"\xff"', b"1e999", b"-1e999", b"NaN", b"9" * 400, b"null", b"true"),
    *(b"{}", b"[]", b'{"$set":{"a":1e999}}', b'{"$set":1}', b'{"$add":{"n":"1"}}', b'""', b"0.5"),
    *(b'{"a":' * 60 + b"1" + b"}" * 60, b'"' + b"x" * 2000 + b'"', b'{"$append":{"l":[1e999]}}'),
    *(b"123", b'"2025-11-21T10:00:00z"', b'{"\\u0000":1}', b'{"plan":"pro"}', b"1"),
]
FIELDS = [
    *("user_id", "device_id", "event_type", "time", "insert_id", "timezone", "platform", "n"),
    *("user_properties", "event_properties", "group_type", "group_value", "group_properties"),
]
members = st.lists(
    st.tuples(st.sampled_from(FIELDS).map(str.encode), st.sampled_from(PIECES)), max_size=7
)
objects = members.map(
    lambda found: b"{" + b",".join(b'"%b":%b' % member for member in found) + b"}"
)
usable = members.map(
    lambda found: (
        b'{"user_id":"u","event_type":"e","group_type":"g","group_value":"v",'
        + b",".join([b'"x":1', *(b'"%b":%b' % one for one in found if one[0] != b"user_id")])
        + b"}"
    )
)
values = st.none() | st.binary(max_size=60) | objects | usable
keys = st.none() | st.sampled_from([b"u", b"g:v", b"\xff", b""])
headers = st.sampled_from([(), (("source", None),), (("source", b"shop"),), (("source", b"\xff"),)])


@settings(max_examples=300, deadline=None)
@given(values, keys, headers, st.sampled_from([-1, 0, 1_763_715_600_000, 2**63 - 1]))
@example(b'{"event_type":"x","user_id":"u","timezone":1e999}', None, (), 0)
def test_any_record_is_encoded_rejected_or_skipped_and_what_is_encoded_can_be_sent(
    value: bytes | None, key: bytes | None, found: tuple[tuple[str, bytes | None]], timestamp: int
) -> None:
    record = Kept("events", 0, 3, key, value, None, timestamp, found)
    for destination in DESTINATIONS:
        encoded = border.encode(destination, record)
        if not isinstance(encoded, Encoded):
            assert isinstance(encoded, Reject | Skip)
            continue
        if destination.merge is not None:
            border.merged(destination.merge, encoded, encoded)
        request = border.request(destination, [encoded])
        assert isinstance(request, Request)
        assert _is_json(request), "no parser of the destination's would take it"


def _is_json(request: Request) -> bool:
    body = request.body
    if request.headers.get("content-encoding") == "gzip":
        body = gzip.decompress(body)
    if request.headers["content-type"] == "application/x-www-form-urlencoded":
        body = parse_qs(body.decode())["identification"][0].encode()
    try:
        orjson.loads(body)
    except orjson.JSONDecodeError:
        return False
    return True
