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
