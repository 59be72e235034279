"""Both generators send all requests, by each way, and count what succeeds."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme

from ampgate.lab.kafka.ports import free_ports
from benchmarks import golang
from benchmarks.generator import Generator
from benchmarks.processes import get, process
from benchmarks.row import Figures, Selection


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("generator")


@pytest.fixture(params=["Python", "Go"], scope="module")
def generator(request: pytest.FixtureRequest, directory: Path) -> Generator:
    if request.param == "Python":
        return Generator(directory, None)
    built = golang.build(directory)
    if isinstance(built, golang.NoReference):
        pytest.skip(f"the compiled generator: {built.reason}")
    return Generator(directory, built.program)


@pytest.fixture(params=["http", "https"])
def sink(request: pytest.FixtureRequest, directory: Path) -> Iterator[str]:
    [port] = free_ports(1)
    url = f"{request.param}://127.0.0.1:{port}"
    words = ["benchmarks.sink", str(port), "200"]
    if request.param == "https":
        issued = trustme.CA().issue_cert("127.0.0.1")
        issued.private_key_and_cert_chain_pem.write_to_path(str(directory / "sink.pem"))
        words.append(str(directory / "sink.pem"))
    with process(*words, ready=url):
        yield url


@pytest.mark.long
def test_each_request_is_sent_once_by_every_way(generator: Generator, sink: str) -> None:
    scheme, _, port = sink.partition("://127.0.0.1:")
    ways = ("kept", "fresh") if scheme == "http" else ("tls", "fresh-tls")
    for way in ways:
        found = generator.load(int(port), 2, 70, way=way)
        assert (found.requests, found.failures) == (70, 0)
    paced = generator.load(int(port), 2, 20, rate=100, way=ways[0])

    assert paced.seconds >= 0.9 * 19 / 100  # Not at once.
    assert get(sink) == "160"


def test_only_rows_with_a_match_are_measured() -> None:
    def measure() -> Figures:
        raise AssertionError("it was measured")

    subjects = {"edge, native": measure, "delivery": measure}

    assert list(Selection(re.compile("native|Aampe")).of(subjects)) == ["edge, native"]
    assert list(Selection(re.compile("")).of(subjects)) == list(subjects)
