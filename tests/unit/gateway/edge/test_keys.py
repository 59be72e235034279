"""Write keys: confined to some dialects, and not to be guessed."""

import tracemalloc
from pathlib import Path
from typing import get_args
from urllib.parse import quote

import pytest

from gateway.dialects import ENDPOINTS
from gateway.edge import wrong_keys
from gateway.edge.wrong_keys import SLOTS, WINDOW_SECONDS, WRONG_KEYS_MAX, WrongKeys
from schemas.configuration.config import Dialect
from tests.kafka.dialect_contracts import CONTRACTS, Contract
from tests.unit.gateway.memory import Edge

DIALECTS = get_args(Dialect)
RIGHT = {"authorization": "Bearer secret"}
WRONG = {"authorization": "Bearer wrong"}
EVENT = {"event_type": "a", "user_id": "user-1"}


def test_a_source_can_be_confined_to_any_dialect() -> None:
    assert {endpoint.dialect for endpoint in ENDPOINTS.values()} == set(DIALECTS)


@pytest.mark.parametrize("contract", CONTRACTS, ids=lambda contract: contract.name)
async def test_a_key_is_unknown_to_the_dialects_that_it_is_not_for(contract: Contract) -> None:
    path = contract.send("k", "user-1", ["a"]).path
    template = path if path in ENDPOINTS else "/webhooks/amplemarket/{key}"
    own = ENDPOINTS[template].dialect
    others = [name for name in DIALECTS if name != own]
    edge = Edge(
        {"name": "for-it", "write_key": "for-it", "dialects": [own]},
        {"name": "for-others", "write_key": "for-others", "dialects": others},
    )
    async with edge.client as client:

        async def status(key: str) -> tuple[int, str]:
            sent = contract.send(key, "user-1", ["a"])
            answer = await client.post(sent.path, content=sent.body, headers=sent.headers)
            return answer.status_code, answer.text.replace(key, "KEY")

        assert (await status("for-it"))[0] == contract.success
        assert (await status("secret"))[0] == contract.success
        assert await status("for-others") == await status("never-heard")
        assert (await status("for-others"))[0] == contract.unknown_key


@pytest.mark.parametrize("key", ["q/+//w==", "a b", "%2F", "{key}", "gr\u00fc\u00df/e"])
async def test_a_key_in_the_path_may_have_any_characters(key: str) -> None:
    edge = Edge({"name": "hook", "write_key": key})
    async with edge.client as client:
        answer = await client.post(f"/webhooks/amplemarket/{quote(key, safe='')}", json={})
        wrong = await client.post(f"/webhooks/amplemarket/{quote(key[:-1], safe='')}", json={})
    assert (answer.status_code, wrong.status_code) == (200, 401)


async def test_wrong_keys_slow_their_sender_down_and_nobody_beside_it() -> None:
    edge = Edge(trusted_proxies=["127.0.0.0/8"])
    edge.ingest._opening._wrong_keys = apart("192.0.2.1", "192.0.2.2")
    async with edge.client as client:

        async def post(headers: dict[str, str], ip: str = "192.0.2.1") -> tuple[int, str | None]:
            lines = headers | {"x-forwarded-for": ip}
            answer = await client.post("/v1/events", json=EVENT, headers=lines)
            return answer.status_code, answer.headers.get("retry-after")

        assert {await post(WRONG) for _ in range(WRONG_KEYS_MAX)} == {(401, None)}
        status, retry_after = await post(WRONG)
        assert status == 429
        assert retry_after is not None
        assert 0 < int(retry_after) <= WINDOW_SECONDS
        assert (await post(RIGHT))[0] == 202
        assert (await post(WRONG, "192.0.2.2"))[0] == 401


def apart(*ips: str) -> WrongKeys:
    """One that counts these apart: of many addresses, some share a place by chance."""
    while True:
        keys = WrongKeys()
        if len({keys._place(wrong_keys._of_one_client(ip)) for ip in ips}) == len(ips):
            return keys


@pytest.mark.parametrize("contract", CONTRACTS, ids=lambda contract: contract.name)
async def test_every_dialect_says_so(contract: Contract) -> None:
    edge = Edge()
    sent = contract.send("wrong", "user-1", ["a"])
    async with edge.client as client:
        statuses = [
            (await client.post(sent.path, content=sent.body, headers=sent.headers)).status_code
            for _ in range(WRONG_KEYS_MAX + 2)
        ]
    assert statuses == [contract.unknown_key] * WRONG_KEYS_MAX + [429, 429]


def used_up(keys: WrongKeys, ip: str) -> None:
    for _ in range(WRONG_KEYS_MAX):
        assert keys.retry_after(ip, 0.0) == 0.0


def test_after_a_minute_it_may_try_again() -> None:
    keys = apart("192.0.2.1", "192.0.2.2")
    used_up(keys, "192.0.2.1")
    assert keys.retry_after("192.0.2.1", 20.0) == WINDOW_SECONDS - 20.0
    assert keys.retry_after("192.0.2.1", WINDOW_SECONDS) == 0.0
    used_up(keys, "192.0.2.2")


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("2001:db8:0:1::1", "2001:db8:0:1:ffff::2", True),
        ("2001:db8:0:1::1", "2001:db8:0:2::1", False),
        ("fe80::1%eth0", "fe80::2%eth1", True),
        ("::ffff:192.0.2.1", "192.0.2.1", True),
        ("::ffff:192.0.2.1", "::ffff:192.0.2.2", False),
        ("not an address", "not an address", True),
    ],
)
def test_a_client_of_ipv6_has_its_whole_network(one: str, other: str, *, same: bool) -> None:
    keys = WrongKeys() if same else apart(one, other)
    used_up(keys, one)
    assert (keys.retry_after(other, 1.0) > 0) == same


def test_many_addresses_take_no_more_memory() -> None:
    keys = WrongKeys()
    tracemalloc.start()
    try:
        for number in range(SLOTS * 2):
            keys.retry_after(f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}", 0.0)
        assert tracemalloc.get_traced_memory()[0] < 100_000
    finally:
        tracemalloc.stop()


def test_workers_count_the_wrong_keys_of_an_address_together(tmp_path: Path) -> None:
    one, other = (WrongKeys(tmp_path / "wrong-keys") for _ in range(2))
    used_up(one, "192.0.2.1")
    assert other.retry_after("192.0.2.1", 1.0) == WINDOW_SECONDS - 1.0
    assert other.retry_after("192.0.2.2", 1.0) == 0.0
