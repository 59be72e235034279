"""An exported row becomes the record that its sender once sent."""

import json
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ampgate.backfill.pace import DEVICE_A_SECOND, DevicePace
from ampgate.backfill.rows import record_of
from ampgate.lab.simulators.reads.rows import exported
from ampgate.lab.simulators.spool import Row
from schemas.events import read_event
from schemas.strictness import Defect

ROW = Row(7, "/batch", 1_767_603_600_000, 1, b"")
texts = st.text(min_size=1, max_size=20)
events = st.fixed_dictionaries(
    {
        "event_type": texts,
        "user_id": st.text(st.characters(codec="utf-8"), min_size=5, max_size=20),
        "device_id": texts,
        "insert_id": texts,
        "time": st.integers(0, 2_000_000_000_000),
    },
    optional={
        "event_properties": st.dictionaries(texts, texts | st.integers(-9, 9), min_size=1),
        "user_properties": st.dictionaries(texts, texts, min_size=1),
        "groups": st.dictionaries(texts, texts, min_size=1),
        "app_version": texts,
        "carrier": texts,
        "ip": st.just("203.0.113.7"),
        "country": texts,
        "session_id": st.integers(1, 9),
        "location_lat": st.floats(-90, 90),
    },
)


def value_of(row: object, *, skip_sync: bool = False) -> dict[str, object]:
    record = record_of(json.dumps(row).encode(), skip_sync=skip_sync)
    assert record is not None
    found: dict[str, object] = json.loads(record.value)
    return found


@given(events)
def test_what_was_sent_comes_back(event: dict[str, object]) -> None:
    assert value_of(exported(event, ROW)) == event


def test_a_row_without_an_insert_id_gets_amplitudes_own_so_that_it_stays_the_same() -> None:
    event = {"event_type": "a", "user_id": "user-1", "time": 1_767_225_600_123}
    row = exported(event, ROW)

    assert value_of(row)["insert_id"] == row["uuid"]
    assert value_of(row)["time"] == event["time"]


def test_amplitude_is_told_to_leave_user_properties_as_they_are() -> None:
    row = exported({"event_type": "a", "user_id": "user-1", "time": 1}, ROW)

    assert value_of(row, skip_sync=True)["$skip_user_properties_sync"] is True
    assert "$skip_user_properties_sync" not in value_of(row)


def test_the_record_is_one_that_a_delivery_can_use() -> None:
    record = record_of(
        json.dumps(exported({"event_type": "a", "device_id": "d", "time": 1}, ROW)).encode(),
        skip_sync=True,
    )
    assert record is not None
    assert not isinstance(read_event(record.value), Defect)
    assert record.key == "d"


@pytest.mark.parametrize(
    "change", [{"event_time": None}, {"event_time": "today"}, {"event_type": None}]
)
def test_a_row_that_says_too_little_is_none(change: dict[str, object]) -> None:
    row = {**exported({"event_type": "a", "user_id": "user-1", "time": 1}, ROW), **change}

    assert record_of(json.dumps(row).encode(), skip_sync=False) is None


@pytest.mark.parametrize("line", ["{", '{"a":NaN}', '{"a":1e999}', '{"a":1,}', "7", "[1]", "null"])
def test_a_line_that_duckdb_reads_and_others_do_not_is_none(line: str) -> None:
    assert record_of(line.encode(), skip_sync=False) is None


def test_rows_without_any_id_of_their_own_are_not_one_event() -> None:
    row = exported({"event_type": "a", "user_id": "user-1", "time": 1}, ROW)

    assert "insert_id" not in value_of({**row, "uuid": None})


@given(st.lists(st.sampled_from(["a", "b"]), max_size=1500))
def test_a_device_gets_no_more_than_its_share_of_a_second(devices: list[str]) -> None:
    pace, now = DevicePace(), 1000.0
    sent: dict[str, list[float]] = {"a": [], "b": []}
    for device in devices:
        while seconds := pace.wait_seconds(device, now):
            now += seconds
        sent[device].append(now)

    for times in sent.values():
        for first, last in pairwise(times[::DEVICE_A_SECOND]):
            assert last - first >= 1.0 - 1e-6
