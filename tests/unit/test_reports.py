"""Whatever a test does, a failure ends in its report and not the run."""

import subprocess
import sys
from pathlib import Path

import pytest

# A finalizer that logs a traceback does the same, but not at a moment that one can name.
PARSING_WHILE_GARBAGE_IS_COLLECTED = """
import ast
import gc

def parsing(phase, _info, deep=60):
    if phase == "start":
        parsing(phase, _info, deep - 1) if deep else ast.parse("a = 1")

def test_it():
    gc.callbacks.append(parsing)
    gc.set_threshold(2)
    assert False, "it failed"

def test_the_next():
    gc.callbacks.clear()
"""


@pytest.mark.long
def test_a_parser_in_a_finalizer_does_not_end_the_run(tmp_path: Path) -> None:
    file = tmp_path / "test_it.py"
    file.write_text(PARSING_WHILE_GARBAGE_IS_COLLECTED)
    command = [sys.executable, "-m", "pytest", "-p", "tests.conftest", "-c", "/dev/null", str(file)]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)

    assert "it failed" in ended.stdout
    assert "1 failed, 1 passed" in ended.stdout
