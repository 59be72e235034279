"""Which pages may send, and read the answers."""

import httpx
import pytest

from tests.unit.gateway.memory import EVENT, Edge

SHOP = {"name": "web", "write_key": "web", "allowed_origins": ["https://shop.example", "null"]}
OPEN = {"name": "open", "write_key": "open", "allowed_origins": ["*"]}


def bearer(key: str, origin: str) -> dict[str, str]:
    return {"authorization": f"Bearer {key}", "origin": origin}


def named(answer: httpx.Response) -> tuple[str | None, str | None]:
    allow = "access-control-allow-"
    return answer.headers.get(allow + "origin"), answer.headers.get(allow + "credentials")


async def test_a_preflight_counts_the_origins_of_all_sources() -> None:
    async with Edge(SHOP).client as client:
        asked = {
            "origin": "https://shop.example",
            "access-control-request-method": "POST",
            "access-control-request-headers": "content-type,x-tenant",
        }
        good = await client.options("/2/httpapi", headers=asked)
        bad = await client.options("/2/httpapi", headers=asked | {"origin": "https://evil.example"})
    assert (good.status_code, bad.status_code) == (204, 204)
    assert named(good) == ("https://shop.example", "true")
    assert named(bad) == (None, None)
    allowed = good.headers["access-control-allow-headers"].split(", ")
    assert {"authorization", "content-type", "x-tenant"} <= set(allowed)
    assert "POST" in good.headers["access-control-allow-methods"]
    assert good.headers["vary"] == bad.headers["vary"] == "Origin, Access-Control-Request-Headers"


async def test_an_answer_counts_its_own_source_alone() -> None:
    async with Edge(SHOP).client as client:
        own = await client.post(
            "/v1/events", json=EVENT, headers=bearer("web", "https://shop.example")
        )
        other = await client.post(
            "/v1/events", json=EVENT, headers=bearer("secret", "https://shop.example")
        )
    assert own.status_code == other.status_code == 202
    assert named(own) == ("https://shop.example", "true")
    assert named(other) == (None, None)
    assert own.headers["vary"] == other.headers["vary"] == "Origin"


async def test_a_star_lets_every_page_in_by_name_but_without_credentials() -> None:
    async with Edge(SHOP, OPEN).client as client:
        answer = await client.post(
            "/v1/events", json=EVENT, headers=bearer("open", "https://any.example")
        )
        sandboxed = await client.post("/v1/events", json=EVENT, headers=bearer("web", "null"))
    assert named(answer) == ("https://any.example", None)
    assert named(sandboxed) == ("null", "true")


@pytest.mark.parametrize(
    ("key", "body", "status"),
    [
        ("web", b"{", 400),
        ("wrong", b"{}", 401),
        ("web", b" " * 2_000, 413),
        ("web", b"{}", 422),
    ],
)
async def test_a_page_can_read_its_errors(key: str, body: bytes, status: int) -> None:
    async with Edge(SHOP, max_body_bytes=1_000).client as client:
        headers = bearer(key, "https://shop.example")
        answer = await client.post("/v1/events", content=body, headers=headers)
    assert answer.status_code == status
    assert named(answer) == ("https://shop.example", "true")
    assert answer.headers["access-control-expose-headers"] == "retry-after"


async def test_answers_vary_even_when_nobody_named_an_origin() -> None:
    async with Edge(SHOP).client as client:
        answer = await client.post("/v1/events", json=EVENT)
    assert answer.headers["vary"] == "Origin"


async def test_nothing_long_that_a_page_says_is_repeated() -> None:
    long = "x" * 65
    async with Edge(SHOP, OPEN).client as client:
        asked = {
            "origin": f"https://{long}.example",
            "access-control-request-method": "POST",
            "access-control-request-headers": f"content-type, {long}",
        }
        preflight = await client.options("/2/httpapi", headers=asked)
        answer = await client.post(
            "/v1/events", json=EVENT, headers=bearer("open", f"https://{long}.example")
        )
    assert named(preflight) == named(answer) == ("*", None)
    assert preflight.headers["access-control-allow-headers"].split(", ")[-1] == "*"
    assert long not in str(preflight.headers) + str(answer.headers) + answer.text
