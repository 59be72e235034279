"""The load's generator: the compiled one, where Go is there, else `benchmarks.load`.

Both read whole requests from stdin, each behind its length, and send them over kept-alive or fresh
connections, with TLS or without. The requests of a kind are made once.
"""

import struct
import subprocess
import sys
from pathlib import Path

import msgspec

from benchmarks.requests import REQUESTS, USUAL

CONNECTIONS = 64
REQUESTS_BYTES_MAX = 20_000_000  # Of a kind; about 30,000 users.
REQUESTS_MAX = 12_000
SECONDS_MAX = 300


class Load(msgspec.Struct):
    """What a generator prints. `busy` is the share of a core that it took."""

    requests: int
    failures: int
    seconds: float
    busy: float
    p99_ms: float


class Generator:
    def __init__(self, directory: Path, reference: Path | None) -> None:
        self._directory = directory
        python = [sys.executable, "-m", "benchmarks.load"]
        self._command = python if reference is None else [str(reference), "load"]

    def load(
        self,
        port: int,
        per_request: int,
        requests: int,
        *,
        rate: float = 0.0,
        kind: str = USUAL,
        way: str = "kept",
        connections: int = CONNECTIONS,
    ) -> Load:
        """Send so many requests, of so many events each; the rate is in requests a second."""
        words = (port, connections, requests, rate, way)
        with self._made(kind, per_request).open("rb") as made:
            done = subprocess.run(
                [*self._command, *map(str, words)],
                stdin=made,
                stdout=subprocess.PIPE,
                check=True,
                timeout=SECONDS_MAX,
            )
        load = msgspec.json.decode(done.stdout, type=Load)
        assert not load.failures, f"{load.failures} requests failed"
        return load

    def _made(self, kind: str, per_request: int) -> Path:
        path = self._directory / f"{kind}-{per_request}.requests"
        if not path.exists():
            make = REQUESTS[kind]
            distinct = REQUESTS_BYTES_MAX // len(make(range(per_request)))
            with path.open("wb") as file:
                for number in range(min(REQUESTS_MAX, max(CONNECTIONS, distinct))):
                    first = number * per_request
                    request = make(range(first, first + per_request))
                    file.write(struct.pack(">I", len(request)) + request)
        return path
