"""The processes whose `/metrics` the console reads: found by configuration, and by DNS.

A name may stand for several processes, as a headless Service in Kubernetes or a scaled service of
compose: each of its addresses is asked. The browser asks none of them.
"""

import asyncio
import socket
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlsplit, urlunsplit

from pyreqwest.client import Client
from pyreqwest.exceptions import PyreqwestError

from ampgate.send.posting import cause_of
from schemas.configuration.config import Config

BYTES_MAX = 32_000_000  # 100 destinations with 64 partitions are 3 MB.
PROCESSES_MAX = 200  # Of one name.
What = Literal["edge", "delivery", "pull"]


@dataclass(frozen=True, slots=True)
class Place:
    """Where one or several processes of a kind are."""

    what: What
    url: str


@dataclass(frozen=True, slots=True)
class Heard:
    """What one process answered, or why it did not."""

    place: Place
    address: str
    text: str | None
    trouble: str = ""


def places_of(config: Config) -> list[Place]:
    """Those that are configured, else this machine's ports that the same file names."""
    named, port = config.console, config.edge.admin_port
    scheme = "https" if port is None and config.edge.tls_certfile is not None else "http"
    edge = f"{scheme}://127.0.0.1:{config.edge.port if port is None else port}"
    asked: dict[What, tuple[Sequence[str] | None, str]] = {
        "edge": (named.edges, edge),
        "delivery": (named.deliveries, f"http://127.0.0.1:{config.delivery.admin_port}"),
    }
    if config.pulls:
        asked["pull"] = (named.pulls, f"http://127.0.0.1:{config.pull.admin_port}")
    return [
        Place(what, url)
        for what, (urls, here) in asked.items()
        for url in ((here,) if urls is None else urls)
    ]


async def hear(client: Client, place: Place) -> list[Heard]:
    """Ask every process that is there."""
    parts = urlsplit(place.url)
    try:
        addresses = await _addresses(parts.hostname or "", parts.port)
    except OSError as error:
        why = f"{parts.hostname} has no address: {error.strerror or error}"
        return [Heard(place, place.url, None, why)]
    # A certificate is for a name: behind an https URL is one process, or a load balancer.
    if parts.scheme == "https":
        return [await _ask(client, place, place.url, place.url)]
    asked = [(one, urlunsplit(("http", one, parts.path, "", ""))) for one in addresses]
    return list(await asyncio.gather(*(_ask(client, place, *one) for one in asked)))


async def _addresses(host: str, port: int | None) -> list[str]:
    port = port or 80
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    addresses = one_family({str(address[0]) for *_, address in found})[:PROCESSES_MAX]
    return [f"[{one}]:{port}" if ":" in one else f"{one}:{port}" for one in addresses]


def one_family(addresses: Collection[str]) -> list[str]:
    """A process with an address of each family is asked once: the IPv4 ones, if there are any."""
    return sorted([one for one in addresses if ":" not in one] or addresses)


async def _ask(client: Client, place: Place, address: str, url: str) -> Heard:
    try:
        asked = client.get(f"{url}/metrics").headers({"host": urlsplit(place.url).netloc})
        async with asked.build_streamed() as response:
            body = bytearray()
            while chunk := await response.body_reader.read_chunk():
                body += chunk
                if len(body) > BYTES_MAX:
                    return Heard(place, address, None, "its answer is too long for metrics")
            if response.status != 200:
                return Heard(place, address, None, f"it answered {response.status} to /metrics")
            return Heard(place, address, body.decode(errors="replace"))
    except PyreqwestError as error:
        return Heard(place, address, None, cause_of(error))
