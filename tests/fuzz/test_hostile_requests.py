"""Random requests that cost much, against a running edge, while a usual client sends, too.

The requests are the same each time: `AMPGATE_FUZZ_SEED=2` draws others. `AMPGATE_FUZZ_SECONDS=600`
goes on for longer, and judges for how long the client waits: so on a quiet machine only.
"""

import asyncio
import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from random import Random
from typing import Any

import psutil
import pytest

from benchmarks.hostile import Request, drawn
from tests.conftest import Broker
from tests.eventually import DEADLINE_SECONDS
from tests.fuzz.test_openapi import SEED
from tests.kafka.edge_process import EdgeProcess, create_topics, running
from tests.loopback import hang_up

IS_JUDGED = "AMPGATE_FUZZ_SECONDS" in os.environ
SECONDS = float(os.environ.get("AMPGATE_FUZZ_SECONDS", "15"))
CLIENTS = 4
BUDGET_BYTES = 64_000_000
BEYOND_BUDGET_BYTES = 100_000_000
P99_SECONDS = 0.250


@dataclass(slots=True)
class Seen:
    statuses: Counter[int] = field(default_factory=Counter)
    defects: list[str] = field(default_factory=list)
    legitimate: dict[str, Any] = field(default_factory=dict)
    rss: int = 0


@pytest.mark.timeout(SECONDS + 900)
async def test_hostile_requests_break_nothing_and_stay_in_the_budget(
    kafka: Broker, topic_prefix: str, unused_tcp_port: int, tmp_path: Path
) -> None:
    await create_topics(kafka.bootstrap_servers, topic_prefix)
    async with running(tmp_path, kafka.bootstrap_servers, topic_prefix, unused_tcp_port) as edge:
        process = psutil.Process(edge.process.pid)
        before, seen, over = process.memory_info().rss, Seen(), asyncio.Event()
        numbers = count()
        async with asyncio.TaskGroup() as clients:
            clients.create_task(legitimate(edge, seen))
            clients.create_task(watch(process, seen, over))
            for _ in range(CLIENTS):
                clients.create_task(hostile(edge, numbers, seen, over))
            clients.create_task(end(over))

        print(f"seed {SEED:x}: {sum(seen.statuses.values())} requests, {dict(seen.statuses)}")
        print(f"beside them {seen.legitimate}")
        print(f"RSS {before / 1e6:.0f} MB, at most {(seen.rss - before) / 1e6:.0f} MB more")
        assert seen.defects == []
        assert len(seen.statuses) > 1, "nothing was accepted, or nothing refused"
        assert seen.legitimate["statuses"]["202"] > 0
        assert set(seen.legitimate["statuses"]) <= {"202", "503"}
        assert seen.rss - before < BUDGET_BYTES + BEYOND_BUDGET_BYTES
        assert "unexpected" not in edge.said.read_text()
        assert not IS_JUDGED or seen.legitimate["without_waiting"] < P99_SECONDS


async def end(over: asyncio.Event) -> None:
    await asyncio.sleep(SECONDS)
    over.set()


async def hostile(
    edge: EdgeProcess, numbers: Iterator[int], seen: Seen, over: asyncio.Event
) -> None:
    while not over.is_set():
        number = next(numbers)
        request = await asyncio.to_thread(drawn, Random(f"{SEED}-{number}"), b"secret")
        head = await answer(edge, request)
        status = int(head.split()[1]) if head else 0
        seen.statuses[status] += 1
        honest = status == 503 and b"retry-after" in head.lower()
        if not (200 <= status < 500 or honest):
            seen.defects.append(f"{status}: request {number}, {request.name}")


async def answer(edge: EdgeProcess, request: Request) -> bytes:
    """The head of its answer, which may come before all of the request was taken."""
    reader, writer = await asyncio.open_connection("127.0.0.1", edge.port)
    try:
        async with asyncio.timeout(DEADLINE_SECONDS):
            writer.write(request.wire)
            return await reader.readuntil(b"\r\n\r\n")
    except (OSError, asyncio.IncompleteReadError):
        return b""
    finally:
        await hang_up(writer)


async def legitimate(edge: EdgeProcess, seen: Seen) -> None:
    """From a process of its own, so that the work of making hostile requests does not count."""
    arguments = map(str, (edge.port, edge.process.pid, round(SECONDS)))
    client = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.fuzz.legitimate", *arguments, stdout=subprocess.PIPE
    )
    said, _ = await client.communicate()
    seen.legitimate = json.loads(said)


async def watch(process: psutil.Process, seen: Seen, over: asyncio.Event) -> None:
    while not over.is_set():
        seen.rss = max(seen.rss, process.memory_info().rss)
        await asyncio.sleep(0.02)
