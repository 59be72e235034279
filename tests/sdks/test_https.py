"""Amplitude's own SDKs, unmodified, send to an edge that serves HTTPS itself."""

import json
from pathlib import Path

import pytest

from tests.conftest import Broker
from tests.kafka.test_edge import stored
from tests.kafka.test_edge_tls import Secured
from tests.kafka.test_edge_tls import secured as secured  # A fixture: pytest finds it by its name.
from tests.sdks.amplitude_sdks import NODE_DIR, SENT, node_sdk, python_sdk, send_three
from tests.sdks.npm import node_with


@pytest.fixture
def authority(secured: Secured, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever signed the edge's certificate is trusted, as each language is told to."""
    file = tmp_path / "authority.pem"
    secured.authority.cert_pem.write_to_path(file)
    for name in ("SSL_CERT_FILE", "NODE_EXTRA_CA_CERTS"):
        monkeypatch.setenv(name, str(file))


async def event_types(kafka: Broker, prefix: str) -> list[str]:
    records = await stored(kafka, f"{prefix}events")
    return [json.loads(record.value)["event_type"] for record in records]


@pytest.mark.usefixtures("authority")
async def test_the_python_sdk_sends_over_https(
    secured: Secured, kafka: Broker, topic_prefix: str
) -> None:
    async with python_sdk(f"{secured.edge.url}/2/httpapi", "secret", len(SENT)) as sdk:
        send_three(sdk.client)
        assert [result.code for result in await sdk.reported(3)] == [200] * 3
    assert await event_types(kafka, topic_prefix) == SENT


@pytest.mark.usefixtures("authority")
async def test_the_node_sdk_sends_over_https(
    secured: Secured, kafka: Broker, topic_prefix: str
) -> None:
    node = node_with(NODE_DIR)
    results = await node_sdk(
        node, url=f"{secured.edge.url}/2/httpapi", key="secret", useBatch=False
    )
    assert [result.code for result in results] == [200] * 3
    assert await event_types(kafka, topic_prefix) == SENT
