"""History is sorted by event time, whole, and with the same numbers when it is read again."""

import gzip
import json
import tempfile
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ampgate.amplitude_read.export import Exported
from ampgate.amplitude_read.hours import Hours
from ampgate.backfill import history as histories
from ampgate.backfill.history import history
from ampgate.errors import CommandError
from tests.examples import examples

TIMES = st.sampled_from([None, *(f"2026-01-0{n % 3 + 1} {n:02}:00:00.000000" for n in range(9))])


def exported(directory: Path, rows: Sequence[object]) -> Exported:
    directory.mkdir(exist_ok=True)
    text = "".join(json.dumps(row) + "\n" for row in rows)
    (directory / "0.json.gz").write_bytes(gzip.compress(text.encode()))
    return Exported(Hours(1, 1), directory, len(rows), 1)


@examples(20)
@given(st.lists(st.tuples(TIMES, st.none() | st.integers(0, 3)), max_size=30), st.integers(1, 10))
def test_rows_come_in_the_order_of_their_time_then_of_their_number_then_as_exported(
    given_rows: list[tuple[str | None, int | None]], at_once: int
) -> None:
    rows = [{"n": n, "event_time": at, "event_id": x} for n, (at, x) in enumerate(given_rows)]
    with tempfile.TemporaryDirectory() as name, pytest.MonkeyPatch.context() as changed:
        changed.setattr(histories, "SORTED_AT_ONCE", at_once)
        with history(Path(name)) as found:
            half = len(rows) // 2
            parts = (rows[:half], rows[half:])
            assert not found.is_read
            found.read([exported(Path(name) / str(n), part) for n, part in enumerate(parts)])
        with history(Path(name)) as found:
            assert found.is_read
            read = [one for some in found.rows(1) for one in some]
            assert [one for some in found.rows(3) for one in some] == read[2:]

    wanted = sorted(
        rows,
        key=lambda row: (
            row["event_time"] or "",
            -1 if row["event_id"] is None else row["event_id"],
            row["n"],
        ),
    )
    assert [json.loads(line) for _, line in read] == wanted
    assert [number for number, _ in read] == list(range(1, len(rows) + 1))


def test_half_of_an_emoji_makes_no_export_unreadable(tmp_path: Path) -> None:
    rows = [{"n": n, "event_time": "2026-01-01 00:00:00.1", "text": "half \ud83d"} for n in (1, 2)]
    with history(tmp_path) as found:
        found.read([exported(tmp_path / "hours", rows)])
        read = [json.loads(line) for some in found.rows(1) for _, line in some]
    assert [(one["n"], one["text"]) for one in read] == [(1, "half \ufffd"), (2, "half \ufffd")]


def test_what_amplitude_has_twice_is_there_once(tmp_path: Path) -> None:
    at: dict[str, object] = {"event_time": "2026-01-01 00:00:00.000000"}
    nobodys = [(None, "phone"), (None, "phone"), ("", "phone"), ("", "phone")]
    ids = [("a", "phone"), ("a", "phone"), ("a", "tablet"), *nobodys]
    rows = [at | {"$insert_id": insert_id, "device_id": device} for insert_id, device in ids]
    with history(tmp_path) as found:
        found.read([exported(tmp_path / "window", rows)])
        read = [json.loads(line) for some in found.rows(1) for _, line in some]

    assert [(one["$insert_id"], one["device_id"]) for one in read] == [*ids[:1], *ids[2:]]


def test_what_amplitude_has_twice_at_different_times_is_there_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A retried upload has another time: the sender's clock is corrected by each upload's delay."""
    monkeypatch.setattr(histories, "SORTED_AT_ONCE", 2)
    hours = ["09:59:59.9", "10:30:00.0", "11:00:00.1", "09:00:00.0"]
    rows = [
        {"$insert_id": "a", "device_id": "phone", "event_time": f"2026-01-01 {at}"} for at in hours
    ]
    with history(tmp_path) as found:
        found.read([exported(tmp_path / "window", rows)])
        read = [json.loads(line)["event_time"] for some in found.rows(1) for _, line in some]

    assert read == [f"2026-01-01 {hours[0]}"]


def test_an_export_that_is_no_json_is_told(tmp_path: Path) -> None:
    window = exported(tmp_path / "window", [])
    (tmp_path / "window" / "0.json.gz").write_bytes(gzip.compress(b"<html>\n"))
    with (
        history(tmp_path) as found,
        pytest.raises(CommandError, match="is not as documented"),
    ):
        found.read([window])
