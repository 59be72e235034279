"""How the process of a command ends."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.eventually import DEADLINE_SECONDS

# The HTTP client's threads abort a process that Python finalizes: so it must not.
SCRIPT = """
import atexit, sys
from types import ModuleType

main = ModuleType("ampgate.cli.main")
def run():
    atexit.register(print, "finalized")
    print("said")
    {ends}
main.main = run
sys.modules["ampgate.cli.main"] = main
from ampgate.__main__ import run
run()
"""

# Its imports take a second or more: long enough for a signal.
WHILE_IMPORTING = """
import os, signal, sys

class Importing:
    def find_spec(self, name, *_):
        if name == "ampgate.cli.main":
            os.kill(os.getpid(), {number})

signal.signal(signal.SIGHUP, signal.SIG_DFL)  # Who began us with `nohup` had it ignored.
sys.meta_path.insert(0, Importing())
from ampgate.__main__ import run
run()
"""


@pytest.mark.parametrize(
    ("ends", "status", "error"),
    [
        ("", 0, ""),
        ("sys.exit()", 0, ""),
        ("sys.exit(2)", 2, ""),
        ("sys.exit('no')", 1, "no"),
        ("raise ValueError('a bug')", 1, "ValueError: a bug"),
        ("raise KeyboardInterrupt", 130, ""),
    ],
)
def test_a_command_ends_with_its_status_and_output_and_without_finalization(
    ends: str, status: int, error: str
) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", SCRIPT.format(ends=ends)],
        capture_output=True,
        text=True,
        check=False,
    )

    assert (ended.returncode, ended.stdout) == (status, "said\n")
    assert ended.stderr.strip().endswith(error)
    assert ("Traceback" in ended.stderr) == ("Error" in error)


@pytest.mark.parametrize(("command", "status"), [("deliver", 2), ("pull --once", -signal.SIGHUP)])
def test_a_sighup_as_a_process_starts_ends_only_commands_that_do_not_reload(
    command: str, status: int, tmp_path: Path
) -> None:
    """There is no configuration: so the others end with that error, and not by the signal."""
    ended = subprocess.run(
        [sys.executable, "-c", WHILE_IMPORTING.format(number=1), *command.split()],
        env=os.environ | {"AMPGATE_CONFIG": str(tmp_path / "none.toml")},
        capture_output=True,
        check=False,
    )
    assert ended.returncode == status, ended.stderr


def test_ctrl_c_as_a_process_starts_ends_it_without_a_traceback() -> None:
    """Its imports take a second or more, before the command itself can be interrupted."""
    script = WHILE_IMPORTING.format(number=2)
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, check=False)
    assert (ended.returncode, ended.stderr) == (130, b"")


def test_a_crash_in_native_code_says_where() -> None:
    script = SCRIPT.format(ends="import os, signal; os.kill(os.getpid(), signal.SIGSEGV)")
    ended = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    assert ended.returncode == -signal.SIGSEGV
    assert "Segmentation fault" in ended.stderr
    assert "in run" in ended.stderr


def test_output_that_nobody_reads_is_no_error_message() -> None:
    read, written = os.pipe()
    os.close(read)
    ended = subprocess.run(
        [sys.executable, "-E", "-c", SCRIPT.format(ends="")],
        stdout=written,
        stderr=subprocess.PIPE,
        check=False,
    )
    os.close(written)

    assert (ended.returncode, ended.stderr) == (1, b"")


def test_an_argument_that_is_not_utf8_is_told_in_a_sentence(tmp_path: Path) -> None:
    """As a terminal with another encoding writes it; a file may have such a name."""
    for arguments in (
        [b"trace", b"--user", b"M\xfcller"],
        [b"suppress", b"add", b"--user", b"\xff"],
    ):
        ended = subprocess.run(
            [sys.executable, "-m", "ampgate", *arguments],
            cwd=tmp_path,
            capture_output=True,
            check=False,
        )
        assert (ended.returncode, b"is not UTF-8: b'" in ended.stderr) == (2, True), ended.stderr


@pytest.mark.parametrize("package", ["schemas", "gateway", "consumers"])
@pytest.mark.parametrize("form", ["folder", "file"])
def test_a_package_of_the_users_with_one_of_our_names_is_told_in_one_sentence(
    package: str, form: str, tmp_path: Path
) -> None:
    mine = tmp_path / package / "__init__.py" if form == "folder" else tmp_path / f"{package}.py"
    mine.parent.mkdir(exist_ok=True)
    mine.write_text("MINE = 1\n")
    command = [sys.executable, "-m", "ampgate", "--version"]
    ended = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)

    assert ended.returncode == 1
    (said,) = ended.stderr.splitlines()
    assert f"the package `{package}` at {tmp_path}" in said
    assert "is not ampgate's own" in said


def test_what_a_terminal_has_no_character_for_is_escaped_as_in_json() -> None:
    script = SCRIPT.replace('print("said")', 'print("… 😀 é")').format(ends="pass")
    ended = subprocess.run(
        [sys.executable, "-c", script],
        env=os.environ | {"PYTHONIOENCODING": "latin-1"},
        capture_output=True,
        check=False,
    )
    assert (ended.returncode, ended.stderr) == (0, b"")
    assert json.loads(b'"%b"' % ended.stdout.strip().replace(b"\xe9", b"e")) == "… 😀 e"


def test_a_standard_output_that_is_closed_is_no_failure() -> None:
    ended = subprocess.run(
        ["/bin/sh", "-c", '"$0" -c "$1" >&-', sys.executable, SCRIPT.format(ends="pass")],
        capture_output=True,
        check=False,
    )
    assert (ended.returncode, ended.stderr) == (0, b"")


@pytest.mark.long
@pytest.mark.parametrize("command", ["edge", "deliver", "console", "pull"])
def test_a_reload_while_a_server_starts_does_not_end_it(command: str, tmp_path: Path) -> None:
    """As of `systemctl reload` right after a start: the signal waits for its handler."""
    file = tmp_path / "ampgate.toml"
    os.mkfifo(file)
    with subprocess.Popen(
        [sys.executable, "-m", "ampgate", command],
        env=os.environ | {"AMPGATE_CONFIG": str(file)},
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        with file.open("w") as configuration:  # Once it reads.
            process.send_signal(signal.SIGHUP)
            configuration.write("[edge]\nprot = 1\n")
        _, said = process.communicate(timeout=DEADLINE_SECONDS)
    assert (process.returncode, "unknown key" in said) == (2, True), said
