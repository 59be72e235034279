"""No bytes of a record make anything of a destination raise, or make a request that is not JSON."""

import gzip
from urllib.parse import parse_qs

import orjson
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import SecretStr

from consumers.delivery import border
from consumers.delivery.destination import Destination, Encoded, Request
from consumers.delivery.outcomes import Reject, Skip
from consumers.destinations import destinations_of
from schemas.vendors.aampe import AampeDestination
from schemas.vendors.amplitude import AmplitudeDestination
from tests.columns import columns_of
from tests.examples import examples
from tests.simulation.log import Kept

KEY = SecretStr("key")
FILTER = {"sources": ("shop",), "where": {"user_properties.plan": ("pro",), "n": (1,)}}
CHANGES = {
    "events": {"deny": ["x*"]},
    "rename": {"e": "renamed"},
    "drop_properties": ["a*", "user_properties.p*"],
    "transform": "tests.unit.consumers.destinations.shaping.functions_of_users:same",
}
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
    AampeDestination.model_validate(
        {"type": "aampe", "name": "f", "api_key": KEY, "region": "us-east1", **CHANGES}
    ),
    AmplitudeDestination.model_validate(
        {"type": "amplitude", "name": "g", "api_key": KEY, "events": {"deny": ["x*"]}}
    ),
    AmplitudeDestination.model_validate(
        {"type": "amplitude", "name": "i", "api_key": KEY, "gzip": False, **FILTER}
    ),
    AmplitudeDestination.model_validate(
        {"type": "amplitude", "name": "h", "api_key": KEY, "gzip": False, **CHANGES, **FILTER}
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

USUAL_EVENTS = [  # And their keys.
    (b'{"user_id":"u","event_type":"e","time":1,"insert_id":"i"}', b"u"),
    (b'{"user_id":"u","event_type":"e","n":1,"user_properties":{"plan":"pro"}}', b"u"),
    (b'{"device_id":"d","event_type":"e","time":null}', None),
    (b'{"user_id":null,"device_id":"d","event_type":"e"}', b"d"),
]


@examples(300)
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


# Bytes that are no records, yet valid JSON when put one after the other with commas between.
halves = st.sampled_from(
    [b'{"a":1},{"b":2', b'"c":3}', b'{"user_id":"u","x":"', b'"}', b"[", b"]", b"{},{}", b""]
)
odd_opt_outs = st.sampled_from([(), (("opted_out", b"all"),), (("a", b""), ("opted_out", b"x"))])


@examples(300)
@given(
    st.lists(st.tuples(values | halves, keys, headers | odd_opt_outs), min_size=2, max_size=8),
    st.integers(0, 60),
)
def test_records_that_come_together_are_encoded_as_each_alone(
    written: list[tuple[bytes | None, bytes | None, tuple[tuple[str, bytes | None]]]], usual: int
) -> None:
    good = (b'{"user_id":"u","event_type":"e","time":1}', b"u", (("source", b"shop"),))
    records = [
        Kept("events", 0, offset, key, value, None, 1, found)
        for offset, (value, key, found) in enumerate([good] * usual + written)
    ]
    for destination in DESTINATIONS:
        together = border.encode_all(destination, records)
        assert list(together) == [border.encode(destination, record) for record in records]


@examples(300)
@given(
    st.lists(st.tuples(values, keys, headers | odd_opt_outs), max_size=4),
    st.lists(st.sampled_from(USUAL_EVENTS), min_size=1, max_size=120),
)
def test_records_that_are_encoded_as_a_run_are_encoded_as_each_alone(
    odd: list[tuple[bytes | None, bytes | None, tuple[tuple[str, bytes | None]]]],
    usual: list[tuple[bytes, bytes | None]],
) -> None:
    written = [*odd, *((value, key, (("source", b"shop"),)) for value, key in usual)]
    records = [
        Kept("events", 0, offset, key, value, None, 1, found)
        for offset, (value, key, found) in enumerate(written)
    ]
    for destination in DESTINATIONS:
        found = border.encode_run(destination, columns_of(records))
        if found is None:
            continue
        alone = [border.encode(destination, record) for record in records]
        assert list(found.run) == [one for one in alone if isinstance(one, Encoded)]
        assert list(found.skips) == [one for one in alone if isinstance(one, Skip)]
        assert len(found.run) + len(found.skips) == len(records)
        sent = [True] * len(records) if found.are_sent is None else list(found.are_sent)
        assert sent == [isinstance(one, Encoded) for one in alone]


def test_usual_events_are_encoded_as_a_run() -> None:
    records = [
        Kept("events", 0, offset, key, value, None, 1, (("source", b"shop"),))
        for offset, (value, key) in enumerate(USUAL_EVENTS)
    ]
    found = [border.encode_run(one, columns_of(records)) for one in DESTINATIONS]
    assert sum(one is not None for one in found) >= 2
    assert any(one is not None and one.skips for one in found)


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
