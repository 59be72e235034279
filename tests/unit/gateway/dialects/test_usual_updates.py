"""Updates that are made to records together become the same records as one by one."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.dialects.amplitude_forms import Form
from gateway.dialects.amplitude_http import short_ids
from gateway.dialects.native import Native
from gateway.dialects.records import read_facts, record_of
from gateway.dialects.shapes import Context, Opened
from gateway.dialects.usual_updates import are_usual_updates
from schemas.records import NewRecord
from schemas.strictness import Defect
from schemas.topics import Kind
from tests.unit.gateway.dialects.test_usual_events import CONTEXTS, contexts, with_no_random_id

USER: dict[str, Any] = {"user_id": "user-of-10", "user_properties": {"plan": "premium"}}
GROUP = {"group_type": "org", "group_value": "acme", "group_properties": {"size": 7}}
PROPERTIES: list[Any] = [None, [], {"ip": "$remote", "time": None, "insert_id": None}]
# What an update may say instead, each as likely as nothing of it.
ODD: list[dict[str, Any]] = [
    *({"user_id": name} for name in (None, "none", "short", "ü" * 7, " user-of-11")),
    *({"device_id": name} for name in (None, "device-of-12", "tiny", "unknown")),
    *({"group_value": name} for name in (None, "", 7, 7.5, "ü" * 2_100)),
    *({"insert_id": name} for name in (None, "", "ß")),
    *({"time": time} for time in (None, 0, "2026", 1.5)),
    *({"ip": ip} for ip in (None, "1.2.3.4")),
    *({"user_properties": it} for it in PROPERTIES),
    *({"group_properties": it} for it in PROPERTIES),
    *({"groups": it} for it in (None, "acme", {"org": "acme"})),
]
ESCAPED = {b'"time"': b'"tim\\u0065"', b'"insert_id"': b'"i\\u006esert_id"', b'"ip"': b'"\\u0069p"'}


def written(usual: dict[str, Any], odd: dict[str, Any], gone: set[str], space: bytes) -> bytes:
    return (
        msgspec.json.encode({name: it for name, it in (usual | odd).items() if name not in gone})
        + space
    )


def escaped(value: bytes) -> bytes:
    for name, other in ESCAPED.items():
        value = value.replace(name, other)
    return value


def updates(usual: dict[str, Any]) -> st.SearchStrategy[bytes]:
    made = st.builds(
        written,
        st.just(usual),
        st.sampled_from([{}, {}, *ODD])
        | st.builds(lambda a, b: a | b, *[st.sampled_from(ODD)] * 2),
        st.sets(st.sampled_from([*usual]), max_size=1) | st.just(set[str]()),
        st.sampled_from([b"", b"", b" \n"]),
    )
    return made | made.map(escaped)


KINDS = st.sampled_from([(Kind.USER_PROPERTIES, USER), (Kind.GROUP_PROPERTIES, GROUP)])
several = KINDS.flatmap(
    lambda one: st.tuples(st.just(one[0]), st.lists(updates(one[1]), min_size=1, max_size=4))
)


def one_by_one(kind: Kind, values: list[bytes], context: Context, shortest: int) -> list[NewRecord]:
    read = [(value, read_facts(kind, value)) for value in values]
    return [
        record_of(value, facts, context)[0]
        for value, facts in read
        if type(facts) is not Defect and not short_ids(facts, shortest)
    ]


@given(several, contexts, st.sampled_from([0, 5, 8, 12]))
def test_identifications_become_the_same_records(
    of_kind: tuple[Kind, list[bytes]], context: Context, shortest: int
) -> None:
    kind, values = of_kind
    batch = Form(kind).read(Opened(values, shortest, first=7), context)

    expected = one_by_one(kind, values, context, shortest)
    assert with_no_random_id(batch.records) == with_no_random_id(expected)
    refused = {one.index for one in batch.rejected}
    assert len(refused) + len(batch.records) == len(values)
    assert refused <= set(range(7, 7 + len(values)))


@given(several, contexts)
def test_native_updates_become_the_same_records_with_their_ids(
    of_kind: tuple[Kind, list[bytes]], context: Context
) -> None:
    kind, values = of_kind
    batch = Native(kind).read(Opened(values, first=7), context)

    bare = {one.index - 7 for one in batch.rejected if one.defect.reason == "missing_properties"}
    whole = [value for index, value in enumerate(values) if index not in bare]
    expected = one_by_one(kind, whole, context, 0)
    assert with_no_random_id(batch.records) == with_no_random_id(expected)
    said = [msgspec.json.decode(one.value)["insert_id"] for one in batch.records]
    assert [insert_id for _, insert_id in batch.receipts] == said
    places = {index for index, _ in batch.receipts} | {one.index for one in batch.rejected}
    assert places == set(range(7, 7 + len(values)))


@pytest.mark.parametrize("context", CONTEXTS)
def test_updates_as_most_senders_write_them_are_usual(context: Context) -> None:
    unset = {**USER, "device_id": "device-of-12", "user_properties": {"plan": None}}
    for kind, usual in [(Kind.USER_PROPERTIES, [USER, unset]), (Kind.GROUP_PROPERTIES, [GROUP])]:
        values = [msgspec.json.encode(one) for one in usual]
        assert are_usual_updates([read_facts(kind, one) for one in values], values, context, 5)
