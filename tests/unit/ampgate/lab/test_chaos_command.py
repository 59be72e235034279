"""What `ampgate chaos` shows of its runs."""

import json
from pathlib import Path

import pytest

from ampgate.check.finding import Finding
from ampgate.lab.chaos.command import in_a_line, show_report, show_table
from ampgate.lab.chaos.report import Done, Report

DONE = [Done(1.0, "edges: kill -9, a new one after 0.4 s", 2.5)]
LOST = Finding("Amplitude", "1 lost: ann-0", "a promise is broken")


def report(*findings: Finding, logs: Path | None = None) -> Report:
    return Report(DONE, findings, events=7, retries=2, longest_wait=1.26, logs=logs)


def test_a_run_in_a_line_says_what_was_broken_and_what_failed() -> None:
    ran = in_a_line(report(Finding("Kafka", "all 7 events"), LOST, logs=Path("kept")), seed=3)
    assert (ran.ok, ran.broken, ran.failed, ran.longest_wait) == (False, 1, ["Amplitude"], 1.3)


def test_several_runs_are_a_table_of_a_line_for_each(capsys: pytest.CaptureFixture[str]) -> None:
    good, bad = report(Finding("Kafka", "all 7 events")), report(LOST, logs=Path("kept"))
    show_table([in_a_line(good, seed=3), in_a_line(bad, seed=4)])
    head, *rows = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert head == ["seed", "result", "broken", "events", "retries", "longest", "wait"]
    assert rows == [
        ["3", "ok", "1", "7", "2", "1.3", "s"],
        ["4", "FAILED:", "Amplitude", "1", "7", "2", "1.3", "s"],
    ]


def test_in_ndjson_the_run_comes_behind_what_it_did_and_found(
    capsys: pytest.CaptureFixture[str],
) -> None:
    bad = report(LOST, logs=Path("kept"))
    show_report(bad, in_a_line(bad, seed=4), as_json=True)
    did, found, ran = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert (did["took"], found["ok"]) == (2.5, False)
    assert (ran["seed"], ran["ok"], ran["logs"]) == (4, False, "kept")
