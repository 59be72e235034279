"""The edge says where the console is, and runs nothing for it."""

import pytest

from gateway.edge.console import page_of
from schemas.configuration.config import Console
from tests.unit.gateway.memory import Edge


@pytest.mark.parametrize("path", ["/console", "/events/console"])
async def test_it_says_where_the_console_is_and_loads_nothing(path: str) -> None:
    async with Edge(path_prefix="/events").client as client:
        answer = await client.get(path)

    assert answer.status_code == 200
    assert 'href="http://127.0.0.1:8090/"' in answer.text
    assert answer.headers["content-security-policy"].startswith("default-src 'none'")


def test_a_console_on_all_addresses_is_named_by_this_machines() -> None:
    assert "http://127.0.0.1:9/" in page_of(Console(host="::", port=9))
    assert "http://[fd00::1]:8090/" in page_of(Console(host="fd00::1"))
    assert "http://console.example:8090/" in page_of(Console(host="console.example"))
