"""Whatever is named where a file is expected: neither waits nor fills the memory."""

import os
import re
from collections.abc import Callable
from pathlib import Path
from threading import Thread

import pytest
from pydantic import SecretStr

from gateway.server.tls import context_of
from schemas import small_file
from schemas.configuration.config import ConfigError
from schemas.configuration.file import load
from schemas.plans.document import PlanError
from schemas.plans.plan import plan_at
from schemas.small_file import UnusableFileError, content_of

KEY_FILE = '[[sources]]\nname = "web"\nwrite_key_file = "{}"'


@pytest.fixture(params=["pipe", "device", "directory"])
def no_file(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    path = tmp_path / "named"
    if request.param == "pipe":
        os.mkfifo(path)
    elif request.param == "device":
        path.symlink_to("/dev/zero")
    else:
        path.mkdir()
    return path


def as_secret(path: Path) -> None:
    configuration = path.with_name("ampgate.toml")
    configuration.write_text(KEY_FILE.format(path))
    load(configuration, {})


def as_configuration(path: Path) -> None:
    load(path, {})


def as_certificate(path: Path) -> None:
    context_of(path, None)


@pytest.mark.parametrize(
    ("use", "refusal"),
    [
        (content_of, OSError),
        (plan_at, PlanError),
        (as_secret, ConfigError),
        (as_configuration, ConfigError),
        (as_certificate, OSError),
    ],
)
def test_only_a_regular_file_is_read(
    use: Callable[[Path], object],
    refusal: type[Exception],
    no_file: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(small_file, "SILENT_MS", 10)
    with pytest.raises(refusal, match=r"no regular file|nobody writes|Is a directory") as refused:
        use(no_file)
    # A plan's name is told by whoever reads it.
    assert use is plan_at or str(no_file) in str(refused.value)


def test_a_configuration_and_its_secrets_may_come_from_pipes(tmp_path: Path) -> None:
    """As a shell makes them of `<(command)`."""
    secret, configuration = tmp_path / "secret", tmp_path / "configuration"
    os.mkfifo(secret)
    os.mkfifo(configuration)
    long = KEY_FILE.format(secret) + "\n" + "# a comment\n" * 20_000
    writers = [
        Thread(target=secret.write_text, args=("key\n",)),
        Thread(target=configuration.write_text, args=(long,)),
    ]
    for writer in writers:
        writer.start()

    config = load(configuration, {})
    for writer in writers:
        writer.join()
    assert config.sources[0].write_key == SecretStr("key")


def test_a_pipe_without_an_end_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(small_file, "BYTES_MAX", 3)
    ours, theirs = os.pipe()
    os.write(theirs, b"abcd")
    with pytest.raises(UnusableFileError, match="more than 3 bytes"):
        content_of(Path(f"/dev/fd/{ours}"), may_be_pipe=True)

    os.close(ours)
    os.close(theirs)


def test_a_link_to_a_file_is_read(tmp_path: Path) -> None:
    """As Kubernetes mounts secrets."""
    (tmp_path / "key").write_bytes(b"secret")
    (tmp_path / "link").symlink_to("key")

    assert content_of(tmp_path / "link") == b"secret"


def test_a_large_file_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(small_file, "BYTES_MAX", 3)
    file = tmp_path / "file"
    file.write_bytes(b"abc")
    assert content_of(file) == b"abc"

    file.write_bytes(b"abcd")
    with pytest.raises(UnusableFileError, match=f"more than 3 bytes: {re.escape(str(file))}"):
        content_of(file)
