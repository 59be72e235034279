"""A file has at most 250 lines, a function at most 50, tests included."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.docs.test_words import ROOT, tracked

FILE_LINES_MAX = 250
FUNCTION_LINES_MAX = 50


def too_long(file: Path) -> Iterator[str]:
    text, name = file.read_text(), file.relative_to(ROOT)
    if (lines := len(text.splitlines())) > FILE_LINES_MAX:
        yield f"{name} has {lines} lines: split it by what is in it"
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.end_lineno:
            lines = node.end_lineno - node.lineno + 1
            if lines > FUNCTION_LINES_MAX:
                yield f"{name}:{node.lineno} {node.name} has {lines} lines"


def test_no_file_has_more_than_250_lines_and_no_function_more_than_50() -> None:
    files = tracked("**/*.py")

    assert files
    assert [told for file in files for told in too_long(file)] == []


def test_what_is_too_long_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "long.py"
    file.write_text("def long():\n" + "    ...\n" * 250)
    monkeypatch.setattr("tests.docs.test_sizes.ROOT", tmp_path)

    assert len(list(too_long(file))) == 2
