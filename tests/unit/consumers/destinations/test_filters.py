"""Which destination gets a record: by `sources` and by `where`."""

import json
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from consumers.delivery.destination import Encoded, EncodesMany
from consumers.delivery.outcomes import Reject, Skip
from consumers.destinations import destinations_of
from consumers.destinations.filters import Filter
from schemas.vendors.aampe import AampeDestination
from tests.simulation.log import Kept

Where = Mapping[str, tuple[str | int | float | bool, ...]]


def region(name: str, where: Where, sources: tuple[str, ...] | None = None) -> AampeDestination:
    key = SecretStr("k")
    return AampeDestination(
        type="aampe", name=name, api_key=key, region="us-east1", where=where, sources=sources
    )


def matches(where: Where, value: object) -> bool:
    return Filter(region("a", where)).matches(json.dumps(value).encode())


@pytest.mark.parametrize(
    ("where", "value", "is_match"),
    [
        ({"country": ("DE", "FR")}, {"country": "FR"}, True),
        ({"country": ("DE", "FR")}, {"country": "fr"}, False),
        ({"country": ("DE",)}, {}, False),
        ({"country": ("DE",)}, {"country": None}, False),
        ({"country": ("DE",)}, {"country": ["DE"]}, False),
        ({"country": ("DE",)}, {"event_properties": {"country": "DE"}}, False),
        ({"country": ("DE",), "platform": ("Web",)}, {"country": "DE", "platform": "Web"}, True),
        ({"country": ("DE",), "platform": ("Web",)}, {"country": "DE", "platform": "iOS"}, False),
        ({"event_properties.a b": ("x",)}, {"event_properties": {"a b": "x"}}, True),
        ({"event_properties.a": ("x",)}, {"event_properties": {"$set": {"a": "x"}}}, False),
        ({"event_properties.a": ("x",)}, {"event_properties": None}, False),
        ({"user_properties.a": ("x",)}, {"user_properties": {"a": "x"}}, True),
        ({"user_properties.a": ("x",)}, {"user_properties": {"$set": {"a": "x"}}}, True),
        ({"user_properties.a": ("x",)}, {"user_properties": {"a": "y", "$set": {"a": "x"}}}, False),
        ({"user_properties.a": ("x",)}, {"user_properties": {"a": "x", "$set": 5}}, True),
        ({"user_properties.a": ("x",)}, {"user_properties": {"$set": 5}}, False),
        ({"user_properties.a": ("x",)}, {"user_properties": {"$setOnce": {"a": "x"}}}, False),
        ({"n": (1,)}, {"n": 1.0}, True),
        ({"n": (1,)}, {"n": True}, False),
        ({"n": (True,)}, {"n": 1}, False),
        ({"n": (True,)}, {"n": True}, True),
        ({"n": (1,)}, {"n": "1"}, False),
        ({"n": ("1",)}, {"n": 1}, False),
        ({"n": ()}, {"n": 1}, False),
        ({}, {"anything": 1}, True),
    ],
)
def test_all_conditions_must_hold_each_by_one_of_its_values(
    where: Where, value: object, is_match: bool
) -> None:
    assert matches(where, value) is is_match


SCALAR = st.none() | st.booleans() | st.integers(-3, 3) | st.sampled_from(["a", "b", "$set"])
NAME = st.sampled_from(["a", "b", "$set", "user_properties", "event_properties"])
PATH = st.builds(
    lambda parent, name: parent + name, st.sampled_from(["", "event_properties."]), NAME
)
VALUE = st.dictionaries(NAME, SCALAR | st.dictionaries(NAME, SCALAR))


@given(st.dictionaries(PATH, st.lists(SCALAR.filter(lambda v: v is not None)).map(tuple)), VALUE)
def test_a_filter_agrees_with_reading_everything(where: Where, value: dict[str, object]) -> None:
    def is_held(path: str, wanted: tuple[object, ...]) -> bool:
        found: object = value
        for name in path.split("."):
            found = found.get(name) if isinstance(found, dict) else None
        same = [one for one in wanted if one == found]
        return any(isinstance(one, bool) == isinstance(found, bool) for one in same)

    assert matches(where, value) == all(is_held(path, where[path]) for path in where)


@given(st.binary())
def test_what_cannot_be_read_matches_nothing(value: bytes) -> None:
    assert not Filter(region("a", {"event_properties.a": ("x",)})).matches(value)


EUROPE = region("eu", {"country": ("DE", "FR")})
AMERICA = region("us", {"country": ("US",)}, sources=("web",))
ASIA = region("asia", {"country": ("SG",)})
ALL = (EUROPE, AMERICA, ASIA)


def outcome(config: AampeDestination, source: str, value: bytes) -> str:
    events, _ = destinations_of(config, ALL)
    record = Kept("events", 0, 5, None, value, "", headers=(("source", source.encode()),))
    match events.encode(record):
        case Encoded():
            return "sent"
        case Skip(reason) | Reject(reason):
            return reason


@pytest.mark.parametrize(
    ("source", "country", "outcomes"),
    [
        ("web", "FR", ("sent", "other_region", "other_region")),
        ("web", "US", ("other_region", "sent", "other_region")),
        ("app", "US", ("no_region", "other_source", "no_region")),
        ("web", "BR", ("no_region", "no_region", "no_region")),
    ],
)
def test_a_record_goes_to_its_region_and_the_others_say_why_not(
    source: str, country: str, outcomes: tuple[str, ...]
) -> None:
    value = b'{"event_type":"e","user_id":"u","country":"%b"}' % country.encode()
    assert tuple(outcome(config, source, value) for config in ALL) == outcomes


def test_what_nobody_can_use_is_dead_whatever_its_values() -> None:
    unusable = b'{"event_type":"e","country":"BR"}'
    found = [outcome(config, "web", unusable) for config in ALL]
    assert found == ["missing_id"] * 3
    assert outcome(AMERICA, "app", unusable) == "other_source"


@pytest.mark.parametrize(
    ("header", "is_skipped"),
    [
        *((b"aampe", True), (b"amplitude, Aampe", True), (b"all", True), (b"all,-aampe", False)),
        *((b"amplitude", False), (b"", False), (None, False), (b"\xff", False), (b"-aampe", False)),
    ],
)
def test_a_record_whose_sender_opted_out_is_skipped(header: bytes | None, is_skipped: bool) -> None:
    events, _ = destinations_of(region("a", {}))
    value = b'{"event_type":"e","user_id":"u"}'
    record = Kept("ampgate.events", 0, 0, b"u", value, None, headers=[("opted_out", header)])

    assert (events.encode(record) == Skip("opted_out")) == is_skipped


RECORDS = st.lists(
    st.tuples(
        st.sampled_from(["web", "app", "shop"]),
        st.sampled_from([b"FR", b"US", b"BR"]),
        st.sampled_from([b'"user_id":"user"', b'"user_id":1', b'"x":2']),
        st.sampled_from([None, b"aampe", b"-aampe"]),
    ),
    max_size=8,
)


@given(RECORDS, st.sampled_from(ALL))
def test_records_are_filtered_together_as_each_alone(
    records: list[tuple[str, bytes, bytes, bytes | None]], config: AampeDestination
) -> None:
    events, _ = destinations_of(config, ALL)
    assert isinstance(events, EncodesMany)
    read = []
    for offset, (source, country, identity, opted) in enumerate(records):
        value = b'{"event_type":"e","country":"%b",%b}' % (country, identity)
        headers: list[tuple[str, bytes | None]] = [("source", source.encode())]
        if opted is not None:
            headers.append(("opted_out", opted))
        read.append(Kept("events", 0, offset, None, value, "", headers=tuple(headers)))

    assert list(events.encode_all(read)) == [events.encode(record) for record in read]
