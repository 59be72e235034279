"""What a destination would be sent, shown without a Kafka and without sending it."""

import gzip
import io
import json
import os
import subprocess
import sys
import threading
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from ampgate.cli.main import app
from ampgate.preview.lines import chunks
from ampgate.send.lines import STANDARD_INPUT
from ampgate.testing import preview
from schemas.configuration.config import ConfigError

FUNCTIONS = "tests.unit.consumers.destinations.shaping.functions_of_users"
KEY = "a-key-that-nobody-may-see"
AMPLITUDE = {"name": "us", "type": "amplitude", "api_key": KEY}
AAMPE = {"name": "eu", "type": "aampe", "region": "europe-west3", "api_key": KEY}
EVENT: dict[str, Any] = {"event_type": "Bought", "user_id": "ann", "insert_id": "i", "time": 1}
UPDATE = {"user_id": "ann", "user_properties": {"$set": {"plan": "pro"}}}


def config(**keys: object) -> dict[str, Any]:
    return {"destinations": [{**AMPLITUDE, **keys}, {**AAMPE, **keys}]}


def test_no_secret_needs_to_be_there() -> None:
    absent = "${NOT_SET_ANYWHERE}"
    sections = {
        "console": {"token": absent},
        "sources": [{"name": "web", "write_key": absent}],
        "destinations": [{**AMPLITUDE, "api_key": absent}],
    }
    assert preview(sections, "us", EVENT)["endpoint"] == "/batch"


def test_an_event_becomes_the_request_that_is_shown() -> None:
    shown = preview(config(), "us", EVENT)
    options = {"min_id_length": 1}
    assert shown == {
        "endpoint": "/batch",
        "body": {"api_key": "***", "options": options, "events": [EVENT]},
        "lines": [1],
    }
    shown = preview(config(), "eu", EVENT)
    assert shown["endpoint"] == "/v1/events"
    assert shown["body"]["event_name"] == "Bought"


def test_an_update_is_shown_as_the_form_that_is_sent() -> None:
    shown = preview(config(), "us", UPDATE)
    assert shown["endpoint"] == "/identify"
    assert shown["body"].startswith("api_key=***&options=")
    assert KEY not in json.dumps(shown)


@pytest.mark.parametrize(
    ("keys", "event", "outcome", "reason"),
    [
        ({"events": {"deny": ["*"]}}, EVENT, "skipped", "not_routed"),
        ({"transform": f"{FUNCTIONS}:nothing"}, EVENT, "skipped", "transform"),
        ({"transform": f"{FUNCTIONS}:raises"}, EVENT, "dead", "transform_failed"),
        ({}, {"event_type": "Bought"}, "dead", "missing_id"),
        ({"where": {"country": ["DE"]}}, EVENT, "skipped", "no_region"),
    ],
)
def test_what_makes_no_request_has_its_reason(
    keys: dict[str, Any], event: dict[str, Any], outcome: str, reason: str
) -> None:
    shown = preview(config(**keys), "us", event)
    shown.pop("detail", None)
    assert shown == {"line": 1, "outcome": outcome, "reason": reason}


@pytest.mark.parametrize(
    ("function", "words"),
    [
        ("takes_everything", "changes user_id: it stays as it was"),
        ("drops_ids", "changes insert_id: it stays as it was"),
        ("counting", "changes what it shares with other calls: it must be pure"),
        ("counting", "is not pure: two calls with the same event differ"),
    ],
)
def test_a_function_that_breaks_its_contract_is_warned_of(function: str, words: str) -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        preview(config(transform=f"{FUNCTIONS}:{function}"), "us", EVENT)
    assert f"transform {FUNCTIONS}:{function} {words}" in [str(one.message) for one in caught]


def test_a_good_function_is_not_warned_of() -> None:
    assert preview(config(transform=f"{FUNCTIONS}:same"), "us", EVENT)["body"]["events"] == [EVENT]


def test_an_unknown_destination_is_told() -> None:
    with pytest.raises(ConfigError, match="there is no destination gone; configured are: eu, us"):
        preview(config(), "gone", EVENT)


@pytest.mark.parametrize("is_compressed", [False, True])
def test_a_file_becomes_requests_as_the_delivery_would_make_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_compressed: bool
) -> None:
    lines = [json.dumps(EVENT | {"insert_id": str(n)}) for n in range(2_001)]
    lines += ["", "{", json.dumps(UPDATE), json.dumps(UPDATE | {"user_properties": {"a": 1}})]
    text = "\n".join(lines).encode()
    file = tmp_path / "events.ndjson"
    file.write_bytes(gzip.compress(text) if is_compressed else text)
    (tmp_path / "ampgate.toml").write_text(
        '[[destinations]]\nname = "us"\ntype = "amplitude"\napi_key = "${NOT_HERE}"\n'
    )
    monkeypatch.setenv("AMPGATE_CONFIG", str(tmp_path / "ampgate.toml"))

    ran = CliRunner().invoke(app, ["preview", str(file), "--destination", "us", "--json"])
    assert ran.exit_code == 0, ran.output
    found = [json.loads(line) for line in ran.stdout.splitlines()]
    dead, whole, rest, updates = found
    assert dead == {"line": 2003, "outcome": "dead", "reason": "not_json"}
    assert (whole["endpoint"], whole["lines"]) == ("/batch", [*range(1, 2001)])
    assert (rest["endpoint"], rest["lines"]) == ("/batch", [2001])
    assert (updates["endpoint"], updates["lines"]) == ("/identify", [2004, 2005])  # Merged.

    ran = CliRunner().invoke(app, ["preview", str(file), "--destination", "us"])
    assert "line 2003: dead (not_json" in ran.stdout
    assert "POST /identify, lines 2004, 2005" in ran.stdout


def test_the_plan_of_a_source_holds(tmp_path: Path) -> None:
    (plan := tmp_path / "plan.json").write_text('{"events": {}}')
    source = {"name": "web", "write_key": "k", "plan": str(plan), "plan_mode": "block"}
    shown = preview({**config(), "sources": [source]}, "us", EVENT, source="web")
    assert shown["reason"] == "not_in_plan"


@pytest.mark.parametrize("options", [(), ("--json",)])
def test_an_integer_of_more_than_64_bits_is_shown_as_it_is_sent(
    tmp_path: Path, options: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "ampgate.toml").write_text(
        '[[destinations]]\nname = "us"\ntype = "amplitude"\napi_key = "k"\n'
    )
    monkeypatch.setenv("AMPGATE_CONFIG", str(tmp_path / "ampgate.toml"))
    large = {**EVENT, "event_properties": {"n": 10**30}}
    (file := tmp_path / "events.ndjson").write_text(json.dumps(large))

    ran = CliRunner().invoke(app, ["preview", str(file), "--destination", "us", *options])
    assert (ran.exit_code, f"{10**30}" in ran.stdout) == (0, True), ran.exception


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_a_pipe_is_read_as_a_file_is(pack: Callable[[bytes], bytes], tmp_path: Path) -> None:
    """As of `ampgate preview <(zcat …)`, and of a packed standard input."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writing = threading.Thread(target=pipe.write_bytes, args=[pack(b'{"n":1}\n\n{"n":2}')])
    writing.start()
    try:
        assert list(chunks(pipe)) == [[(1, b'{"n":1}'), (3, b'{"n":2}')]]
    finally:
        writing.join()


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_standard_input_is_read_as_a_file_is(
    pack: Callable[[bytes], bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(pack(b'{"n":1}\n'))))
    assert list(chunks(STANDARD_INPUT)) == [[(1, b'{"n":1}')]]


def test_a_source_that_nobody_configured_is_refused() -> None:
    """Its plan and the destinations' `sources` would be passed over in silence."""
    sources = [{"name": "web", "write_key": "a-key-of-the-web"}]
    with pytest.raises(ConfigError, match="there is no source wbe; there are: kafka, web"):
        preview({**config(), "sources": sources}, "us", EVENT, source="wbe")


def test_what_a_function_prints_is_no_result(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "noisy_mapping.py").write_text('print("one")\ndef f(event):\n    print("two")\n')
    (tmp_path / "ampgate.toml").write_text(
        '[[destinations]]\nname = "us"\ntype = "amplitude"\napi_key = "k"\n'
        'transform = "noisy_mapping:f"\n'
    )
    (tmp_path / "events.ndjson").write_text(json.dumps(EVENT))
    monkeypatch.setenv("AMPGATE_CONFIG", str(tmp_path / "ampgate.toml"))
    command = ["preview", str(tmp_path / "events.ndjson"), "--destination", "us", "--json"]
    shown = CliRunner().invoke(app, command)
    assert [json.loads(line) for line in shown.stdout.splitlines()] == [
        {"line": 1, "outcome": "skipped", "reason": "transform"}
    ]
    assert "two" in shown.stderr


def test_a_function_that_does_not_return_is_told_with_its_line(tmp_path: Path) -> None:
    """As in the delivery; its five seconds pass faster here."""
    (tmp_path / "endless_mapping.py").write_text("def f(event):\n    while True:\n        pass\n")
    (tmp_path / "ampgate.toml").write_text(
        '[[destinations]]\nname = "us"\ntype = "amplitude"\napi_key = "k"\n'
        'transform = "endless_mapping:f"\n'
    )
    (tmp_path / "events.ndjson").write_text(json.dumps(EVENT))
    script = (
        "from ampgate.__main__ import run; from consumers import interruption;"
        " interruption.TICK_SECONDS = 0.02; run()"
    )
    command = [sys.executable, "-c", script, "preview", "events.ndjson", "--destination", "us"]
    environment = os.environ | {"AMPGATE_CONFIG": "ampgate.toml", "PYTHONPATH": str(Path.cwd())}
    shown = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
    )
    assert shown.stdout.startswith("line 1: dead (transform_failed: ")
    assert "endless_mapping.py (f)" in shown.stdout
