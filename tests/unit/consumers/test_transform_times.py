"""A slow function is told once; each call counts."""

import signal
import time
from typing import Any

import pytest
from structlog.testing import capture_logs

from consumers.transform_times import SLOW_SECONDS, Timed
from schemas.topics import Kind


def slowly(event: dict[str, Any], _kind: Kind) -> object:
    until = time.perf_counter() + SLOW_SECONDS * 1.01
    while time.perf_counter() < until:
        pass
    return event


def fails(_event: dict[str, Any], _kind: Kind) -> object:
    raise KeyError("price")


def test_a_slow_function_is_told_once() -> None:
    function = Timed("us", slowly)
    with capture_logs() as logs:
        assert [function({"n": n}, Kind.EVENT) for n in range(2)] == [{"n": 0}, {"n": 1}]
    (told,) = logs
    assert told["event"] == "transform is slow, fewer records are read at once"
    assert (told["log_level"], told["destination"]) == ("warning", "us")


def interrupted(_event: dict[str, Any], _kind: Kind) -> object:
    raise KeyboardInterrupt


def test_ctrl_c_ends_a_command_also_inside_of_a_function(monkeypatch: pytest.MonkeyPatch) -> None:
    """A loop has a handler of its own: what a function raises there is the function's."""
    for handler, raised in ((signal.default_int_handler, KeyboardInterrupt), (None, RuntimeError)):
        monkeypatch.setattr(signal, "getsignal", lambda _number, now=handler: now)
        with pytest.raises(raised):
            Timed("us", interrupted)({}, Kind.EVENT)


def test_an_exception_is_passed_on() -> None:
    with pytest.raises(KeyError):
        Timed("us", fails)({}, Kind.EVENT)
