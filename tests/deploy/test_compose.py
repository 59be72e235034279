"""docker compose, run: from a request to the edge to an event in both destinations."""

import shutil
import subprocess
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from ampgate.lab.kafka.jars import KAFKA_VERSION
from tests.eventually import DEADLINE_SECONDS

ROOT = Path(__file__).parents[2]
IMAGES = ("python:3.13-slim", f"apache/kafka:{KAFKA_VERSION}")
# Ports and the image's name may be taken on this machine; all else is as the file says.
CHANGES = """
services:
  kafka: {{ports: !override ["127.0.0.1::9092"]}}
  topics: {{image: {name}}}
  edge: {{image: {name}, ports: !override ["127.0.0.1::8080", "127.0.0.1::8081"]}}
  delivery: {{image: {name}, ports: !override ["127.0.0.1::9090"]}}
  amplitude: {{image: {name}-lab, ports: !override ["127.0.0.1::9101"]}}
  aampe: {{image: {name}-lab, ports: !override ["127.0.0.1::9102"]}}
"""

pytestmark = pytest.mark.timeout(900)  # The first build downloads packages.

Compose = Callable[..., str]


def missing() -> str | None:
    """What is not here. Nothing is downloaded for these tests but the image's packages."""
    if shutil.which("docker") is None:
        return "docker is not installed"
    if not succeeds("docker", "compose", "version"):
        return "docker compose is not installed"
    if not succeeds("docker", "image", "inspect", *IMAGES):
        return f"no Docker engine that has {' and '.join(IMAGES)}"
    return None


def succeeds(*command: str) -> bool:
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


@pytest.fixture(scope="module")
def compose(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Compose]:
    """`docker compose` with everything up; Prometheus and Grafana only watch, and are left out."""
    if reason := missing():
        pytest.skip(reason)
    name = f"ampgate-{uuid.uuid4().hex[:8]}"
    changes = tmp_path_factory.mktemp("compose") / "changes.yml"
    changes.write_text(CHANGES.format(name=name))
    words = ["docker", "compose", "--project-name", name, "--project-directory", str(ROOT)]
    words += ["--file", str(ROOT / "docker-compose.yml"), "--file", str(changes)]

    def run(*arguments: str) -> str:
        done = subprocess.run([*words, *arguments], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    try:
        run("up", "--build", "--wait", "edge", "delivery", "amplitude", "aampe")
        yield run
    finally:
        run("down", "--volumes")
        images = (name, f"{name}-lab")
        subprocess.run(["docker", "image", "rm", *images], capture_output=True, check=False)


def url(compose: Compose, service: str, port: int) -> str:
    return f"http://{compose('port', service, str(port))}"


def send(compose: Compose, count: int) -> None:
    events = [{"event_type": "Sign Up", "user_id": f"ann-{n}"} for n in range(count)]
    key = {"Authorization": "Bearer dev"}
    answer = httpx.post(f"{url(compose, 'edge', 8080)}/v1/events", headers=key, json=events)
    assert answer.json() == {"accepted": count, "rejected": []}


def received(compose: Compose, count: int) -> dict[str, int]:
    """What each destination got since it started, once that is so many events, or too late.

    Repeats are not counted.
    """
    found: dict[str, int] = {}
    for service, port in (("amplitude", 9101), ("aampe", 9102)):
        stats = f"{url(compose, service, port)}/_stats"
        deadline = time.monotonic() + DEADLINE_SECONDS
        while (got := httpx.get(stats).json()["distinct_insert_ids"]) < count:
            if time.monotonic() > deadline:
                break
            time.sleep(0.2)  # A simulator in a container tells nobody what it got.
        found[service] = got
    return found


def test_every_event_gets_there_though_deliveries_come_and_are_killed(compose: Compose) -> None:
    send(compose, 1)
    assert received(compose, 1) == {"amplitude": 1, "aampe": 1}

    compose("kill", "--signal", "SIGKILL", "delivery")
    send(compose, 500)
    compose("start", "delivery")
    assert received(compose, 501) == {"amplitude": 501, "aampe": 501}

    compose("up", "--wait", "--no-recreate", "--scale", "delivery=2", "delivery")
    send(compose, 500)
    assert received(compose, 1001) == {"amplitude": 1001, "aampe": 1001}


def test_the_operators_commands_run_in_a_container(compose: Compose) -> None:
    assert "accepts the key" in compose("exec", "--no-TTY", "edge", "ampgate", "check")


def test_all_end_by_themselves_when_told_to(compose: Compose) -> None:
    ours = ("edge", "delivery", "amplitude", "aampe")
    compose("stop", *ours)
    ended = compose("ps", "--all", "--format", "{{.ExitCode}}", *ours)
    compose("start", *ours)

    assert set(ended.split()) == {"0"}
