"""The wall clock that `ampgate chaos` sets: of whoever was started with it, while it runs."""

import subprocess
import sys
from pathlib import Path

from ampgate.lab.chaos.wall_clock import WallClock

HOUR = 3600.0
SHOWN = """
import sys, time
from pathlib import Path
from ampgate.lab.chaos.wall_clock import follow
right, monotonic = time.time, time.monotonic
follow(Path(sys.argv[1]))
for _ in sys.stdin:
    print(time.time() - right(), time.time_ns() / 1e9 - right(), time.monotonic() - monotonic())
    sys.stdout.flush()
"""


def test_a_running_process_sees_each_change_at_once_and_its_monotonic_clock_none(
    tmp_path: Path,
) -> None:
    clock = WallClock(tmp_path / "clock")
    clock.add()
    command = [sys.executable, "-c", SHOWN, str(clock.file)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        for ahead in (0.0, HOUR, -2 * HOUR, 0.0):
            clock.set(ahead)
            process.stdin.write("\n")
            process.stdin.flush()
            shown = [float(text) for text in process.stdout.readline().split()]
            assert [round(seconds / 60) for seconds in shown] == [ahead / 60, ahead / 60, 0]
        process.stdin.close()


def test_who_is_started_later_finds_it_as_it_was_set(tmp_path: Path) -> None:
    clock = WallClock(tmp_path / "clock")
    clock.add()
    clock.set(HOUR)
    clock.add()
    command = [sys.executable, "-c", SHOWN, str(clock.file)]
    found = subprocess.run(command, input="\n", capture_output=True, text=True, check=True)
    assert round(float(found.stdout.split()[0]) / 60) == 60


def test_the_command_runs_with_its_arguments(tmp_path: Path) -> None:
    clock = WallClock(tmp_path / "clock")
    clock.add()
    command = [sys.executable, "-m", "ampgate.lab.chaos.wall_clock", str(clock.file)]
    arguments = ["simulate", "nobody", "--port", "1"]
    found = subprocess.run([*command, *arguments], capture_output=True, text=True, check=False)
    plain = [sys.executable, "-m", "ampgate", *arguments]
    expected = subprocess.run(plain, capture_output=True, text=True, check=False)
    assert found.returncode == expected.returncode == 2
    assert "nobody" in found.stderr
