"""Which destinations a call's sender does not want it to reach."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.dialects.segment_integrations import opted_out_of
from schemas.opt_outs import OPTED_OUT, opted_out
from tests.unit.gateway.dialects.segment_calls import TRACK, batch


@pytest.mark.parametrize(
    ("integrations", "amplitude", "aampe"),
    [
        ({}, False, False),
        ({"All": False}, True, True),
        ({"all": False}, True, True),
        ({"Amplitude": False}, True, False),
        ({"Aampe": False}, False, True),
        ({"Actions Amplitude": False}, True, False),
        ({"Amplitude (Actions)": False}, True, False),
        ({"Aampe (Actions)": False}, False, True),
        ({"All": False, "Amplitude": True}, False, True),
        ({"All": False, "Actions Amplitude": {"session_id": 1}}, False, True),
        ({"All": False, "Segment.io": True}, True, True),
        ({"All": True, "Amplitude": False}, True, False),
        ({"Amplitude": False, "Actions Amplitude": True}, True, False),
        ({"Amplitude": None, "All": 0}, False, False),
        ("no object", False, False),
        ({"Mixpanel": False}, False, False),
    ],
)
def test_a_call_reaches_only_the_destinations_that_it_may(
    integrations: Any,  # noqa: ANN401
    amplitude: bool,
    aampe: bool,
) -> None:
    (record,) = batch(TRACK | {"integrations": integrations}).batch.records

    assert opted_out(record.headers, "amplitude") == amplitude
    assert opted_out(record.headers, "aampe") == aampe
    assert (OPTED_OUT in dict(record.headers)) == (amplitude or aampe)


def test_what_a_batch_opts_out_of_holds_for_its_calls() -> None:
    calls = [TRACK, TRACK | {"integrations": {"Amplitude": True}}]
    first, second = batch(*calls, integrations={"Amplitude": False}).batch.records

    assert opted_out(first.headers, "amplitude")
    assert not opted_out(second.headers, "amplitude")


@given(st.dictionaries(st.text(max_size=70), st.none() | st.booleans() | st.integers(), max_size=4))
def test_no_integrations_are_an_error(integrations: dict[str, object]) -> None:
    found = opted_out_of(integrations)

    assert found is None or len(found) < 64


@given(st.none() | st.binary(max_size=300))
def test_no_header_is_an_error(value: bytes | None) -> None:
    assert opted_out([(OPTED_OUT, value)], "amplitude") in (True, False)


@pytest.mark.parametrize("name", ["Amplitude", "Actions Amplitude"])
def test_what_is_said_to_amplitude_alone_is_kept(name: str) -> None:
    """As RudderStack passes it on."""
    settings = {"groups": {"company": ["a", "b"]}, "event_id": 7, "skipUserPropertiesSync": True}
    calls = [TRACK | {"type": kind, "traits": {"a": 1}} for kind in ("track", "page", "identify")]
    said = [call | {"integrations": {"All": True, name: settings}} for call in calls]
    shared = batch(*calls, integrations={name: settings}).values

    assert shared == batch(*said).values
    for value in shared:
        assert value["groups"] == {"company": ["a", "b"]}
        assert (value["event_id"], value["$skip_user_properties_sync"]) == (7, True)


@pytest.mark.parametrize(
    ("members", "operations"),
    [
        ({"traits": {"a": 1}}, {"$set": {"a": 1}}),
        ({}, {}),
        (
            {"context": {"campaign": {"source": "s"}}},
            {"$set": {"utm_source": "s"}, "$setOnce": {"initial_utm_source": "s"}},
        ),
    ],
)
def test_an_identify_call_removes_properties(
    members: dict[str, Any], operations: dict[str, Any]
) -> None:
    settings = {"integrations": {"Amplitude": {"fieldsToUnset": ["x", "y.z", 5]}}}
    (value,) = batch(TRACK | members | settings | {"type": "identify"}).values

    assert value["user_properties"] == operations | {"$unset": {"x": "-", "y.z": "-"}}


def test_each_product_is_of_the_orders_groups() -> None:
    order = {"event": "Order Completed", "properties": {"products": [{"a": 1}]}}
    settings = {"integrations": {"Amplitude": {"groups": {"company": "acme"}}}}

    for value in batch(TRACK | order | settings).values:
        assert value["groups"] == {"company": "acme"}


def test_a_group_call_names_its_own_group() -> None:
    settings = {"integrations": {"Amplitude": {"groups": {"company": "acme"}}}}

    for value in batch(TRACK | settings | {"type": "group", "groupId": "g"}).values:
        assert value["groups"] == {"group": "g"}


@pytest.mark.parametrize("odd", [None, "x", [], {}, [1], 2**60, 1.5, True])
def test_settings_of_another_type_are_none(odd: object) -> None:
    names = ("groups", "event_id", "fieldsToUnset", "session_id")
    settings = {"integrations": {"Amplitude": dict.fromkeys(names, odd), "Actions Amplitude": odd}}
    for kind in ("track", "identify"):
        call = TRACK | {"type": kind}

        assert batch(call | settings).values == batch(call).values
