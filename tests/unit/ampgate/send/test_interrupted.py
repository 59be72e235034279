"""`ampgate send` from pipes, and what it says when it is interrupted."""

import json
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ampgate.send.reports import EACH_MAX, Reports
from ampgate.send.window import WINDOW_LINES, Window
from tests.eventually import DEADLINE_SECONDS
from tests.http_server import answering


@dataclass
class Edge:
    """Accepts all, in order; from `holds_after` lines on it answers nothing."""

    holds_after: int = 10**9
    numbers: list[int] = field(default_factory=list)
    has_them: threading.Event = field(default_factory=threading.Event)  # As many as that.
    holds: threading.Event = field(default_factory=threading.Event)
    goes_on: threading.Event = field(default_factory=threading.Event)
    url: str = ""


@pytest.fixture
def edge() -> Iterator[Edge]:
    stored = Edge()

    def answer(_: Mapping[str, str], body: bytes) -> tuple[int, bytes] | None:
        events = [json.loads(line) for line in body.splitlines()]
        if len(stored.numbers) >= stored.holds_after:
            stored.holds.set()
            stored.goes_on.wait(DEADLINE_SECONDS)
            return None
        stored.numbers += [event["n"] for event in events]
        if len(stored.numbers) >= stored.holds_after:
            stored.has_them.set()
        return 202, json.dumps({"accepted": len(events), "rejected": []}).encode()

    with answering(answer) as stored.url:
        yield stored
        stored.goes_on.set()


def command(edge: Edge, *arguments: str) -> list[str]:
    program = [sys.executable, "-m", "ampgate", "send"]
    return [*program, *arguments, "--key", "k", "--url", edge.url]


def sending(edge: Edge, *arguments: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        command(edge, *arguments),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def line(number: int) -> str:
    return json.dumps({"event_type": "e", "user_id": str(number % 7), "n": number}) + "\n"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_pipe_is_sent_as_it_comes_and_not_only_at_its_end(
    edge: Edge, number: signal.Signals
) -> None:
    edge.holds_after = 3
    with sending(edge, "-") as process:
        assert process.stdin is not None
        process.stdin.write("".join(map(line, range(1, 4))))
        process.stdin.flush()
        assert edge.has_them.wait(DEADLINE_SECONDS)
        process.send_signal(number)  # While it waits for another line.
        out, err = process.communicate(timeout=DEADLINE_SECONDS)
    assert process.returncode == 1
    assert "3 accepted" in out
    assert "stopped at line 4; continue with --resume 4" in err


@pytest.mark.long
def test_what_an_interrupted_file_has_left_is_sent_with_resume(edge: Edge, tmp_path: Path) -> None:
    file = tmp_path / "events.ndjson"
    file.write_text("".join(map(line, range(1, 5_001))))
    edge.holds_after = 2_000
    with sending(edge, str(file)) as process:
        assert edge.holds.wait(DEADLINE_SECONDS)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=DEADLINE_SECONDS)
    assert process.returncode == 1
    stopped_at = int(err.rsplit("--resume ", 1)[1])
    accepted = list(edge.numbers)
    assert set(accepted) >= set(range(1, stopped_at))

    edge.holds_after = 10**9
    again = subprocess.run(
        [*command(edge, str(file)), "--resume", str(stopped_at)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert again.returncode == 0, again.stderr
    assert set(edge.numbers) == set(range(1, 5_001))
    assert len(edge.numbers) - 5_000 <= WINDOW_LINES


@given(st.lists(st.integers(min_value=0, max_value=3), max_size=60))
def test_before_the_line_to_go_on_with_all_are_settled_and_few_after_it(
    gaps: list[int],
) -> None:
    window, number, under_way = Window(), 0, list[int]()
    settled: set[int] = set()
    for gap in gaps:
        number += 1 + gap * 400
        while not window.has_room(number):
            oldest = under_way.pop(0)
            window.settled([oldest])
            settled.add(oldest)
        window.read(number)
        under_way.append(number)
        if len(under_way) > 2:
            one = under_way.pop(-2)
            window.settled([one])
            settled.add(one)
        assert all(one >= window.resume_at for one in under_way)
        assert all(one - window.resume_at < WINDOW_LINES for one in settled)


def test_bad_lines_of_a_kind_are_summed_up_after_the_first_few() -> None:
    said: list[str] = []
    reports = Reports(said.append)
    for number in range(1, 101):
        reports.report(number, f"not JSON: unexpected character at column {number}")
    reports.report(200, "missing_id: no user_id")
    reports.end()
    assert said[:EACH_MAX] == [
        f"line {number}: not JSON: unexpected character at column {number}"
        for number in range(1, EACH_MAX + 1)
    ]
    assert said[EACH_MAX:] == [
        "line 200: missing_id: no user_id",
        "95 more between lines 6 and 100, such as: not JSON: unexpected character at column 1",
    ]
