"""Tests with the fixture `new` run with both HTTP clients."""

import pytest

from tests.unit.consumers.http.far_ends import CLIENTS, New


@pytest.fixture(params=list(CLIENTS.values()), ids=list(CLIENTS))
def new(request: pytest.FixtureRequest) -> New:
    client: New = request.param
    return client
