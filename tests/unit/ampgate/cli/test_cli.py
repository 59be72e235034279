"""What commands say, and their exit codes."""

import gzip
import shlex
import shutil
import socket
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest
from typer.testing import CliRunner

from ampgate.cli import main as cli
from ampgate.lab.dev.announcement import command
from ampgate.lab.kafka.ports import free_ports


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    """The exit code of the command, run as the entry point runs it."""
    monkeypatch.setattr(sys, "argv", ["ampgate", *arguments])
    with pytest.raises(SystemExit) as exit_info:
        cli.main()
    assert isinstance(exit_info.value.code, int)
    return exit_info.value.code


@pytest.mark.parametrize("command", [["edge"], ["deliver"], ["check"], ["topics", "create"]])
def test_a_wrong_configuration_is_one_message_and_exit_2(
    command: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    file = tmp_path / "ampgate.toml"
    file.write_text("[edge]\nprot = 1\n")
    monkeypatch.setenv("AMPGATE_CONFIG", str(file))
    assert run(monkeypatch, *command) == 2
    output = capsys.readouterr()
    assert output.out == ""
    (line,) = output.err.splitlines()
    assert line.startswith(
        f"ampgate: {file}: edge.prot: unknown key; known are ack_timeout_seconds"
    )


def test_no_configuration_is_exit_2(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / ":key:.toml"  # The words of others are no pictures.
    monkeypatch.setenv("AMPGATE_CONFIG", str(file))
    assert run(monkeypatch, "check") == 2
    assert f"{file}: there is no such file" in capsys.readouterr().err


def test_an_unknown_destination_is_exit_2(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "ampgate.toml"
    lines = [f'[[destinations]]\nname = "{n}"\ntype = "amplitude"\napi_key = "k"' for n in "ba"]
    file.write_text("\n".join(lines))
    monkeypatch.setenv("AMPGATE_CONFIG", str(file))
    assert run(monkeypatch, "deliver", "nowhere") == 2
    said = "ampgate: there is no destination nowhere; configured are: a, b\n"
    assert capsys.readouterr().err == said


def test_the_version_is_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, "--version") == 0
    assert capsys.readouterr().out == f"ampgate {version('ampgate')}\n"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_output_that_cannot_be_written_is_one_message_and_exit_1(tmp_path: Path) -> None:
    file = tmp_path / "events.ndjson"
    file.touch()
    command = [sys.executable, "-m", "ampgate", "send", str(file), "--key", "k"]
    with Path("/dev/full").open("w") as full:
        ended = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert ended.returncode == 1
    assert ended.stderr == "ampgate: [Errno 28] No space left on device\n"


@pytest.mark.parametrize(
    "arguments",
    [
        ["no-such-command"],
        ["simulate", "segment", "--port", "1"],
        ["send", "no-such-file", "--key", "k"],
        ["topics", "create", "--partitions", "0"],
        ["topics", "create", "--partitions", "10001"],
        ["dev", "--kafka-port", "65536"],
        ["send", "-", "--key", "k", "--url", "shop.example:8080"],
        ["send", "-", "--key", "k", "--url", "http://"],
        ["send", "-", "--key", "a-key-of-a-file\r"],
        ["dead-letters", "list", "--since", "1h", "--until", "2h"],
        ["dead-letters", "replay", "--since", "now", "--until", "7d", "--yes"],
        ["plan", "infer", "--from", "-", "--out", "."],
        ["suppress", "remove", "--user", "u" * 2_049],
        ["suppress", "remove", "--domain", "d" * 2_049],
    ],
)
def test_wrong_usage_is_exit_2(arguments: list[str]) -> None:
    assert CliRunner().invoke(cli.app, arguments).exit_code == 2


def test_a_line_that_is_longer_than_any_user_id_is_exit_2(tmp_path: Path) -> None:
    file = tmp_path / "users"
    file.write_text("u" * 2_048 + "\n" + "u" * 3_000)
    result = CliRunner().invoke(cli.app, ["suppress", "remove", str(file)])
    assert (result.exit_code, "is longer than" in result.output) == (2, True), result.output


def test_a_file_with_only_bad_lines_is_exit_1_without_any_edge(tmp_path: Path) -> None:
    file = tmp_path / "events.ndjson.gz"
    file.write_bytes(gzip.compress(b"\n{\n"))
    result = CliRunner().invoke(cli.app, ["send", str(file), "--key", "k", "--json"])
    assert result.exit_code == 1
    assert '"lines":1,"accepted":0,"rejected":1' in result.stdout


def test_send_says_that_it_waits_for_an_edge_that_is_not_there(tmp_path: Path) -> None:
    file = tmp_path / "events.ndjson"
    file.write_text('{"user_id": "u"}')
    [port] = free_ports(1)
    url = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "ampgate", "send", str(file), "--key", "k", "--url", url]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as sending:
        assert sending.stderr is not None
        said = sending.stderr.readline()
        sending.kill()
    assert said.startswith(f"waiting: {url}: Connection refused")


def test_a_line_to_go_on_with_that_is_not_there_is_told(tmp_path: Path) -> None:
    file = tmp_path / "events.ndjson"
    file.write_text("{}\n{}\n")
    result = CliRunner().invoke(cli.app, ["send", str(file), "--key", "k", "--resume", "99"])
    assert "nothing is left to send: there is no record from line 99 on" in result.output


def test_a_kafka_that_cannot_be_reached_is_told_with_the_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    server = f"127.0.0.1:{free_ports(1)[0]}"
    file = tmp_path / "ampgate.toml"
    file.write_text(f'[kafka]\nbootstrap_servers = "{server}"\n')
    monkeypatch.setenv("AMPGATE_CONFIG", str(file))
    assert run(monkeypatch, "trace", "--user", "ann") == 1
    (said,) = capsys.readouterr().err.splitlines()
    assert said.startswith(f"ampgate: Kafka at {server} cannot be reached, or does not let us in (")
    assert "Connect call failed" in said


def test_no_command_waits_for_the_metrics_library() -> None:
    script = "import sys, ampgate.cli.main; sys.exit('prometheus_client' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0


def test_a_simulators_port_that_is_taken_is_one_message_and_exit_2(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        assert run(monkeypatch, "simulate", "aampe", "--port", port) == 2
    assert f"ampgate: simulate: cannot listen on 127.0.0.1:{port}" in capsys.readouterr().err


def test_dev_without_a_place_for_its_data_is_exit_1(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    assert run(monkeypatch, "dev", "--data-dir", str(tmp_path / "file" / "data")) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.endswith("/file/data: Not a directory; --data-dir names another place")


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs a directory nobody can write to")
def test_dev_writes_over_no_configuration_but_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "ampgate.toml"
    file.write_text("[edge]\nport = 8081\n")
    assert run(monkeypatch, "dev", "--data-dir", str(tmp_path)) == 1
    assert f"{file} is not of ampgate dev" in capsys.readouterr().err
    assert file.read_text() == "[edge]\nport = 8081\n"


def test_dev_beside_another_users_data_is_one_message_and_exit_1(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, "dev", "--data-dir", "/proc/self") == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("ampgate: nothing can be kept in /proc/self: ")


def test_what_dev_says_to_type_is_a_command() -> None:
    (program,) = shlex.split(command())
    assert shutil.which(program) is not None


def test_dev_names_the_port_that_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        monkeypatch.setenv("AMPGATE_KAFKA__BOOTSTRAP_SERVERS", "127.0.0.1:1")
        monkeypatch.setenv("AMPGATE_CONFIG", "")  # So that what `dev` sets is undone.
        code = run(monkeypatch, "dev", "--data-dir", str(tmp_path), "--amplitude-port", str(port))
    assert code == 1
    assert f"{port} (for the Amplitude simulator)" in capsys.readouterr().err
