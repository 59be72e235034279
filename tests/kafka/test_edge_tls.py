"""The edge serves HTTPS itself, beside an admin port without it; a new certificate drops nobody."""

import asyncio
import signal
import socket
import ssl
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
import trustme

from tests.conftest import Broker
from tests.eventually import DEADLINE_SECONDS, eventually, seen
from tests.kafka.edge_process import KEY, EdgeProcess, create_topics, running, start
from tests.kafka.processes import until_answers
from tests.loopback import hang_up, loopback_client

EVENT = {"event_type": "a", "user_id": "user-1"}


@dataclass(frozen=True, slots=True)
class Secured:
    edge: EdgeProcess
    admin_port: int
    authority: trustme.CA
    certificate: Path

    @property
    def trust(self) -> ssl.SSLContext:
        context = ssl.create_default_context()
        self.authority.configure_trust(context)
        return context

    def write_certificate(self) -> None:
        self.authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(
            self.certificate
        )

    async def shown(self) -> bytes | None:
        """The certificate that a new connection is shown."""
        _, writer = await asyncio.open_connection("127.0.0.1", self.edge.port, ssl=self.trust)
        shown: bytes | None = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
        await hang_up(writer)
        return shown


@pytest.fixture
async def secured(
    kafka: Broker, topic_prefix: str, unused_tcp_port_factory: Callable[[], int], tmp_path: Path
) -> AsyncIterator[Secured]:
    await create_topics(kafka.bootstrap_servers, topic_prefix)
    port, admin_port = unused_tcp_port_factory(), unused_tcp_port_factory()
    authority, certificate = trustme.CA(), tmp_path / "edge.pem"
    trust = ssl.create_default_context()
    authority.configure_trust(trust)
    authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(certificate)
    more = (
        f'admin_host = "127.0.0.1"\nadmin_port = {admin_port}\n'
        f'tls_certfile = "{certificate}"\nmax_body_bytes = 30_000_000\n'
    )
    async with running(
        tmp_path,
        kafka.bootstrap_servers,
        topic_prefix,
        port,
        workers=2,
        more=more,
        trust=trust,
    ) as edge:
        yield Secured(edge, admin_port, authority, certificate)


async def post(client: httpx.AsyncClient) -> int:
    return (await client.post("/v1/events", json=EVENT, headers=KEY)).status_code


async def test_a_renewed_certificate_is_shown_and_no_connection_is_dropped(
    secured: Secured,
) -> None:
    edge = secured.edge
    reader, writer = await asyncio.open_connection("127.0.0.1", edge.port, ssl=secured.trust)

    async def is_alive() -> bool:
        writer.write(b"GET /healthz HTTP/1.1\r\n\r\n")
        return b"200 OK" in await reader.readuntil(b'"alive"}')

    assert await is_alive()
    first = await secured.shown()
    secured.write_certificate()
    edge.process.send_signal(signal.SIGHUP)
    second = await seen(secured.shown, lambda found: found != first)
    assert await is_alive()

    secured.certificate.write_text("no certificate")
    edge.process.send_signal(signal.SIGHUP)
    await edge.says("new configuration rejected, keeping the former one")
    assert {await secured.shown() for _ in range(8)} <= {first, second}
    assert await is_alive()
    await hang_up(writer)

    edge.workers()[0].send_signal(signal.SIGKILL)  # Whoever takes its place has it as well.
    await edge.says("worker ended, starting another")
    await eventually(lambda: len(edge.workers()) == 2)
    assert {await secured.shown() for _ in range(8)} <= {first, second}


async def test_a_large_body_and_a_large_answer_go_through(secured: Secured) -> None:
    events = [EVENT | {"event_properties": {"text": "x" * 200}, "n": n} for n in range(40_000)]
    async with secured.edge.client() as client:
        answer = await client.post("/v1/events?receipts=true", json=events, headers=KEY)
    assert answer.status_code == 202
    assert len(answer.json()["records"]) == 40_000


async def test_a_scrape_of_the_admin_port_is_the_sum_and_the_public_one_has_none(
    secured: Secured,
) -> None:
    async with secured.edge.client() as client:
        for _ in range(20):
            assert await post(client) == 202
        assert (await client.get("/metrics")).status_code == 404
    await secured.edge.ready()
    url = f"http://127.0.0.1:{secured.admin_port}"
    async with loopback_client(url) as admin:
        text = (await admin.get("/metrics")).text
        assert 'outcome="accepted",source="shop"} 20.0\n' in text
        for path in ("/healthz", "/readyz", "/docs", "/openapi.json", "/console"):
            assert (await admin.get(path)).status_code == 200


async def test_a_successor_binds_both_ports_while_its_predecessor_lives(secured: Secured) -> None:
    successor = start(secured.edge.file, secured.edge.port, secured.edge.trust)
    try:
        await successor.says('"listening"')
        assert await secured.edge.stop() == 0
        async with successor.client() as client:
            assert await post(client) == 202
        url = f"http://127.0.0.1:{secured.admin_port}"
        await until_answers(f"{url}/readyz", 200)
    finally:
        successor.process.kill()
        successor.process.wait()


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_newer_versions_of_tls_are_spoken(secured: Secured, version: ssl.TLSVersion) -> None:
    context = secured.trust
    context.set_alpn_protocols(["h2", "http/1.1"])
    context.minimum_version = context.maximum_version = version
    _, writer = await asyncio.open_connection("127.0.0.1", secured.edge.port, ssl=context)
    spoken = writer.get_extra_info("ssl_object")
    assert spoken.selected_alpn_protocol() == "http/1.1"
    assert spoken.cipher()[0].startswith(("ECDHE-", "TLS_"))
    await hang_up(writer)


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
async def test_an_older_version_of_tls_is_refused(secured: Secured) -> None:
    context = secured.trust
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = ssl.TLSVersion.TLSv1
    context.maximum_version = ssl.TLSVersion.TLSv1_1
    with pytest.raises((ssl.SSLError, ConnectionError)):
        await asyncio.open_connection("127.0.0.1", secured.edge.port, ssl=context)


async def test_a_handshake_that_does_not_end_is_cut_off(secured: Secured) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", secured.edge.port)
    writer.write(b"\x16\x03\x01")
    async with asyncio.timeout(DEADLINE_SECONDS):
        assert await reader.read() == b""
    await hang_up(writer)


async def test_who_speaks_no_tls_is_refused_and_hurts_nobody(secured: Secured) -> None:
    with socket.create_connection(("127.0.0.1", secured.edge.port)) as plain:
        plain.sendall(b"GET /healthz HTTP/1.1\r\n\r\n")
        await asyncio.to_thread(plain.settimeout, DEADLINE_SECONDS)
        assert b"200 OK" not in await asyncio.to_thread(plain.recv, 1_000)
    async with secured.edge.client() as client:
        assert await post(client) == 202
