"""A slow function is told once; each call counts."""

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


def test_an_exception_is_passed_on() -> None:
    with pytest.raises(KeyError):
        Timed("us", fails)({}, Kind.EVENT)
