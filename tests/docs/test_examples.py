"""The examples of docs/howto/examples.md work as they are printed, each against a real edge."""

import asyncio
import json
import re
import shutil
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.conftest import Broker
from tests.docs.tables import DOCS
from tests.docs.test_producing import GO, java_compiles
from tests.kafka.edge_process import KEY, EdgeProcess, create_topics, running
from tests.kafka.test_edge import stored

PAGE = DOCS / "howto" / "examples.md"
SECTION = re.compile(r"^## ", re.MULTILINE)
CODE = re.compile(r"^```\w+\n(.*?)^```$", re.MULTILINE | re.DOTALL)
EXAMPLES = {
    section.partition("\n")[0].lower(): code[1]
    for section in SECTION.split(PAGE.read_text())[1:]
    if (code := CODE.search(section))
}


@dataclass(frozen=True, slots=True)
class Runner:
    file: str
    commands: tuple[tuple[str, ...], ...]  # In the directory of the file.
    is_there: Callable[[], bool]


def has(*programs: str) -> Callable[[], bool]:
    return lambda: all(shutil.which(program) for program in programs)


RUNNERS: Mapping[str, Runner] = {
    "curl": Runner("send.sh", (("sh", "-e", "send.sh"),), has("sh", "curl")),
    "javascript": Runner("send.mjs", (("node", "send.mjs"),), has("node")),
    "python": Runner("send.py", ((sys.executable, "send.py"),), has(sys.executable)),
    "go": Runner("main.go", ((GO or "go", "run", "main.go"),), lambda: GO is not None),
    "java": Runner("Send.java", (("java", "Send.java"),), java_compiles),
    "kotlin": Runner(
        "send.kt",
        (
            ("kotlinc", "send.kt", "-include-runtime", "-d", "send.jar"),
            ("java", "-jar", "send.jar"),
        ),
        has("kotlinc", "java"),
    ),
    "swift": Runner("main.swift", (("swift", "main.swift"),), has("swift")),
}


@pytest.fixture(params=RUNNERS)
def language(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    if not RUNNERS[name].is_there():
        pytest.skip(f"there is nothing here that runs {name}")
    return name


@pytest.fixture
async def edge(
    language: str,  # noqa: ARG001  # Skipped before an edge starts for it.
    kafka: Broker,
    topic_prefix: str,
    unused_tcp_port: int,
    tmp_path: Path,
) -> AsyncIterator[EdgeProcess]:
    await create_topics(kafka.bootstrap_servers, topic_prefix)
    async with running(tmp_path, kafka.bootstrap_servers, topic_prefix, unused_tcp_port) as edge:
        yield edge


async def run(command: tuple[str, ...], directory: Path) -> None:
    process = await asyncio.create_subprocess_exec(
        *command,
        cwd=directory,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await process.communicate()
    assert process.returncode == 0, said.decode()


def test_there_is_an_example_in_every_language() -> None:
    assert set(EXAMPLES) == set(RUNNERS)


async def test_the_example_sends_an_event_and_a_user_property(
    language: str, edge: EdgeProcess, kafka: Broker, topic_prefix: str, tmp_path: Path
) -> None:
    runner = RUNNERS[language]
    code = EXAMPLES[language].replace("http://127.0.0.1:8080", edge.url)
    (tmp_path / runner.file).write_text(code.replace("Bearer dev", KEY["authorization"]))
    for command in runner.commands:
        await run(command, tmp_path)

    events = await stored(kafka, f"{topic_prefix}events")
    updates = await stored(kafka, f"{topic_prefix}user-properties")

    (event,) = [json.loads(record.value) for record in events]
    (update,) = [json.loads(record.value) for record in updates]
    user = f"{language}@example.org"
    assert (event["event_type"], event["user_id"]) == ("Order Placed", user)
    assert event["event_properties"] == {"total": 42.5}
    assert (update["user_id"], update["user_properties"]) == (user, {"$set": {"plan": "pro"}})
