"""The real file: its first month makes the plan; later months bring what it warns of, or blocks.

Every so many-th event of the later months, as CI has little time; by hand all of them:
`AMPGATE_REAL_EVENTS_EACH=1 .venv/bin/python -m pytest tests/kafka/test_plan_of_real_events.py`.
"""

import json
import os
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path

import pytest

from ampgate.archive.archive import archive
from ampgate.archive.batches import Wanted
from tests.eventually import seen
from tests.kafka.edge_process import EdgeProcess, running
from tests.kafka.replaying import replay
from tests.kafka.shop_events import REAL_EVENTS, real_events
from tests.kafka.test_plans import SOURCE, with_source
from tests.operating import AMPLITUDE, Operation, received

FIRST_MONTH, ALL = 42_481, 541_909  # Events.
EACH = int(os.environ.get("AMPGATE_REAL_EVENTS_EACH", "40"))
ENUMS, REPEATED = 40, 10  # A text is of a choice: few of them, and each came so often.
ARRIVING = 1_000  # A request.
Place = tuple[str | None, str]  # An event type and a path, as `ampgate plan diff` names it.

pytestmark = pytest.mark.skipif(not REAL_EVENTS.exists(), reason=f"{REAL_EVENTS} is not here")


@dataclass(frozen=True, slots=True)
class Months:
    """The first makes the plan; what the others bring was found without any of our code."""

    first: Sequence[bytes]
    later: Sequence[bytes]
    brought: Counter[Place]
    new: Sequence[str]  # The insert_ids of what violates the plan.

    def write_first(self, directory: Path) -> Path:
        (file := directory / "first.ndjson").write_bytes(b"\n".join(self.first))
        return file


@pytest.fixture(scope="module")
def months() -> Months:
    read = real_events(ALL)
    first = list(islice(read, FIRST_MONTH))
    later = list(islice(read, 0, None, EACH))
    choices = {place: texts for place, texts in texts_of(first).items() if is_choice(texts)}
    brought: Counter[Place] = Counter()
    new = []
    for line in later:
        event = json.loads(line)
        found = [
            place
            for place, text in texts_in(event)
            if place in choices and text not in choices[place]
        ]
        brought.update(found)
        if found:
            new.append(event["insert_id"])
    assert 0 < len(new) < len(later)
    return Months(first, later, brought, sorted(new))


async def test_in_warn_all_is_stored_and_the_report_names_what_later_months_bring(
    here: Operation, tmp_path: Path, unused_tcp_port: int, months: Months
) -> None:
    plan = await inferred(here, tmp_path, months)
    topics = here.config.kafka.topics
    source = SOURCE.format(file=plan).replace("block", "warn")
    async with planned(here, tmp_path, unused_tcp_port, source) as edge:
        await post(edge, months.later)
        counted = (
            f'event_type_known="true",reason="violates_plan",source="held"}} {len(months.new)}.'
        )
        await seen(edge.metrics, lambda text: counted in text)
    assert await ids_in(here, topics.events) == sorted(map(id_of, months.later))
    assert await ids_in(here, topics.dead_letters) == []
    assert await reported(here, tmp_path, plan) == months.brought


async def test_in_block_exactly_that_is_dead_and_is_delivered_once_it_is_planned(
    simulated: Operation, tmp_path: Path, unused_tcp_port: int, months: Months
) -> None:
    here = to_amplitude_alone(simulated)
    plan = await inferred(here, tmp_path, months)
    topics, all_ids = here.config.kafka.topics, sorted(map(id_of, months.later))
    async with planned(here, tmp_path, unused_tcp_port, SOURCE.format(file=plan)) as edge:
        await post(edge, months.later)
        assert await ids_in(here, topics.dead_letters) == months.new
        assert len(await ids_in(here, topics.events)) == len(all_ids) - len(months.new)

        held = with_source(here, plan)
        assert await reported(held, tmp_path, plan, "--apply") == months.brought
        edge.reload(edge.file.read_text())
        await edge.says("configuration reloaded", times=2)
        assert (await replay(held)).to_send == {"edge": len(months.new)}
        assert await ids_in(here, topics.events) == all_ids
        assert await reported(held, tmp_path, plan) == {}
    async with here.delivering(tmp_path):
        accepted = partial(received, here.url(AMPLITUDE))
        found = await seen(accepted, lambda events: len(events) >= len(all_ids))
    assert sorted(one["insert_id"] for one in found) == all_ids


def to_amplitude_alone(world: Operation) -> Operation:
    """Aampe takes one event a request: that is for other tests."""
    [amplitude] = [one for one in world.config.destinations if one.name == AMPLITUDE]
    return Operation(world.config.model_copy(update={"destinations": (amplitude,)}))


@asynccontextmanager
async def planned(
    here: Operation, directory: Path, port: int, source: str
) -> AsyncIterator[EdgeProcess]:
    """An edge that gets a source with a plan while it runs."""
    kafka = here.config.kafka
    async with running(directory, kafka.bootstrap_servers, kafka.topic_prefix, port) as edge:
        edge.reload(edge.file.read_text() + source)
        await edge.says("configuration reloaded")
        yield edge


async def inferred(here: Operation, directory: Path, months: Months) -> Path:
    """The plan of the first month, as the command writes it."""
    first, plan = months.write_first(directory), directory / "plan.json"
    arguments = ("--from", str(first), "--enums", str(ENUMS), "--out", str(plan))
    ran = await here.run(directory, "plan", "infer", *arguments)
    assert ran.exit_code == 0, ran.output
    return plan


async def reported(
    here: Operation, directory: Path, plan: Path, *more: str
) -> Counter[tuple[str | None, str]]:
    """How many records have something that the plan has not, by event type and path."""
    (apart := directory / "apart").mkdir(exist_ok=True)
    ran = await here.run(apart, "plan", "diff", str(plan), *more, "--json")
    assert ran.exit_code == 0, ran.output
    found: Counter[Place] = Counter()
    for one in map(json.loads, ran.stdout.splitlines()):
        if one["drift"] != "not_seen":
            found[one["event_type"], one["path"]] += one["count"]
    return found


async def post(edge: EdgeProcess, lines: Sequence[bytes]) -> None:
    async with edge.client() as client:
        for start in range(0, len(lines), ARRIVING):
            some = lines[start : start + ARRIVING]
            body = b'{"api_key":"held","options":{"min_id_length":1},"events":[%b]}'
            answer = await client.post("/batch", content=body % b",".join(some))
            assert answer.json()["events_ingested"] == len(some)


def texts_in(event: dict[str, dict[str, object]]) -> Iterator[tuple[Place, object]]:
    for name, value in event["event_properties"].items():
        yield (str(event["event_type"]), f"event_properties.{name}"), value
    for name, value in event["user_properties"].items():
        yield (None, f"user_properties.{name}"), value


def texts_of(lines: Iterable[bytes]) -> dict[Place, Counter[object]]:
    found: defaultdict[Place, Counter[object]] = defaultdict(Counter)
    for line in lines:
        for place, value in texts_in(json.loads(line)):
            found[place][value] += 1
    return found


def is_choice(texts: Counter[object]) -> bool:
    are_texts = all(isinstance(one, str) for one in texts)
    return are_texts and len(texts) <= ENUMS and texts.total() >= REPEATED * len(texts)


def id_of(line: bytes) -> str:
    return str(json.loads(line)["insert_id"])


async def ids_in(here: Operation, topic: str) -> list[str]:
    async with archive(here.config.kafka) as kafka:
        found = await kafka.find(await kafka.spans(topic), Wanted())
    return sorted(id_of(one.value or b"") for one in found)
