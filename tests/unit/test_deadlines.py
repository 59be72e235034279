"""Tests wait for events: one deadline ends a hang, and no other bound fails on a slow machine."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
WAITS = {"timeout", "wait", "wait_for", "wait_procs", "communicate", "join", "seen", "eventually"}
SHORT_SECONDS = 1.0  # What is to run out, runs out soon.
# What else runs out, or must be below what it would take without us.
ALLOWED = {("unit/consumers/http/test_connecting.py", 60)}


def bounds(tree: ast.AST) -> Iterator[tuple[int, float]]:
    """Line and seconds of each wait that has a number of its own."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or name_of(node.func) not in WAITS:
            continue
        given = [*node.args, *(one.value for one in node.keywords if one.arg == "timeout")]
        for one in given:
            if isinstance(one, ast.Constant) and isinstance(one.value, int | float):
                yield node.lineno, one.value


def name_of(called: ast.expr) -> str:
    if isinstance(called, ast.Name):
        return called.id
    if isinstance(called, ast.Attribute):
        is_of_pytest = isinstance(called.value, ast.Attribute) and called.value.attr == "mark"
        return "" if is_of_pytest else called.attr
    return ""


@pytest.mark.parametrize("folder", sorted(one.name for one in TESTS.iterdir() if one.is_dir()))
def test_every_wait_of_a_test_ends_with_the_one_deadline(folder: str) -> None:
    found = [
        f"{file}:{line}: {seconds:g} s; use DEADLINE_SECONDS of tests/eventually.py"
        for file in sorted((TESTS / folder).rglob("*.py"))
        if "node_modules" not in file.parts
        for line, seconds in bounds(ast.parse(file.read_text(encoding="utf-8")))
        if seconds > SHORT_SECONDS and (str(file.relative_to(TESTS)), seconds) not in ALLOWED
    ]
    assert found == []


@pytest.mark.parametrize(
    "line",
    [
        "asyncio.timeout(20)",
        "process.wait(30)",
        "await asyncio.wait_for(process.wait(), 15)",
        "process.communicate(timeout=20.0)",
        "await seen(look, bool, 10)",
    ],
)
def test_a_bound_of_its_own_is_found(line: str) -> None:
    source = f"async def test() -> None:\n    {line}\n"
    assert [at for at, _ in bounds(ast.parse(source))] == [2]


def test_the_end_of_a_whole_test_is_no_wait() -> None:
    assert list(bounds(ast.parse("@pytest.mark.timeout(900)\ndef test(): pass"))) == []
