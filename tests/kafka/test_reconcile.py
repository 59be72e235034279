"""`ampgate reconcile` names what Amplitude accepted and then lost, and nothing else."""

import json
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

import pytest

from ampgate.trace.trace import ByUser
from ampgate.trace.whereabouts import State
from tests.eventually import seen
from tests.operating import AAMPE, AMPLITUDE, Message, Operation, event, received, set_faults

ARGUMENTS = ("reconcile", "--destination", AMPLITUDE, "--from", "1h")


def bought(number: int, event_type: str) -> Message:
    return event(f"user{number % 7}", event_type=event_type, insert_id=f"i{number}")


async def delivered(world: Operation, directory: Path, messages: Sequence[Message]) -> None:
    """Accepted by the simulator, and committed."""
    await world.produce(world.config.kafka.topics.events, messages)
    async with world.delivering(directory):
        url = world.url(AMPLITUDE)
        await seen(partial(received, url), lambda found: len(found) >= len(messages))


async def reconciled(
    world: Operation, directory: Path, *more: str, status: int
) -> Mapping[str, Mapping[str, int]]:
    ran = await world.run(directory, *ARGUMENTS, "--dir", str(directory / "kept"), *more, "--json")
    assert ran.exit_code == status, ran.output
    lines = [json.loads(line) for line in ran.stdout.splitlines()]
    assert {one["destination"] for one in lines} <= {AMPLITUDE}
    return {one["event_type"]: one for one in lines}


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


async def test_what_was_dropped_doubled_or_late_is_named_exactly(
    simulated: Operation, tmp_path: Path
) -> None:
    url = simulated.url(AMPLITUDE)
    await set_faults(
        url,
        {"match": {"event_type": "Lost"}, "effect": {"kind": "drop"}},
        {"match": {"event_type": "Kept"}, "times": 3, "effect": {"kind": "double"}},
        {"match": {"event_type": "Late"}, "effect": {"kind": "late"}},
        {"match": {"event_type": "Later"}, "effect": {"kind": "late", "hours": 5}},
    )
    types = ["Kept"] * 7 + ["Later", "Lost", "Late"]
    await delivered(simulated, tmp_path, [bought(n, types[n % 10]) for n in range(200)])
    file, textfile = tmp_path / "missing.ndjson", tmp_path / "ampgate.prom"
    more = ("--missing", str(file), "--metrics", str(textfile))
    found = await reconciled(simulated, tmp_path, *more, status=1)

    shown = ("delivered", "found", "missing", "foreign", "counted_twice", "late", "pending")
    assert {name: tuple(one[n] for n in shown) for name, one in found.items()} == {
        "Kept": (140, 140, 0, 0, 3, 0, 0),
        "Late": (20, 20, 0, 0, 0, 20, 0),
        "Later": (20, 20, 0, 0, 0, 20, 0),
        "Lost": (20, 0, 20, 0, 0, 0, 0),
    }
    missing = [json.loads(line) for line in file.read_text().splitlines()]
    assert sorted(one["insert_id"] for one in missing) == sorted(f"i{n}" for n in range(8, 200, 10))
    label = f'{{destination="{AMPLITUDE}",state="missing"}}'
    assert f"ampgate_reconciliation_records{label} 20.0" in textfile.read_text()
    assert [one.name for one in (tmp_path / "kept").iterdir()] == ["lock"]


async def test_only_what_trace_calls_delivered_is_asked_for(
    simulated: Operation, tmp_path: Path
) -> None:
    """Not what is dead, skipped or of others; and what has no insert_id has the made-up one."""
    reject = {"match": {"event_type": "Bad"}, "effect": {"kind": "reject"}}
    await set_faults(simulated.url(AMPLITUDE), reject)
    unusable, without_id = Message(b"{", b"ann"), event("ann", event_type="Plain")
    update = Message(b'{"user_id":"ann","user_properties":{"a":1}}', b"ann")
    await simulated.produce(simulated.config.kafka.topics.user_properties, [update])
    bad = event("ann", event_type="Bad", insert_id="bad")
    await simulated.produce(simulated.config.kafka.topics.events, [bad, unusable])
    async with simulated.delivering(tmp_path):
        states = partial(simulated.states, ByUser("ann"))
        await seen(states, lambda all_: all_.get((AMPLITUDE, "bad")) is State.DEAD)
        await simulated.produce(simulated.config.kafka.topics.events, [without_id])
        await seen(partial(received, simulated.url(AMPLITUDE)), lambda found: len(found) == 2)
    found = await reconciled(simulated, tmp_path, status=0)

    counts = {name: (one["delivered"], one["not_exported"]) for name, one in found.items()}
    assert counts == {"Plain": (1, 0), "$identify": (1, 1)}


async def test_what_was_skipped_as_its_user_is_suppressed_is_not_missing(
    simulated: Operation, tmp_path: Path
) -> None:
    """As `trace` says of it; else an erasure would be told as a loss."""
    await simulated.run(tmp_path, "suppress", "add", "--user", "ann")
    ids = [("ann", "skipped"), ("bob", "sent")]
    messages = [event(user, event_type="Kept", insert_id=id_) for user, id_ in ids]
    await simulated.produce(simulated.config.kafka.topics.events, messages)
    async with simulated.delivering(tmp_path):
        states = partial(simulated.states, ByUser("ann"))
        await seen(states, lambda all_: all_.get((AMPLITUDE, "skipped")) is State.SKIPPED)
        await seen(partial(received, simulated.url(AMPLITUDE)), lambda found: len(found) == 1)
    for by in ("export", "counts"):
        found = await reconciled(simulated, tmp_path, "--by", by, status=0)
        assert (found["Kept"]["delivered"], found["Kept"]["missing"]) == (1, 0)


async def test_a_cut_off_download_is_taken_for_nothing_and_asked_again(
    simulated: Operation, tmp_path: Path
) -> None:
    await delivered(simulated, tmp_path, [bought(n, "Kept") for n in range(30)])
    cut = {"match": {"path": "/api/2/export"}, "times": 2, "effect": {"kind": "cut", "bytes": 30}}
    await set_faults(simulated.url(AMPLITUDE), cut)
    found = await reconciled(simulated, tmp_path, status=0)
    assert (found["Kept"]["found"], found["Kept"]["missing"]) == (30, 0)

    await set_faults(simulated.url(AMPLITUDE), {**cut, "times": 99})
    ran = await simulated.run(tmp_path, *ARGUMENTS, "--dir", str(tmp_path / "kept"))
    assert (ran.exit_code, "comes damaged" in str(ran.exception)) == (1, True)


async def test_totals_a_day_say_how_many_are_missing(simulated: Operation, tmp_path: Path) -> None:
    drop = {"match": {"event_type": "Lost"}, "effect": {"kind": "drop"}}
    await set_faults(simulated.url(AMPLITUDE), drop)
    types = ("Kept", "Lost")
    await delivered(simulated, tmp_path, [bought(n, types[n % 2]) for n in range(10)])
    found = await reconciled(simulated, tmp_path, "--by", "counts", status=1)

    counts = {name: (one["delivered"], one["counted"]) for name, one in found.items()}
    assert counts == {"Kept": (5, 5), "Lost": (5, 0)}

    of_all_time = ("--by", "counts", "--from", "1970-01-01")  # Amplitude counts 365 days.
    assert await reconciled(simulated, tmp_path, *of_all_time, status=1) == found


async def test_of_all_time_is_asked_what_kafka_has(simulated: Operation, tmp_path: Path) -> None:
    await delivered(simulated, tmp_path, [bought(n, "Kept") for n in range(3)])
    of_all_time = ("--from", "1970-01-01", "--dir", str(tmp_path / "kept"))
    ran = await simulated.run(tmp_path, *ARGUMENTS, *of_all_time)

    assert (ran.exit_code, "Kafka has nothing older" in ran.stderr) == (0, True), ran.output


async def test_keys_that_are_refused_are_told_in_a_sentence(
    simulated: Operation, tmp_path: Path
) -> None:
    await delivered(simulated, tmp_path, [bought(n, f"type {n}") for n in range(3)])
    refused = {"effect": {"kind": "answer", "status": 403}}
    paths = ("/api/2/export", "/api/2/events/segmentation")
    await set_faults(
        simulated.url(AMPLITUDE), *({**refused, "match": {"path": path}} for path in paths)
    )
    for by in ("export", "counts"):
        process = await simulated.start(tmp_path, *ARGUMENTS, "--by", by)
        _, said = await process.communicate()
        last = said.decode().splitlines()[-1]
        assert (process.returncode, "Amplitude refuses the keys" in last) == (1, True), said
        assert "Traceback" not in said.decode()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--destination", AAMPE), "is no Amplitude project"),
        (("--destination", "nobody"), "no destination is called nobody"),
        (("--from", "2999-01-01", "--to", "2999-01-02"), "is in the future"),
        (("--to", "2h"), "--from is not before --to"),
        (("--by", "counts", "--missing", "file"), "counts name no records"),
        (("--missing", "/no such folder/file"), "there is no folder for"),
    ],
)
async def test_wrong_usage_is_told(
    here: Operation, tmp_path: Path, arguments: Sequence[str], says: str
) -> None:
    ran = await here.run(tmp_path, *ARGUMENTS, *arguments)
    assert (ran.exit_code, says in ran.output) == (2, True), ran.output


async def test_each_destination_is_asked_about_a_user_beside_what_kafka_says(
    simulated: Operation, tmp_path: Path
) -> None:
    await delivered(simulated, tmp_path, [event("ann", insert_id=f"i{n}") for n in range(3)])
    ran = await simulated.run(tmp_path, "ask", "--user", "ann", "--json")
    assert ran.exit_code == 0, ran.output
    found = [json.loads(line) for line in ran.stdout.splitlines()]

    said = {(one["destination"], one["question"]): one["state"] for one in found}
    assert said == {
        **{(AMPLITUDE, name): "known" for name in ("trace", "search", "activity", "profile")},
        (AAMPE, "trace"): "known",
        (AAMPE, "content"): "not_asked",
    }
