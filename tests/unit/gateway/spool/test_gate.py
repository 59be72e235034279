"""Three numbers that all workers share say whether records go to Kafka or to the disk."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from gateway.spool import gate as gates
from gateway.spool.gate import CLOSING, DRAINING, OPEN, SHUT, STATE, Gate
from tests.eventually import eventually


@pytest.fixture
def gate(tmp_path: Path) -> Gate:
    return Gate(tmp_path / "gate")


def state(gate: Gate) -> int:
    return gate._numbers[STATE]


def test_workers_share_it(tmp_path: Path, gate: Gate) -> None:
    gate.shut()
    assert Gate(tmp_path / "gate").is_shut


def test_its_place_on_the_disk_is_taken_at_the_start(tmp_path: Path, gate: Gate) -> None:
    """A write into a mapped file that finds no room ends the process (SIGBUS)."""
    assert (tmp_path / "gate").stat().st_blocks > 0
    assert gate.is_open


@pytest.mark.parametrize(
    ("before", "step", "after"),
    [
        (Gate.open, lambda gate: gate.kept(1), SHUT),
        (Gate.shut, lambda gate: gate.kept(1), SHUT),
        (lambda gate: gate.drain(is_last=True), lambda gate: gate.kept(1), CLOSING),
        (Gate.shut, lambda gate: gate.drain(is_last=False), DRAINING),
        (Gate.shut, lambda gate: gate.drain(is_last=True), CLOSING),
        # Those that wait as it closes wait for all that came before.
        (lambda gate: gate.drain(is_last=True), lambda gate: gate.drain(is_last=False), CLOSING),
        (Gate.shut, Gate.open, OPEN),
    ],
)
def test_what_follows_from_a_step(
    gate: Gate, before: Callable[[Gate], None], step: Callable[[Gate], None], after: int
) -> None:
    gate.shut()
    before(gate)
    step(gate)
    assert state(gate) == after


@pytest.mark.parametrize(("drained", "waits"), [(99, True), (101, False)])
async def test_half_as_much_comes_in_as_goes_out(
    gate: Gate, monkeypatch: pytest.MonkeyPatch, drained: int, waits: bool
) -> None:
    monkeypatch.setattr(gates, "PATIENCE_SECONDS", 60.0)
    gate.shut()
    gate.kept(1_000)  # Of before the drain: it does not count.
    gate.drain(is_last=False)
    gate.kept(50)
    gate.drained(drained)
    turn = asyncio.ensure_future(gate.turn())
    await asyncio.sleep(0)
    assert turn.done() is not waits
    gate.drained(2)
    await turn


async def test_while_nothing_is_drained_all_comes_in(
    gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gates, "PATIENCE_SECONDS", 60.0)
    gate.kept(1_000)
    turn = asyncio.ensure_future(gate.turn())
    await asyncio.sleep(0)
    assert turn.done()


async def test_a_drain_that_has_stopped_keeps_nobody_waiting(
    gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gates, "PATIENCE_SECONDS", 0.01)
    gate.shut()
    gate.drain(is_last=False)
    gate.kept(1_000)
    await gate.turn()
    gate.drain(is_last=True)
    await gate.settled()
    assert gate.is_shut


async def test_those_that_wait_as_it_closes_go_on_when_it_is_open(
    gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gates, "PATIENCE_SECONDS", 60.0)
    gate.shut()
    gate.drain(is_last=True)
    settled = asyncio.ensure_future(gate.settled())
    await asyncio.sleep(0)
    assert not settled.done()
    gate.open()
    await eventually(settled.done)
    assert gate.is_open
