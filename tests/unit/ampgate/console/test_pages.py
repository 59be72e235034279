"""What pages are made of: no secret, no record's HTML, and sentences about pulls."""

import json
from pathlib import Path

import pytest

from ampgate.console.pages.configuration import MASKED, sections
from ampgate.console.pages.destination import lag_in
from ampgate.console.pages.events import listed, rows_of, ways_of
from ampgate.console.pages.live import ROWS_A_TICK, Tick
from ampgate.console.pages.overview import summary
from ampgate.console.pages.pulls import state_of
from ampgate.console.streams import message
from ampgate.console.words import Level, State
from ampgate.trace.trace import Found
from ampgate.trace.whereabouts import State as Where
from ampgate.trace.whereabouts import whereabouts
from schemas.configuration.config import Config
from schemas.records import Stored

SECRET = "hush-hush-1234567890"


def test_no_secret_of_any_section_is_on_the_configuration_page() -> None:
    config = Config.model_validate(
        {
            "kafka": {
                "security_protocol": "SASL_SSL",
                "sasl_plain_username": "ampgate",
                "sasl_plain_password": f"{SECRET}1",
            },
            "edge": {"suppressed_user_ids": [f"{SECRET}2"]},
            "console": {"token": f"{SECRET}3", "viewer_token": f"{SECRET}4"},
            "sources": [
                {"name": "a", "write_key": f"{SECRET}5"},
                {"name": "b", "write_key_sha256": "0" * 64},
            ],
            "destinations": [
                {"name": "c", "type": "amplitude", "api_key": SECRET, "secret_key": SECRET}
            ],
        }
    )
    lines = [line for _, some in sections(config) for line in some]

    assert [line for line in lines if SECRET in line.value or "0" * 64 in line.value] == []
    assert sum(line.value == MASKED for line in lines) == 7


def test_a_tick_counts_all_and_shows_the_newest() -> None:
    tick = Tick()
    for offset in range(ROWS_A_TICK + 5):
        value = json.dumps({"event_type": "<b>x</b>", "user_id": f"u{offset}"}).encode()
        tick.add(Stored("t", 0, offset, 0, None, value, []))
    said = json.loads(tick.taken(is_ready=True))

    assert (said["count"], len(said["rows"])) == (ROWS_A_TICK + 5, ROWS_A_TICK)
    assert said["rows"][-1]["user"] == f"u{ROWS_A_TICK + 4}"
    nothing = {"ready": True, "trouble": "", "count": 0, "rows": []}
    assert json.loads(tick.taken(is_ready=True)) == nothing


def test_a_tick_of_odd_records_is_text() -> None:
    tick = Tick()
    tick.add(Stored("t", 0, 0, 0, b"\xff\x00", b"\xfe" * 2_000_000, [("source", b"\xff")]))
    tick.add(Stored("t", 0, 1, -5, None, None, []))
    tick.add(Stored("t", 0, 2, 2**60, None, b'{"event_type": {"a": 1}, "user_id": ["x"]}', []))

    assert len(json.dumps(json.loads(tick.taken(is_ready=False)))) < 10_000


def test_an_event_stream_keeps_the_lines_of_a_text() -> None:
    assert message("part", "<p>\nb</p>") == "event: part\ndata: <p>\ndata: b</p>\n\n"
    assert message("done", "") == "event: done\ndata: \n\n"


def test_the_worst_destination_is_the_summary() -> None:
    good, bad = State(Level.GOOD, "", ""), State(Level.BAD, "", "")

    assert summary([good, bad, good]) == (Level.BAD, "1 of 3 destinations needs attention.")
    assert summary([good, good])[0] is Level.GOOD
    assert summary([])[0] is Level.UNKNOWN


@pytest.mark.parametrize(
    ("last", "paused", "is_run", "label", "text"),
    [
        (None, "status_401", True, "Paused", "Paused: Amperity answered 401."),
        (None, None, False, "Not running", "No process runs it, or none could be asked."),
        (None, None, True, "First run", "Its first whole run has not ended yet."),
        (500.0, None, True, "Late", "It has not ended a run for 8 min."),
        (990.0, None, True, "Up to date", "Its last run ended {since}."),
    ],
)
def test_the_state_of_a_pull_is_a_sentence(
    last: float | None, paused: str | None, is_run: bool, label: str, text: str
) -> None:
    found = state_of("Amperity", "vip", 60.0, last, paused, is_run, 1_000.0)

    assert (found.label, found.text) == (label, text)


def test_destinations_with_one_state_are_told_together() -> None:
    record = Stored("t", 0, 7, 0, None, b"{}", [])
    lines = [whereabouts(record, f"d{n}", Where.DELIVERED, None) for n in range(99)]
    (row,) = rows_of([*lines, whereabouts(record, "last", Where.DEAD, "rejected")])

    assert [(line.state, names) for line, names in row.groups] == [
        (Where.DEAD, "last"),
        (Where.DELIVERED, listed([f"d{n}" for n in range(99)])),
    ]
    assert listed([f"d{n}" for n in range(99)]) == "d0, d1, d2, d3, d4, d5 and 93 more"
    assert row.href == "/events/t/0/7"


def test_what_the_edge_refused_leads_to_its_letter() -> None:
    letter = Stored("ampgate.dead-letters", 0, 7, 0, None, b"{}", [])
    (row,) = rows_of([whereabouts(letter, "edge", Where.DEAD, "missing_id")])

    assert row.href == "/dead-letters/letter?origin=ampgate.dead-letters/0/7"


def test_what_is_sent_is_shown_without_what_a_plan_classifies(tmp_path: Path) -> None:
    secret = {"type": "string", "x-classifications": ["PII"]}
    plan = tmp_path / "plan.json"
    plan.write_text(json.dumps({"events": {"Seen": {"properties": {"phone": secret}}}}))
    configured = {"name": "us", "type": "amplitude", "api_key": "k", "drop_classified": ["PII"]}
    config = Config.model_validate(
        {"delivery": {"plan": str(plan), "plan_mode": "off"}, "destinations": [configured]}
    )
    event = {"event_type": "Seen", "user_id": "a", "event_properties": {"phone": "+49", "b": 1}}
    record = Stored("ampgate.events", 0, 7, 0, None, json.dumps(event).encode(), [])
    line = whereabouts(record, "us", Where.DELIVERED, None)
    (way,) = ways_of(config, record, Found([line], [record], [], []))

    assert way.sent is not None
    text = "".join(piece for piece, _ in way.sent.pieces)
    assert '"b": 1' in text
    assert "phone" not in text


def test_partitions_are_bars_of_the_highest() -> None:
    assert lag_in("t", {1: 10, 0: 5}).bars == [(0, 5, 0.5), (1, 10, 1.0)]
    assert lag_in("t", {0: 0}).bars == [(0, 0, 0.0)]
