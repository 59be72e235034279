"""Which proxy leads where: as curl reads the environment, for both clients alike."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from consumers.delivery.destination import Request, Response
from consumers.http.client import sender_to
from schemas.configuration.config import ConfigError
from schemas.http.proxies import proxy_for
from schemas.vendors.aampe import AampeDestination
from schemas.vendors.amplitude import AmplitudeDestination

P, Q = "http://p:1", "http://q:2"
HERE = "https://api.example.com"


@pytest.mark.parametrize(
    ("environment", "url", "proxy"),
    [
        ({}, HERE, None),
        ({"HTTPS_PROXY": P}, HERE, P),
        ({"https_proxy": P}, HERE, P),
        ({"https_proxy": P, "HTTPS_PROXY": Q}, HERE, P),
        ({"HTTP_PROXY": P}, HERE, None),
        ({"HTTP_PROXY": P}, "http://api.example.com", P),
        ({"ALL_PROXY": P}, HERE, P),
        ({"all_proxy": P}, "http://api.example.com", P),
        ({"ALL_PROXY": P, "HTTPS_PROXY": Q}, HERE, Q),
        ({"ALL_PROXY": P, "HTTPS_PROXY": ""}, HERE, P),
        ({"ALL_PROXY": "p:1"}, HERE, "http://p:1"),
        ({"ALL_PROXY": " http://u:s%40@p:1/ "}, HERE, "http://u:s%40@p:1/"),
        ({"ALL_PROXY": "socks5h://p:1"}, HERE, "socks5h://p:1"),
    ],
)
def test_the_scheme_decides_which_variable_counts(
    environment: dict[str, str], url: str, proxy: str | None
) -> None:
    assert proxy_for(url, environment) == proxy


@pytest.mark.parametrize(
    ("exceptions", "url", "is_direct"),
    [
        ("*", HERE, True),
        ("example.com", HERE, True),
        (".example.com", HERE, True),
        ("*.example.com", HERE, True),
        ("EXAMPLE.com.", HERE, True),
        ("api.example.com", HERE, True),
        ("ample.com", HERE, False),
        ("example.com.evil", HERE, False),
        ("x, example.com", HERE, True),
        ("x example.com", HERE, True),
        ("example.com:443", HERE, True),
        ("example.com:8080", HERE, False),
        ("example.com:8080", "https://api.example.com:8080", True),
        ("", HERE, False),
        (",. , *.,:", HERE, False),
        ("10.0.0.0/8", "http://10.1.2.3", True),
        ("10.0.0.0/8", "http://11.1.2.3", False),
        ("10.1.2.3/8", "http://10.9.9.9", True),
        ("10.1.2.3", "http://10.1.2.3:99", True),
        ("10.1.2.3:99", "http://10.1.2.3:98", False),
        ("1.2.3", "http://10.1.2.3", False),
        ("::1", "http://[::1]:80", True),
        ("[::1]:80", "http://[::1]", True),
        ("[::1]:81", "http://[::1]", False),
        ("fd00::/8", "http://[fd12::1]", True),
    ],
)
def test_no_proxy_names_what_is_reached_without(exceptions: str, url: str, is_direct: bool) -> None:
    for name in ("no_proxy", "NO_PROXY"):
        assert proxy_for(url, {"ALL_PROXY": P, name: exceptions}) == (None if is_direct else P)


@pytest.mark.parametrize("proxy", ["ftp://p:1", "http://", "http://p:99999", "http://[::1", "a://"])
def test_a_proxy_that_cannot_be_used_is_a_configuration_error(proxy: str) -> None:
    with pytest.raises(ConfigError, match=r"^ALL_PROXY: "):
        proxy_for(HERE, {"ALL_PROXY": proxy})


AMPLITUDE = AmplitudeDestination.model_validate(
    {"name": "a", "type": "amplitude", "api_key": "k", "base_url": "http://far.invalid"}
)
AAMPE = AampeDestination.model_validate(
    {
        "name": "b",
        "type": "aampe",
        "region": "us-east1",
        "api_key": "k",
        "base_url": "http://far.invalid",
    }
)


@asynccontextmanager
async def proxy_here(heard: list[bytes]) -> AsyncIterator[str]:
    """A proxy that answers by itself, and notes what it was asked for."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.append(await reader.readline())
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 407 Who\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


@pytest.mark.parametrize("variable", ["ALL_PROXY", "http_proxy", "HTTP_PROXY"])
@pytest.mark.parametrize("destination", [AMPLITUDE, AAMPE], ids=["amplitude", "aampe"])
async def test_no_request_goes_past_the_proxy(
    destination: AmplitudeDestination | AampeDestination,
    variable: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    heard: list[bytes] = []
    async with proxy_here(heard) as proxy:
        monkeypatch.setenv(variable, proxy)
        async with sender_to(destination) as sender:
            assert await sender.send(Request("/x", {}, b"{}")) == Response(407, b"")
    assert heard == [b"POST http://far.invalid/x HTTP/1.1\r\n"]


@pytest.mark.parametrize("destination", [AMPLITUDE, AAMPE], ids=["amplitude", "aampe"])
async def test_what_no_proxy_names_is_reached_without(
    destination: AmplitudeDestination | AampeDestination, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard: list[bytes] = []
    async with proxy_here(heard) as there, proxy_here([]) as proxy:
        monkeypatch.setenv("ALL_PROXY", proxy)
        monkeypatch.setenv("NO_PROXY", "127.0.0.0/8")
        async with sender_to(destination.model_copy(update={"base_url": there})) as sender:
            await sender.send(Request("/x", {}, b"{}"))
    assert heard == [b"POST /x HTTP/1.1\r\n"]
