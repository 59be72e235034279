"""Where the tests' Kafka runs, when Docker is there only in part."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

from ampgate.lab.kafka.ports import free_ports
from tests.kafka_in_docker import why_not

HERE, ELSEWHERE = "apache/kafka:here", "apache/kafka:elsewhere"


class EngineWithoutRegistry(BaseHTTPRequestHandler):
    """As much of Docker's API (v1.41) as it takes to ask for an image."""

    def do_GET(self) -> None:
        if self.path.endswith("/version"):
            self.answer(200, '{"ApiVersion": "1.41"}')
        elif self.path.endswith("/_ping"):
            self.answer(200, '"OK"')
        elif self.path.endswith(f"/images/{HERE}/json"):
            self.answer(200, '{"Id": "sha256:1", "RepoTags": []}')
        else:
            self.answer(404, '{"message": "No such image"}')

    def do_POST(self) -> None:
        self.answer(500, '{"message": "registry: no such host"}')

    def answer(self, status: int, body: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode())


@contextmanager
def engine_without_registry() -> Iterator[dict[str, str]]:
    """The environment in which Docker's client finds it."""
    with ThreadingHTTPServer(("127.0.0.1", 0), EngineWithoutRegistry) as server:
        Thread(target=server.serve_forever).start()
        try:
            yield os.environ | {"DOCKER_HOST": f"tcp://127.0.0.1:{server.server_port}"}
        finally:
            server.shutdown()


def test_an_engine_that_has_the_image_runs_it() -> None:
    with engine_without_registry() as environ:
        assert why_not([HERE], environ) is None


def test_an_engine_that_cannot_get_an_image_is_passed_over_with_the_reason() -> None:
    with engine_without_registry() as environ:
        reason = why_not([HERE, ELSEWHERE], environ)

    assert reason is not None
    assert "registry: no such host" in reason


def test_no_engine_is_passed_over_with_the_reason() -> None:
    [nobody] = free_ports(1)
    reason = why_not([HERE], os.environ | {"DOCKER_HOST": f"tcp://127.0.0.1:{nobody}"})

    assert reason is not None
    assert "refused" in reason
