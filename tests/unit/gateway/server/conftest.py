"""Tests of connections have a peer."""

import pytest

from tests.unit.gateway.server.peers import Peer


@pytest.fixture
async def peer() -> Peer:
    return Peer()
