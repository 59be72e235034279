"""What a plan of a replay is of, before Kafka is asked."""

import time

import httpx

from ampgate.console.access import COOKIE, Role
from ampgate.console.app import create_app
from schemas.configuration.config import Config
from tests.unit.ampgate.console.test_app import ACCESS, CONFIG, HERE, nothing


async def test_a_run_that_goes_on_counts_a_time_ago_from_its_own_beginning() -> None:
    """As `ampgate replay --resume` does: a later hour has other records."""
    us = {"name": "us", "type": "amplitude", "api_key": "k"}
    kafka = {"bootstrap_servers": CONFIG.kafka.bootstrap_servers}
    config = Config.model_validate({"kafka": kafka, "destinations": [us]})
    transport = httpx.ASGITransport(app=create_app(config, ACCESS, nothing))
    cookies = {COOKIE: ACCESS.new_session(Role.OPERATOR, time.time())}
    asked = {"destination": "us", "from": "1h", "to": "now", "resume": "2026-01-01T10:00:00Z"}
    async with httpx.AsyncClient(transport=transport, base_url=HERE, cookies=cookies) as browser:
        planned = await browser.get("/replays/plan", params=asked)

    assert "from 2026-01-01T09:00:00.000Z to 2026-01-01T10:00:00.000Z" in planned.text
