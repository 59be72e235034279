"""A disk that is full for one process, as `ampgate chaos` makes it for a broker."""

import errno
import subprocess
import sys
from pathlib import Path

import pytest

from ampgate.lab.chaos import full_disk

WRITING = """
import os, sys
with open(sys.argv[1], "ab", buffering=0) as file:
    for _ in sys.stdin:
        try:
            print(file.write(b"x"), flush=True)
        except OSError as error:
            print(-error.errno, flush=True)
"""


@pytest.mark.skipif(not full_disk.IS_POSSIBLE, reason="only Linux limits another process")
def test_a_file_that_is_open_grows_no_more_and_other_processes_write(tmp_path: Path) -> None:
    file = tmp_path / "log"
    command = [sys.executable, "-c", WRITING, str(file)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        answers = []
        for fills in (False, True):
            if fills:
                full_disk.fill(process.pid)
            process.stdin.write("\n")
            process.stdin.flush()
            answers.append(int(process.stdout.readline()))
        process.stdin.close()
    assert answers == [1, -errno.EFBIG]
    (tmp_path / "other").write_bytes(b"x")
    assert file.read_bytes() == b"x"
