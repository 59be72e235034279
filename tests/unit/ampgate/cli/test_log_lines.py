"""Whoever reads our log may stop, or go away, or have no room: we go on."""

import json
import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from logging import getLogger
from pathlib import Path

import pytest
import structlog

from ampgate.cli import logs

LINES = 3_000


@pytest.fixture(autouse=True)
def configured(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """As a process logs; and as it was before, in the end."""
    root = getLogger()
    handlers, level = root.handlers[:], root.level
    monkeypatch.setattr(logs, "STALL_SECONDS", 0.01)
    logs.configure("delivery", "info")
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


def say(numbers: range) -> None:
    log = structlog.get_logger("consumers.test")
    for number in numbers:
        log.warning("said", number=number, padding="x" * 5_000)


def test_a_reader_that_stops_costs_lines_and_is_told_how_many(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    reading, writing = os.pipe()
    with ExitStack() as stack:
        stack.callback(os.close, reading)
        monkeypatch.setattr(sys, "stderr", stack.enter_context(os.fdopen(writing, "w")))
        say(range(LINES))
        os.set_blocking(reading, False)
        before = os.read(reading, 10_000_000)
        say(range(LINES, LINES + 1))
        after = os.read(reading, 10_000_000)
    whole = [json.loads(line) for line in before.split(b"\n")[:-1]]
    assert [one["number"] for one in whole] == list(range(len(whole)))
    [*_, last, told] = [json.loads(line) for line in after.splitlines()[-2:]]
    assert last["number"] == LINES
    assert told["lines"] == LINES - len(whole)


def test_a_reader_that_is_gone_ends_nothing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as stderr:
        monkeypatch.setattr(sys, "stderr", stderr)
        say(range(3))
    assert told_of_lost(monkeypatch, tmp_path / "log") == 3


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has a disk that is full")
def test_a_full_disk_ends_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with Path("/dev/full").open("w") as stderr:
        monkeypatch.setattr(sys, "stderr", stderr)
        say(range(3))
    assert told_of_lost(monkeypatch, tmp_path / "log") == 3


def told_of_lost(monkeypatch: pytest.MonkeyPatch, file: Path) -> int:
    """How many lines, by the first that somebody reads again."""
    with file.open("w") as stderr:
        monkeypatch.setattr(sys, "stderr", stderr)
        say(range(1))
    [_, told] = map(json.loads, file.read_text().splitlines())
    return int(told["lines"])


def test_no_color_is_respected_at_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    ours, theirs = os.openpty()
    with ExitStack() as stack:
        stack.callback(os.close, ours)
        monkeypatch.setattr(sys, "stderr", stack.enter_context(os.fdopen(theirs, "w")))
        for setting, has_colors in (("1", False), ("", True)):
            monkeypatch.setenv("NO_COLOR", setting)
            logs.configure("delivery", "info")
            structlog.get_logger("consumers.test").warning("said")
            assert (b"\x1b[" in os.read(ours, 10_000)) is has_colors


def test_a_commit_that_failed_is_told_by_us_alone(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    with log.open("w") as stderr:
        monkeypatch.setattr(sys, "stderr", stderr)
        aiokafka = getLogger("aiokafka.consumer.group_coordinator")
        aiokafka.error("OffsetCommit failed for group %s - %s", "events", "Refused")
        aiokafka.error("Heartbeat send request failed: %s. Will retry.", "gone")
    said = [json.loads(line)["message"] for line in log.read_text().splitlines()]
    assert said == ["Heartbeat send request failed: gone. Will retry."]
