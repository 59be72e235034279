"""What destinations know of a user, as they say it; a question that fails ends no other."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from ampgate.ask import aampe, amplitude
from ampgate.ask.answered import Answered, State
from ampgate.ask.ask import ask as ask_all
from ampgate.ask.ask import check_reading
from ampgate.check.finding import Finding
from schemas.configuration.config import Config
from schemas.configuration.file import NOT_HERE
from schemas.vendors.aampe import AampeDestination
from schemas.vendors.amplitude import AmplitudeDestination
from tests.loopback import loopback_client
from tests.operating import HERE, set_faults, simulating
from tests.unit.ampgate.amplitude_read.test_client import destination

SURFACE = "7d3b9e6e-2b0e-4c0f-9a51-3c4e8f6f2a10"


def aampe_at(url: str, **keys: object) -> AampeDestination:
    given = {"name": "b", "type": "aampe", "region": "us-east1", "api_key": "k", "read_url": url}
    more = {"content_api_key": "c", "surfaces": [SURFACE]}
    return AampeDestination.model_validate(given | more | keys)


async def accept(url: str, *events: Mapping[str, object]) -> None:
    async with loopback_client() as client:
        answer = await client.post(f"{url}/batch", json={"api_key": "k", "events": events})
    assert answer.status_code == 200


async def asked(config: AmplitudeDestination, user: str, kept_in: Path) -> dict[str, Answered]:
    answers = await amplitude.ask(config, user, kept_in, lambda _: None)
    return {one.question: one for one in answers}


def events(user: str, count: int) -> list[dict[str, object]]:
    return [
        {
            "event_type": f"Bought {n}",
            "user_id": user,
            "insert_id": f"{user}{n}",
            "device_id": f"device-of-{user}",
            "user_properties": {"plan": "pro"},
        }
        for n in range(count)
    ]


async def test_amplitude_says_who_they_are_what_they_did_and_what_they_have(
    tmp_path: Path,
) -> None:
    async with simulating("amplitude") as url:
        await accept(url, *events("annabel", 1), *events("annab", 3))
        found = await asked(destination(url), "annab", tmp_path)
        by_device = await asked(destination(url), "device-of-annab", tmp_path)

    assert {name: one.state for name, one in found.items()} == dict.fromkeys(
        ("search", "activity", "profile"), State.KNOWN
    )
    assert "3 events, the newest: Bought 2 at 20" in found["activity"].says
    assert found["profile"].says == "1 properties: plan"
    assert by_device["activity"].says == found["activity"].says


async def test_who_is_not_known_is_no_failure(tmp_path: Path) -> None:
    async with simulating("amplitude") as url:
        await accept(url, *events("annabel", 1))
        found = await asked(destination(url), "annab", tmp_path)

    assert found["search"].says == "nobody of that id; 1 others begin so"
    assert {one.state for one in found.values()} == {State.UNKNOWN}


@pytest.mark.parametrize("status", [200, 400, 404])
@pytest.mark.parametrize(
    ("error", "state"),
    [
        ("User id and device id not seen before", State.UNKNOWN),
        ("Number of requests per minute exceeds 600", State.FAILED),
    ],
)
async def test_an_error_of_the_profile_is_no_profile(
    error: str, state: State, status: int, tmp_path: Path
) -> None:
    """With which status it comes is not documented."""
    async with simulating("amplitude") as url:
        await accept(url, *events("annab", 1))
        effect = {"kind": "answer", "status": status, "body": {"error": error}}
        await set_faults(url, {"match": {"path": "/v1/userprofile"}, "effect": effect})
        found = await asked(destination(url), "annab", tmp_path)

    assert found["profile"].state is state
    assert found["search"].state is State.KNOWN


async def test_while_kafka_is_away_destinations_are_asked_all_the_same(tmp_path: Path) -> None:
    async with simulating("amplitude") as url:
        await accept(url, *events("annab", 1))
        its = destination(url)
        kafka = {"bootstrap_servers": "127.0.0.1:1"}
        config = Config.model_validate({"kafka": kafka}).model_copy(update={"destinations": (its,)})
        answers = await ask_all(config, [its], "annab", 100, tmp_path, lambda _: None)

    found = {one.question: one for one in answers}
    assert (found["trace"].state, found["activity"].state) == (State.FAILED, State.KNOWN)
    assert "Kafka at 127.0.0.1:1 cannot be reached" in found["trace"].says


async def test_a_question_that_fails_ends_no_other(tmp_path: Path) -> None:
    async with simulating("amplitude") as url:
        await accept(url, *events("annab", 1))
        page = {"match": {"path": "/api/2/usersearch"}, "effect": {"kind": "html", "status": 200}}
        await set_faults(url, page)
        found = await asked(destination(url), "annab", tmp_path)

    assert {name: one.state for name, one in found.items()} == {
        "search": State.FAILED,
        "profile": State.KNOWN,
    }


async def test_aampe_says_what_each_surface_would_show() -> None:
    async with simulating("aampe") as url:
        known = {"contact_id": "ann", "event_name": "e", "timestamp": 1}
        async with loopback_client() as client:
            key = {"authorization": "Bearer k"}
            await client.post(f"{url}/v1/events", json=known, headers=key)
        for user, state in (("ann", State.KNOWN), ("bob", State.UNKNOWN)):
            (found,) = await aampe.ask(aampe_at(url), user, Path(), lambda _: None)
            assert found.state is state
            assert (SURFACE in found.says) == (state is State.KNOWN)


async def test_to_whom_aampe_assigns_nothing_it_may_not_know() -> None:
    async with simulating("aampe") as url:
        nothing = {"kind": "answer", "status": 200, "body": "[]"}
        await set_faults(url, {"match": {"path": "/v1/surface/content"}, "effect": nothing})
        (found,) = await aampe.ask(aampe_at(url), "nobody", Path(), lambda _: None)

    assert (found.state, found.says) == (State.UNKNOWN, "nothing assigned")


@pytest.mark.parametrize(
    ("lacking", "says"), [("content_api_key", "no content_api_key"), ("surfaces", "no surfaces")]
)
async def test_without_its_keys_aampe_is_not_asked(lacking: str, says: str) -> None:
    config = aampe_at(HERE).model_copy(update={lacking: () if lacking == "surfaces" else None})
    (found,) = await aampe.ask(config, "ann", Path(), lambda _: None)

    assert found.state is State.NOT_ASKED
    assert says in found.says


async def test_without_a_secret_key_amplitude_is_not_asked(tmp_path: Path) -> None:
    found = await asked(destination(HERE, secret_key=None), "ann", tmp_path)

    assert found["search"].state is State.NOT_ASKED


@pytest.mark.parametrize("absent", ["api_key", "secret_key"])
async def test_check_does_not_try_a_read_side_whose_keys_are_elsewhere(
    absent: str, tmp_path: Path
) -> None:
    """As those of the delivery are for an edge: nothing is wrong there."""
    elsewhere = destination(HERE, **{absent: f"{NOT_HERE}THE_KEY"})
    (checked,) = await check_reading(elsewhere, tmp_path)
    assert checked.ok
    assert checked.advice == "run check where the secrets are"


@pytest.mark.parametrize("key", ["right", "wrong"])
async def test_check_tries_the_keys_of_the_read_sides(key: str, tmp_path: Path) -> None:
    keys = frozenset({"right"})
    async with (
        simulating("amplitude", accepted_keys=keys) as read,
        simulating("aampe", accepted_keys=keys) as content,
    ):
        found: list[Sequence[Finding]] = [
            await check_reading(destination(read, api_key=key), tmp_path),
            await check_reading(aampe_at(content, content_api_key=key), tmp_path),
        ]

    assert [one.ok for findings in found for one in findings] == [key == "right"] * 2


@pytest.mark.parametrize("status", [200, 400, 404])
async def test_a_page_of_whoever_is_at_a_wrong_address_says_nothing_of_a_user(
    status: int, tmp_path: Path
) -> None:
    page = {"effect": {"kind": "html", "status": status}}
    async with simulating("amplitude") as read, simulating("aampe") as content:
        for url in (read, content):
            await set_faults(url, page)
        found = await asked(destination(read), "ann", tmp_path)
        (shown,) = await aampe.ask(aampe_at(content), "ann", Path(), lambda _: None)
        (checked,) = await check_reading(aampe_at(content), tmp_path)

    assert {one.state for one in (*found.values(), shown)} == {State.FAILED}
    assert not checked.ok


async def test_check_says_nothing_of_a_read_side_that_has_no_keys(tmp_path: Path) -> None:
    silent = aampe_at(HERE).model_copy(update={"content_api_key": None})

    assert await check_reading(destination(HERE, secret_key=None), tmp_path) == []
    assert await check_reading(silent, tmp_path) == []
