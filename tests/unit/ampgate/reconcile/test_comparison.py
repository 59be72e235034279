"""What DuckDB finds is what a plain reading of the rules finds, whatever was sent and shown."""

import gzip
import json
import tempfile
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ampgate.amplitude_read.export import Exported
from ampgate.amplitude_read.hours import HOUR_MS, Hours
from ampgate.errors import CommandError
from ampgate.reconcile.comparison import Comparison, Outcome, comparison
from tests.examples import examples

FIRST = 490_000  # An hour since 1970.
FROM_MS, TO_MS = (FIRST + 1) * HOUR_MS, (FIRST + 4) * HOUR_MS
ALL = range(FIRST, FIRST + 8)


@dataclass(frozen=True, slots=True)
class Sent:
    insert_id: str
    event_type: str
    device_id: str | None
    hour: int
    settled: bool
    traces: Sequence[tuple[str, str]]  # When it was replayed, and what became of it.
    suppressed: bool = False

    @property
    def is_delivered(self) -> bool:
        """As `ampgate trace` says (ampgate/trace/whereabouts.py)."""
        last = max((replayed for replayed, _ in self.traces), default="")
        states = [state for replayed, state in self.traces if replayed == last]
        if "dead" in states or "waiting" in states:
            return False
        return self.settled or "settled" in states


@dataclass(frozen=True, slots=True)
class Shown:
    insert_id: str | None
    event_type: str
    device_id: str | None  # None: Amplitude made one up of the user.
    hour: int


names = st.sampled_from(["a", "b", "c", "d"])
types = st.sampled_from(["Bought", "Seen", "$identify"])
hours = st.integers(FIRST, FIRST + 7)
traces = st.tuples(st.sampled_from(["", "1", "2"]), st.sampled_from(["dead", "waiting", "settled"]))
phone = st.just("phone")
sent_records = st.builds(
    Sent, names, types, phone, hours, st.booleans(), st.lists(traces, max_size=2)
)
shown_rows = st.builds(Shown, names, types, phone, hours)


def run(
    directory: Path, sent: Sequence[Sent], shown: Sequence[Shown], complete: Sequence[int] = ALL
) -> list[Outcome]:
    with comparison(directory, FROM_MS, TO_MS) as compared:
        read(compared, directory, sent, shown)
        compared.compare()
        return compared.outcomes(complete)


def read(
    compared: Comparison, directory: Path, sent: Sequence[Sent], shown: Sequence[Shown]
) -> None:
    lines, found = directory / "sent.ndjson", directory / "traces.ndjson"
    lines.write_text("".join(line(at, one) for at, one in enumerate(sent)))
    found.write_text(
        "".join(
            json.dumps(place(at) | {"replayed": replayed, "state": state}) + "\n"
            for at, one in enumerate(sent)
            for replayed, state in one.traces
        )
    )
    compared.read_sent(lines, found)
    compared.read_rows(exported(directory, "".join(map(row, shown))))


def exported(directory: Path, text: str) -> Exported:
    (directory / "0.json.gz").write_bytes(gzip.compress(text.encode()))
    return Exported(Hours(FIRST, FIRST + 7), directory, 1, 1)


def place(at: int) -> dict[str, object]:
    return {"topic": 0, "partition": at % 2, "offset": at}


def line(at: int, one: Sent) -> str:
    members = {"insert_id": one.insert_id, "event_type": one.event_type, "device_id": one.device_id}
    accepted = one.hour * HOUR_MS + 1
    more = {"user_id": "ann", "time": None, "accepted": accepted, "settled": one.settled}
    more["suppressed"] = one.suppressed
    return json.dumps(members | more | place(at)) + "\n"


def row(one: Shown) -> str:
    members = {"$insert_id": one.insert_id, "event_type": one.event_type, "user_id": "ann"}
    uploaded = f"{datetime.fromtimestamp(one.hour * 3_600 + 1, UTC):%Y-%m-%d %H:%M:%S.%f}"
    device = one.device_id or "made up"
    return json.dumps(members | {"device_id": device, "server_upload_time": uploaded}) + "\n"


def expected(sent: Sequence[Sent], shown: Sequence[Shown]) -> Counter[str]:
    """Events whose insert_id is of one device only; others are a test of their own."""
    delivered: defaultdict[str, list[Sent]] = defaultdict(list)
    for one in sent:
        if one.is_delivered:
            delivered[one.insert_id].append(one)
    rows: dict[str, list[Shown]] = {}
    for each in shown:
        rows.setdefault(each.insert_id or "", []).append(each)
    found: Counter[str] = Counter()
    for name, copies in delivered.items():
        asked = [one for one in copies if FROM_MS <= one.hour * HOUR_MS + 1 < TO_MS]
        if asked:
            found["delivered"] += 1
            found["repeated"] += len(copies) - 1
            found["found"] += name in rows
            found["counted_twice"] += max(0, len(rows.get(name, ())) - 1)
            is_update = all(one.event_type == "$identify" for one in copies)
            found["not_exported" if is_update else "missing"] += name not in rows
    for name, ones in rows.items():
        is_first_inside = FIRST + 1 <= min(one.hour for one in ones) < FIRST + 4
        found["foreign"] += name not in delivered and is_first_inside
    return found


@examples(30)
@given(
    st.lists(sent_records, max_size=8),
    st.lists(shown_rows, max_size=8),
)
def test_events_are_found_missing_foreign_or_counted_twice(
    sent: list[Sent], shown: list[Shown]
) -> None:
    kinds = {one.insert_id: one.event_type for one in sent}  # An insert_id is of one type.
    sent = [replace(one, event_type=kinds[one.insert_id]) for one in sent]
    with tempfile.TemporaryDirectory() as name:
        outcomes = run(Path(name), sent, shown)

    wanted = expected(sent, shown)
    for state in (*wanted, "missing", "foreign"):
        assert wanted[state] == sum(getattr(one, state) for one in outcomes), state
    for one in outcomes:
        assert one.delivered == one.found + one.missing + one.pending + one.not_exported


def test_one_insert_id_of_two_devices_is_two_events(tmp_path: Path) -> None:
    sent = [Sent("a", "Bought", device, FIRST + 1, True, []) for device in ("phone", "tablet")]
    shown = [Shown("a", "Bought", "phone", FIRST + 1)]
    (one,) = run(tmp_path, sent, shown)

    assert (one.delivered, one.found, one.missing, one.counted_twice) == (2, 1, 1, 0)


def test_an_event_without_a_device_is_found_by_its_user(tmp_path: Path) -> None:
    sent = [Sent("a", "Bought", None, FIRST + 1, True, [])]
    (one,) = run(tmp_path, sent, [Shown("a", "Bought", None, FIRST + 3)])

    assert (one.delivered, one.found, one.late) == (1, 1, 1)


def test_what_amplitude_has_had_no_time_to_show_is_pending(tmp_path: Path) -> None:
    accepted = (("a", FIRST + 1), ("b", FIRST + 2))
    sent = [Sent(name, "Bought", None, hour, True, []) for name, hour in accepted]
    (one,) = run(tmp_path, sent, [], complete=[FIRST, FIRST + 1])

    assert (one.missing, one.pending) == (1, 1)


def test_of_a_suppressed_user_is_delivered_what_amplitude_has_and_nothing_is_missing(
    tmp_path: Path,
) -> None:
    """What came after the suppression was skipped; no record says which that was."""
    sent = [Sent(name, "Bought", None, FIRST + 1, True, [], suppressed=True) for name in "ab"]
    (one,) = run(tmp_path, sent, [Shown("a", "Bought", None, FIRST + 1)])

    assert (one.delivered, one.found, one.missing, one.foreign) == (1, 1, 0, 0)


@pytest.mark.parametrize("nobodys", [None, ""])
def test_events_of_others_need_no_insert_id(tmp_path: Path, nobodys: str | None) -> None:
    shown = [Shown(nobodys, "Bought", "phone", FIRST + 1) for _ in range(2)]
    (one,) = run(tmp_path, [], shown)

    assert (one.delivered, one.foreign) == (0, 2)


def test_an_export_that_is_no_json_is_told(tmp_path: Path) -> None:
    with (
        comparison(tmp_path, FROM_MS, TO_MS) as compared,
        pytest.raises(CommandError, match="is not as documented"),
    ):
        compared.read_rows(exported(tmp_path, "<html>\n"))
