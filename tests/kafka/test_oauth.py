"""Login to Kafka with OAuth tokens, as to hosted clusters; the embedded broker validates them."""

import asyncio
import tomllib
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from aiokafka.protocol.metadata import MetadataRequest

from ampgate.lab.kafka.kafka import EmbeddedKafka
from ampgate.lab.kafka.ports import free_ports
from schemas.configuration.config import Kafka
from schemas.kafka import asking
from schemas.kafka.login import client_arguments
from tests.eventually import eventually, seen
from tests.kafka.identity_provider import IdentityProvider, serving
from tests.kafka.processes import command, post, running, until_answers
from tests.kafka.test_security import others
from tests.operating import received

SECRET = "not-to-be-logged-81ac/+="
LIFE_SECONDS = 3
LISTENER = "listener.name.tokens.oauthbearer."
HANDLER = "org.apache.kafka.common.security.oauthbearer.OAuthBearerValidatorCallbackHandler"
LOGIN = "org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule required;"


@pytest.fixture(scope="module")
def provider() -> Iterator[IdentityProvider]:
    with serving(IdentityProvider("ampgate", SECRET, LIFE_SECONDS)) as serves:
        yield serves


@pytest.fixture(scope="module")
def kafka(
    provider: IdentityProvider, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[EmbeddedKafka]:
    """It takes no token of anybody else, and ends each connection with its token."""
    directory = tmp_path_factory.mktemp("oauth")
    keys = directory / "keys.json"
    provider.write_keys(keys)
    settings = {
        "sasl.enabled.mechanisms": "OAUTHBEARER",
        f"{LISTENER}sasl.jaas.config": LOGIN,
        f"{LISTENER}sasl.server.callback.handler.class": HANDLER,
        f"{LISTENER}connections.max.reauth.ms": "3600000",
        "sasl.oauthbearer.jwks.endpoint.url": keys.as_uri(),
        "sasl.oauthbearer.expected.audience": "kafka",
        "sasl.oauthbearer.expected.issuer": "https://identity.example",
    }
    allowed = f"-Dorg.apache.kafka.sasl.oauthbearer.allowed.urls={keys.as_uri()}"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JAVA_TOOL_OPTIONS", allowed)
        with EmbeddedKafka(
            directory / "kafka", settings=settings, listeners={"TOKENS": "SASL_PLAINTEXT"}
        ) as embedded:
            yield embedded


def section(kafka: EmbeddedKafka, provider: IdentityProvider, secret: str) -> str:
    return f"""
[kafka]
bootstrap_servers = "{kafka.servers_of("TOKENS")}"
security_protocol = "SASL_PLAINTEXT"
sasl_mechanism = "OAUTHBEARER"
sasl_oauth_token_url = "{provider.url}"
sasl_oauth_client_id = "ampgate"
sasl_oauth_client_secret = "{secret}"
sasl_oauth_scope = "kafka"
"""


async def test_events_get_all_the_way_while_tokens_end_and_are_renewed(
    kafka: EmbeddedKafka, provider: IdentityProvider, tmp_path: Path, topic_prefix: str
) -> None:
    edge_port, admin_port, upstream_port = free_ports(3)
    upstream = f"http://127.0.0.1:{upstream_port}"
    file = tmp_path / "ampgate.toml"
    file.write_text(
        section(kafka, provider, provider.secret)
        + others(topic_prefix, edge_port, admin_port, upstream_port)
    )
    done = command("topics", "create", configuration=file)
    assert done.returncode == 0, done.stderr
    simulate = ("simulate", "amplitude", "--port", str(upstream_port))
    sent = 0
    with (
        running(*simulate, configuration=file),
        running("edge", configuration=file) as edge,
        running("deliver", configuration=file) as delivery,
    ):
        url = f"http://127.0.0.1:{edge_port}"
        await until_answers(f"{url}/readyz", 200)
        before = len(provider.scopes)
        while len(provider.scopes) < before + 3:
            event = {"event_type": "Sign Up", "user_id": "ann@example.org", "insert_id": str(sent)}
            assert await post(f"{url}/v1/events", event, "k") == 202
            sent += 1
            await asyncio.sleep(0.1)  # Some requests for each token, not a load.
        await seen(partial(received, upstream), lambda arrived: len(arrived) >= sent)
        arrived = [event["insert_id"] for event in await received(upstream)]

        edge.stop()
        assert delivery.stop() == 0
    assert arrived == [str(at) for at in range(sent)]
    assert set(provider.scopes) == {"kafka"}
    for process in (edge, delivery):
        assert "Traceback" not in process.said
        assert provider.secret not in process.said


async def test_a_connection_is_replaced_before_its_token_ends_and_its_requests_are_answered(
    kafka: EmbeddedKafka, provider: IdentityProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asking, "REPLACED_AT", 0.0)
    config = tomllib.loads(section(kafka, provider, provider.secret))
    client = asking.Client(**client_arguments(Kafka.model_validate(config["kafka"])))
    await client.bootstrap()
    try:
        used: list[asking.Connection] = []
        for _ in range(2):
            connection = await client._get_conn(1)
            assert connection not in used
            used.append(connection)
            assert (await connection.send(MetadataRequest([]))).brokers
        await eventually(lambda: all(one._writer is None for one in used))
    finally:
        await client.close()


async def test_a_refused_login_says_what_the_provider_said_and_is_tried_again(
    kafka: EmbeddedKafka, provider: IdentityProvider, tmp_path: Path, topic_prefix: str
) -> None:
    edge_port, admin_port, upstream_port = free_ports(3)
    rest = others(topic_prefix, edge_port, admin_port, upstream_port)
    wrong = tmp_path / "wrong.toml"
    wrong.write_text(section(kafka, provider, "another-secret") + rest)
    right = tmp_path / "right.toml"
    right.write_text(section(kafka, provider, provider.secret) + rest)
    checked = command("check", configuration=wrong)
    assert checked.returncode == 1
    assert "answered 401" in checked.stdout
    assert "invalid_client" in checked.stdout
    assert "kafka.sasl_oauth_client_id" in checked.stdout

    provider.is_down = True
    with running("edge", configuration=right) as edge:
        await until_answers(f"http://127.0.0.1:{edge_port}/readyz", 503)
        edge.until_it_says("token for Kafka could not be renewed")
        provider.is_down = False
        assert command("topics", "create", configuration=right).returncode == 0
        await until_answers(f"http://127.0.0.1:{edge_port}/readyz", 200)
        edge.stop()
    for said in (edge.said, checked.stdout + checked.stderr):
        assert "Traceback" not in said
        assert provider.secret not in said
