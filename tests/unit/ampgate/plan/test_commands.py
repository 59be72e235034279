"""The commands about plans that need no Kafka."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from ampgate.cli.main import app
from schemas.configuration.config import ConfigError

GOOD = '{"event_type":"a","user_id":"u","event_properties":{"n":1}}\n'
BAD = '{"event_type":"b","user_id":"u"}\n' + GOOD.replace("1", '"1"') + "{\n"


@pytest.fixture
def events(tmp_path: Path) -> Path:
    (file := tmp_path / "events.ndjson").write_text(GOOD)
    return file


def run(*arguments: object) -> tuple[int, str]:
    ran = CliRunner().invoke(app, ["plan", *map(str, arguments)])
    if ran.exception is not None and not isinstance(ran.exception, SystemExit):
        raise ran.exception
    return ran.exit_code, ran.stdout


def test_a_file_is_inferred_checked_and_its_drift_applied(tmp_path: Path, events: Path) -> None:
    plan = tmp_path / "plan.json"
    assert run("infer", "--from", events, "--out", plan) == (0, "")
    assert run("check", events, "--plan", plan) == (0, "")

    events.write_text(GOOD + BAD)
    status, said = run("check", events, "--plan", plan, "--json")
    assert status == 1
    found = [json.loads(line) for line in said.splitlines()]
    assert [(one["line"], one["reason"], one["path"]) for one in found] == [
        (2, "not_in_plan", "event_type"),
        (3, "violates_plan", "event_properties.n"),
        (4, "not_json", ""),
    ]
    status, said = run("diff", plan, "--from", events, "--apply", "--json")
    told = [json.loads(line) for line in said.splitlines()]
    assert [(one["drift"], one["sources"]) for one in told] == [
        ("differs", {"events.ndjson": 1}),
        ("not_planned", {"events.ndjson": 1}),
    ]
    events.write_text(events.read_text().removesuffix("{\n"))
    assert run("check", events, "--plan", plan, "--out", tmp_path / "found") == (0, "")
    assert (tmp_path / "found").read_text() == ""


def test_a_plan_with_mistakes_is_told(tmp_path: Path, events: Path) -> None:
    (plan := tmp_path / "plan.json").write_text('{"events": {"a": {"typ": 1}}}')
    with pytest.raises(ConfigError, match=r"plan\.json: events\.a\.typ: JSON Schema has no"):
        run("check", events, "--plan", plan)


def test_lines_that_are_no_records_are_told_beside_the_plan(events: Path) -> None:
    """As of a file with one JSON array: its plan would be empty without a word."""
    events.write_text(GOOD + "[\n{\n")
    ran = CliRunner().invoke(app, ["plan", "infer", "--from", str(events)])
    assert (ran.exit_code, list(json.loads(ran.stdout)["events"])) == (0, ["a"])
    assert "of 1 records\n2 were passed over: they are no records\n" in ran.stderr
