"""What a destination answers to a harmless request, and what to do about it."""

import asyncio
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest

from ampgate.check.check import AT_ONCE, found_by
from ampgate.check.destinations import (
    Probed,
    check_destination,
    judge_clock,
    judge_key,
)
from ampgate.check.finding import Finding
from consumers.delivery.destination import Encoded, Response, Unreachable
from consumers.destinations.aampe.events import AampeEvents
from consumers.destinations.amplitude.events import AmplitudeEvents
from schemas.vendors import aampe, amplitude
from schemas.vendors.aampe import AampeDestination
from schemas.vendors.amplitude import AmplitudeDestination
from schemas.vendors.vendor import REGIONAL_ADDRESS_FIX as ADDRESS_FIX
from schemas.vendors.vendor import REGIONAL_KEY_FIX as KEY_FIX
from tests.eventually import eventually
from tests.operating import HERE, received, simulating

AMPLITUDE = {"name": "us", "type": "amplitude", "api_key": "right"}
AAMPE = {"name": "aampe", "type": "aampe", "region": "us-east1", "api_key": "right"}
NOW = datetime(2026, 1, 1, tzinfo=UTC)


def fix_of_amplitude(status: int, body: bytes) -> str:
    part = AmplitudeEvents(AmplitudeDestination.model_validate(AMPLITUDE))
    (finding,) = judge_key(
        "us", amplitude.VENDOR, part, (), Probed(Response(status, body), "", None)
    )
    return finding.fix


@pytest.mark.parametrize(
    ("status", "body", "fix"),
    [
        (200, b'{"code":200,"events_ingested":0}', ""),
        (400, b'{"code":400,"error":"Invalid API key: right"}', KEY_FIX),
        (400, b'{"code":400,"error":"Invalid event JSON"}', ""),
        (
            400,
            b'{"code":400,"error":"Request missing required field","missing_field":"events"}',
            "",
        ),
        (403, b"", KEY_FIX),
        (404, b"<html>", ADDRESS_FIX),
        (301, b"", ADDRESS_FIX),
        (503, b"", "retry later: nothing is lost"),
    ],
)
def test_amplitude_s_answer_to_no_events_tells_about_the_key(
    status: int, body: bytes, fix: str
) -> None:
    assert fix_of_amplitude(status, body) == fix


@pytest.mark.parametrize(
    ("status", "fix"), [(422, ""), (202, ""), (401, KEY_FIX), (403, KEY_FIX), (404, ADDRESS_FIX)]
)
def test_aampe_s_answer_to_an_empty_object_tells_about_the_key(status: int, fix: str) -> None:
    part = AampeEvents(AampeDestination.model_validate(AAMPE))
    probed = Probed(Response(status, b"{}"), "", None)
    (finding,) = judge_key("aampe", aampe.VENDOR, part, (Encoded(b"{}", ""),), probed)
    assert finding.fix == fix


@pytest.mark.parametrize("kind", ["amplitude", "aampe"])
@pytest.mark.parametrize("key", ["right", "wrong"])
async def test_the_probe_stores_nothing(kind: str, key: str) -> None:
    async with simulating(kind, accepted_keys=frozenset({"right"})) as url:
        given = (AMPLITUDE if kind == "amplitude" else AAMPE) | {"api_key": key, "base_url": url}
        model = AmplitudeDestination if kind == "amplitude" else AampeDestination
        (finding,) = await check_destination(model.model_validate(given))
        assert finding.ok == (key == "right"), finding
        assert await received(url) == []


async def test_a_destination_that_is_away_is_said_so() -> None:
    config = AmplitudeDestination.model_validate(AMPLITUDE | {"base_url": HERE})
    (finding,) = await check_destination(config)
    assert (finding.subject, finding.fix) == ("us", ADDRESS_FIX)
    assert "refused" in finding.says


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, None), (59, None), (61, "61 s ahead of"), (-3600, "3600 s behind")],
)
def test_a_clock_that_is_wrong_is_found(seconds: int, words: str | None) -> None:
    probed = Probed(Unreachable("x"), "", NOW)
    found = list(judge_clock("us", probed, NOW + timedelta(seconds=seconds)))
    assert [words] * len(found) == [words for one in found if words and words in one.says]
    assert bool(found) == (words is not None)


def test_a_destination_that_tells_no_time_proves_nothing() -> None:
    assert list(judge_clock("us", Probed(Unreachable("x"), "", None), NOW)) == []


async def test_of_many_destinations_a_few_are_asked_at_once() -> None:
    asked: list[str] = []
    are_answered = asyncio.Event()

    async def probe(name: str) -> list[Finding]:
        asked.append(name)
        await are_answered.wait()
        return [Finding(name, "accepts the key")]

    names = [f"us-{n}" for n in range(3 * AT_ONCE)]
    finding = asyncio.create_task(found_by([partial(probe, name) for name in names]))
    await eventually(lambda: len(asked) >= AT_ONCE)
    assert len(asked) == AT_ONCE

    are_answered.set()
    assert [one.subject for one in await finding] == names
