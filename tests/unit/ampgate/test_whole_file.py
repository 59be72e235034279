"""A file that a command writes is whole, or as it was before."""

import os
import stat
import threading
from pathlib import Path

import pytest

from ampgate.whole_file import whole_file


def test_a_failure_leaves_what_was_there(tmp_path: Path) -> None:
    (file := tmp_path / "plan.json").write_text("before")

    def fail() -> None:
        with whole_file(file) as opened:
            opened.write(b"half of it")
            raise OSError("full")

    with pytest.raises(OSError, match="full"):
        fail()
    assert [(one.name, one.read_text()) for one in tmp_path.iterdir()] == [("plan.json", "before")]


def test_a_link_stays_a_link_and_the_mode_stays(tmp_path: Path) -> None:
    (file := tmp_path / "plan.json").write_text("before")
    file.chmod(0o640)
    (link := tmp_path / "link").symlink_to(file)
    with whole_file(link) as opened:
        opened.write(b"after")
    assert (link.is_symlink(), file.read_text()) == (True, "after")
    assert stat.S_IMODE(file.stat().st_mode) == 0o640


def test_a_pipe_is_written_to(tmp_path: Path) -> None:
    os.mkfifo(pipe := tmp_path / "pipe")
    got: list[str] = []
    reader = threading.Thread(target=lambda: got.append(pipe.read_text()))
    reader.start()
    with whole_file(pipe) as opened:
        opened.write(b"a line\n")
    reader.join()
    assert (got, pipe.is_fifo()) == (["a line\n"], True)
