"""Amplitude's read side shows what was accepted, within its limits, and as its faults say."""

import base64
import gzip
import io
import zipfile
from collections import Counter
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from urllib.parse import urlencode

import orjson
import pytest

from ampgate.lab.simulators.amplitude import Amplitude
from ampgate.lab.simulators.fault_rules import Faults
from ampgate.lab.simulators.model import Answer, Request
from ampgate.lab.simulators.reads.side import AmplitudeReadOptions
from ampgate.lab.simulators.simulator import Simulator
from ampgate.lab.simulators.spool import Row, Spool
from tests.eventually import DEADLINE_SECONDS
from tests.unit.ampgate.lab.simulators.requests import event, parsed, upload

NINE = 1_767_603_600.0  # 2026-01-05T09:00:00Z.
HOUR = 3_600.0
LOGIN = {"authorization": "Basic " + base64.b64encode(b"key:secret").decode()}


@pytest.fixture
def project() -> Iterator[Simulator]:
    model = Amplitude()
    yield Simulator(model)
    model.accepted.close()


def model_of(project: Simulator) -> Amplitude:
    assert isinstance(project.model, Amplitude)
    return project.model


def accept(project: Simulator, *events: Mapping[str, object], now: float = NINE) -> None:
    project.respond(upload(list(events)), now)
    model = model_of(project)
    model.accepted.append(model.received, int(now * 1000), project.show(now))
    model.received.clear()


def get(
    project: Simulator,
    path: str,
    query: Mapping[str, object] | None = None,
    now: float = NINE,
    headers: Mapping[str, str] = LOGIN,
) -> Answer:
    answer = project.respond(Request("GET", path, urlencode(query or {}), headers), now).answer
    assert isinstance(answer, Answer)
    return answer


def export(project: Simulator, start: str, end: str) -> list[dict[str, object]]:
    answer = get(project, "/api/2/export", {"start": start, "end": end})
    if answer.status == 404:
        return []
    with zipfile.ZipFile(io.BytesIO(answer.body)) as archive:
        files = [gzip.decompress(archive.read(name)) for name in archive.namelist()]
    return [orjson.loads(line) for file in files for line in file.splitlines()]


def set_faults(project: Simulator, *rules: Mapping[str, object]) -> None:
    project.set_faults(Faults.model_validate({"rules": rules}), NINE)


def test_an_export_has_the_hours_of_upload_that_were_asked_for(project: Simulator) -> None:
    accept(project, event(0), now=NINE)
    accept(project, event(1), event(2), now=NINE + HOUR)
    accept(project, event(3), now=NINE + 2 * HOUR)

    rows = export(project, "20260105T09", "20260105T10")
    assert [row["$insert_id"] for row in rows] == ["insert-0", "insert-1", "insert-2"]
    assert rows[0]["server_upload_time"] == "2026-01-05 09:00:00.000000"
    assert rows[0]["event_time"] == "2026-01-01 00:00:00.000000"
    assert export(project, "20260105T12", "20260106T00") == []


@pytest.mark.parametrize(
    ("start", "end"),
    [("20260105", "20260105T09"), ("20260105T10", "20260105T09"), ("20260105T09", "20270106T09")],
)
def test_a_range_that_is_none_is_a_400(project: Simulator, start: str, end: str) -> None:
    assert get(project, "/api/2/export", {"start": start, "end": end}).status == 400


def test_an_export_that_is_too_large_is_a_400() -> None:
    model = Amplitude(read_options=AmplitudeReadOptions(export_bytes_max=100))
    project = Simulator(model)
    accept(project, event(0))

    assert (
        get(project, "/api/2/export", {"start": "20260105T09", "end": "20260105T09"}).status == 400
    )
    model.accepted.close()


def test_an_hour_is_late_where_the_export_is() -> None:
    model = Amplitude(read_options=AmplitudeReadOptions(export_lag_seconds=2 * HOUR))
    project = Simulator(model)
    accept(project, event(0))

    hour = {"start": "20260105T09", "end": "20260105T09"}
    assert get(project, "/api/2/export", hour, NINE + 2.9 * HOUR).status == 404
    assert get(project, "/api/2/export", hour, NINE + 3 * HOUR).status == 200
    model.accepted.close()


def test_property_updates_are_not_exported(project: Simulator) -> None:
    accept(project, event(0, event_type="$identify", user_properties={"$set": {"a": 1}}), event(1))

    assert [row["$insert_id"] for row in export(project, "20260105T09", "20260105T09")] == [
        "insert-1"
    ]


def test_what_is_accepted_may_be_dropped_doubled_or_late(project: Simulator) -> None:
    set_faults(
        project,
        {"match": {"event_type": "lost"}, "effect": {"kind": "drop"}},
        {"match": {"event_type": "twice"}, "times": 2, "effect": {"kind": "double"}},
        {"match": {"event_type": "late"}, "effect": {"kind": "late", "hours": 2}},
    )
    types = ["lost", "twice", "twice", "twice", "late", "well"]
    accept(project, *(event(n, event_type=name) for n, name in enumerate(types)))

    now = [row["event_type"] for row in export(project, "20260105T09", "20260105T10")]
    assert Counter({"twice": 5, "well": 1}) == Counter(now)
    assert [row["event_type"] for row in export(project, "20260105T11", "20260105T11")] == ["late"]
    assert project.stats()["accepted"] == 6


def test_a_zip_may_be_cut_off(project: Simulator) -> None:
    accept(project, event(0))
    cut = {"match": {"path": "/api/2/export"}, "times": 1, "effect": {"kind": "cut", "bytes": 10}}
    set_faults(project, cut)

    with pytest.raises(zipfile.BadZipFile):
        export(project, "20260105T09", "20260105T09")
    assert len(export(project, "20260105T09", "20260105T09")) == 1


def test_a_user_is_found_by_any_id_and_their_events_by_amplitudes(project: Simulator) -> None:
    accept(project, event(0), event(1), event(2, user_id="user-0"))
    search = parsed(get(project, "/api/2/usersearch", {"user": "user-0"}))
    assert isinstance(search["matches"], list)
    (match,) = search["matches"]
    assert match["user_id"] == "user-0"

    for other in ("device-0", match["amplitude_id"]):
        assert (
            search["matches"]
            == parsed(get(project, "/api/2/usersearch", {"user": other}))["matches"]
        )
    activity = parsed(
        get(project, "/api/2/useractivity", {"user": match["amplitude_id"], "limit": 1})
    )
    assert isinstance(activity["userData"], dict)
    assert isinstance(activity["events"], list)
    assert activity["userData"]["num_events"] == 2
    assert [one["$insert_id"] for one in activity["events"]] == ["insert-2"]
    nobody = parsed(get(project, "/api/2/usersearch", {"user": "nobody"}))
    assert nobody == {"matches": [], "type": "nomatch"}


def test_a_profile_has_the_properties_of_a_user(project: Simulator) -> None:
    accept(project, event(0, user_properties={"plan": "pro"}))
    secret = {"authorization": "Api-Key secret"}
    path = "/v1/userprofile"

    found = parsed(
        get(project, path, {"user_id": "user-0", "get_amp_props": "true"}, headers=secret)
    )
    assert isinstance(found["userData"], dict)
    assert found["userData"]["amp_props"] == {"plan": "pro"}
    assert get(project, path, {"user_id": "nobody"}, headers=secret).status == 400
    assert get(project, path, {"user_id": "user-0"}).status == 401


def test_totals_are_counted_by_type_and_day_of_the_event(project: Simulator) -> None:
    day = 86_400_000
    first = event()["time"]
    assert isinstance(first, int)
    accept(project, *(event(n, time=first + n // 2 * day) for n in range(3)))

    asked = {"e": '{"event_type":"bought"}', "m": "totals", "start": "20260101", "end": "20260103"}
    found = parsed(get(project, "/api/2/events/segmentation", asked))["data"]
    assert isinstance(found, dict)
    assert found["series"] == [[2, 1, 0]]
    assert found["xValues"] == ["2026-01-01", "2026-01-02", "2026-01-03"]
    listed = parsed(get(project, "/api/2/events/list"))["data"]
    assert isinstance(listed, list)
    assert [(one["value"], one["totals"]) for one in listed] == [("bought", 3)]


@pytest.mark.parametrize("time", [2**63 - 1, -(2**63)])
def test_an_event_of_no_year_that_a_calendar_has_harms_no_question(
    project: Simulator, time: int
) -> None:
    accept(project, event(0, time=time, session_id=1), event(1, session_id=2))
    asked = {"e": '{"event_type":"bought"}', "m": "totals", "start": "20260101", "end": "20260101"}

    assert parsed(get(project, "/api/2/events/segmentation", asked))["data"]
    for path in ("/api/2/events/list", "/api/2/users", "/api/2/sessions/average"):
        assert get(project, path, asked).status == 200, path


def test_questions_asked_together_count_each_event_once(
    project: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = {"e": '{"event_type":"bought"}', "m": "totals", "start": "20260101", "end": "20260101"}
    together = Barrier(4)

    def rows_together(spool: Spool) -> Iterator[Row]:
        together.wait(DEADLINE_SECONDS)  # The others count now, too.
        yield from Spool._rows(spool, [(0, spool.size)])

    accept(project, *(event(n) for n in range(100)))
    monkeypatch.setattr(Spool, "rows", rows_together)
    with ThreadPoolExecutor(together.parties) as threads:
        path = "/api/2/events/segmentation"
        asking = [threads.submit(get, project, path, asked) for _ in range(together.parties)]
        answers = [parsed(one.result())["data"] for one in asking]

    assert [one["series"] for one in answers if isinstance(one, dict)] == [[[100]]] * 4


def test_a_key_may_spend_1000_in_five_minutes_and_no_more(project: Simulator) -> None:
    year = {"e": '{"event_type":"a"}', "m": "totals", "start": "20250101", "end": "20251231"}
    path = "/api/2/events/segmentation"

    assert [get(project, path, year).status for _ in range(3)] == [200, 200, 429]
    assert get(project, path, year, NINE + 301).status == 200
    assert model_of(project).read.violations.total == 1


def test_a_key_that_is_none_is_refused(project: Simulator) -> None:
    assert get(project, "/api/2/export", headers={}).status == 403
