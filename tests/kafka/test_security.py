"""Kafka behind TLS: the whole way over SASL and over client certificates, and clear refusals."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest
import trustme
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from ampgate.lab.kafka.kafka import EmbeddedKafka
from ampgate.lab.kafka.ports import free_ports
from tests.eventually import seen
from tests.kafka.processes import command, post, running, until_answers
from tests.operating import received

USER, PASSWORD = "ampgate", "not-to-be-logged-5f2c"
EVENT = {"event_type": "Sign Up", "user_id": "ann@example.org"}


@dataclass(frozen=True, slots=True)
class SecureKafka:
    """A broker that speaks TLS only, but for the port that its own start looks at."""

    kafka: EmbeddedKafka
    ca: Path
    client: Path

    def section(self, way: str, password: str = PASSWORD) -> str:
        """The `[kafka]` of a configuration that goes this way."""
        login = f'sasl_plain_username = "{USER}"\nsasl_plain_password = "{password}"'
        certificate = f'ssl_certfile = "{self.client}"'
        listener, more = {
            "SCRAM-SHA-256": ("LOGIN", f'sasl_mechanism = "SCRAM-SHA-256"\n{login}'),
            "SCRAM-SHA-512": ("LOGIN", f'sasl_mechanism = "SCRAM-SHA-512"\n{login}'),
            "mutual TLS": ("CERTIFICATE", certificate),
            "no certificate": ("CERTIFICATE", ""),
        }[way]
        protocol = "SASL_SSL" if listener == "LOGIN" else "SSL"
        return f"""
[kafka]
bootstrap_servers = "{self.kafka.servers_of(listener)}"
security_protocol = "{protocol}"
ssl_cafile = "{self.ca}"
{more}
"""


@pytest.fixture(scope="module")
def secure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecureKafka]:
    directory = tmp_path_factory.mktemp("secure")
    authority = trustme.CA()
    ca, broker, client = (directory / name for name in ("ca.pem", "broker.pem", "client.pem"))
    authority.cert_pem.write_to_path(str(ca))
    broker.write_bytes(pem(authority.issue_cert("127.0.0.1")))
    client.write_bytes(pem(authority.issue_cert("ampgate@example.org")))
    settings = {
        "ssl.keystore.type": "PEM",
        "ssl.keystore.location": broker.as_posix(),
        "ssl.truststore.type": "PEM",
        "ssl.truststore.location": ca.as_posix(),
        "listener.name.certificate.ssl.client.auth": "required",
    }
    listeners = {"LOGIN": "SASL_SSL", "CERTIFICATE": "SSL"}
    with EmbeddedKafka(
        directory / "kafka", settings=settings, listeners=listeners, users={USER: PASSWORD}
    ) as kafka:
        yield SecureKafka(kafka, ca, client)


@pytest.mark.parametrize("way", ["SCRAM-SHA-256", "SCRAM-SHA-512", "mutual TLS"])
async def test_an_event_gets_all_the_way_over_tls(
    way: str, secure: SecureKafka, tmp_path: Path, topic_prefix: str
) -> None:
    edge_port, admin_port, upstream_port = free_ports(3)
    upstream = f"http://127.0.0.1:{upstream_port}"
    file = tmp_path / "ampgate.toml"
    file.write_text(
        secure.section(way) + others(topic_prefix, edge_port, admin_port, upstream_port)
    )
    done = command("topics", "create", configuration=file)
    assert done.returncode == 0, done.stderr
    simulate = ("simulate", "amplitude", "--port", str(upstream_port))
    with (
        running(*simulate, configuration=file),
        running("edge", configuration=file) as edge,
        running("deliver", configuration=file) as delivery,
    ):
        await until_answers(f"http://127.0.0.1:{edge_port}/readyz", 200)
        assert await post(f"http://127.0.0.1:{edge_port}/v1/events", EVENT, "k") == 202
        await until_answers(f"{upstream}/_stats", 200)
        (arrived,) = await seen(partial(received, upstream), bool)

        edge.stop()
        assert delivery.stop() == 0
    assert arrived["user_id"] == EVENT["user_id"]
    assert PASSWORD not in edge.said + delivery.said


@pytest.mark.parametrize(
    ("way", "password", "reason"),
    [
        ("SCRAM-SHA-512", "wrong-password-9e", "Authentication failed"),
        ("no certificate", "", "Kafka"),
    ],
)
async def test_who_is_not_let_in_says_so_and_goes_on_trying(
    way: str, password: str, reason: str, secure: SecureKafka, tmp_path: Path, topic_prefix: str
) -> None:
    edge_port, admin_port, upstream_port = free_ports(3)
    file = tmp_path / "ampgate.toml"
    file.write_text(
        secure.section(way, password)
        + others(topic_prefix, edge_port, admin_port, upstream_port, ack_timeout=3.0)
    )
    with (
        running("edge", configuration=file) as edge,
        running("deliver", configuration=file) as delivery,
    ):
        await until_answers(f"http://127.0.0.1:{admin_port}/healthz", 200)
        await until_answers(f"http://127.0.0.1:{edge_port}/readyz", 503)
        for process in (edge, delivery):
            process.until_it_says(reason)
            assert process.alive
        assert await post(f"http://127.0.0.1:{edge_port}/v1/events", EVENT, "k") == 503

        edge.stop()
        assert delivery.stop() == 0
    checked = command("check", configuration=file)
    assert checked.returncode == 1
    assert "credentials" in checked.stdout
    assert reason in checked.stdout
    for said in (edge.said, delivery.said, checked.stdout + checked.stderr):
        assert "Traceback" not in said
        assert not password or password not in said


def others(
    prefix: str, edge_port: int, admin_port: int, upstream_port: int, ack_timeout: float = 60.0
) -> str:
    return f"""
topic_prefix = "{prefix}"
[edge]
host = "127.0.0.1"
port = {edge_port}
ack_timeout_seconds = {ack_timeout}
[delivery]
admin_host = "127.0.0.1"
admin_port = {admin_port}
[[sources]]
name = "shop"
write_key = "k"
[[destinations]]
name = "amplitude-us"
type = "amplitude"
api_key = "k"
base_url = "http://127.0.0.1:{upstream_port}"
"""


def pem(certificate: trustme.LeafCert) -> bytes:
    """The key, in the one form that Kafka reads (PKCS #8), and the chain."""
    key = load_pem_private_key(certificate.private_key_pem.bytes(), None)
    unlocked = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return unlocked + b"".join(blob.bytes() for blob in certificate.cert_chain_pems)
