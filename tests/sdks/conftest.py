"""What every test of an SDK may ask for: an edge that runs, and no proxy before it."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.conftest import Broker
from tests.sdks.shop import Shop, open_shop


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """The Python SDKs ask the environment for a proxy; the edge is here."""
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.setenv(name, "127.0.0.1")


@pytest.fixture
async def shop(
    kafka: Broker, topic_prefix: str, unused_tcp_port: int, tmp_path: Path
) -> AsyncIterator[Shop]:
    async with open_shop(kafka, topic_prefix, unused_tcp_port, tmp_path) as shop:
        yield shop
