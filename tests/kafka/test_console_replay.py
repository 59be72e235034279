"""A replay from the console's pages: as slow as its form says, and the rest of one that stopped."""

import asyncio
import re
import time
from html import unescape

import httpx

from ampgate.cli.moments import read_moment
from ampgate.console.access import COOKIE, Access, Role
from ampgate.console.app import create_app
from ampgate.console.desk import Desk
from ampgate.console.figures.stored import Watch
from schemas.topics import Kind
from tests.eventually import eventually
from tests.kafka.letters import die, letter
from tests.kafka.test_replay import at, parked_origins, settled
from tests.operating import AMPLITUDE, Operation, event
from tests.unit.ampgate.console.test_app import nothing

HERE = "http://console.example"
RECORDS = 60


async def confirmed(
    browser: httpx.AsyncClient, planned: httpx.Response, **more: str
) -> httpx.Response:
    """The form of a plan, sent as the browser would."""
    fields = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', planned.text))
    data = {name: unescape(value) for name, value in fields.items()} | more
    return await browser.post("/replays", data=data, headers={"origin": HERE})


async def test_a_replay_keeps_its_rate_and_another_sends_the_rest(here: Operation) -> None:
    sent = [at(event(f"user{n % 3}", insert_id=f"i{n}"), n) for n in range(RECORDS)]
    places = await settled(here, Kind.EVENT, sent)
    access = Access("the operator's", "the viewer's")
    app = create_app(here.config, access, nothing)
    desk: Desk = app.state.desk
    cookies = {COOKIE: access.new_session(Role.OPERATOR, time.time())}
    asked = {"destination": AMPLITUDE, "from": "2020-01-01", "to": "2020-01-02T00:00:00Z"}
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url=HERE, cookies=cookies) as browser:
        planned = await browser.get("/replays/plan", params=asked)
        assert f"Send {RECORDS} records again" in planned.text
        for rate in ("0", "-1", "nan", "fast"):
            assert (await confirmed(browser, planned, rate=rate)).status_code == 400

        assert (await confirmed(browser, planned, rate="1")).status_code == 303
        (run,) = desk.runs.all.values()
        await eventually(lambda: run.written >= 1)
        await desk.runs.stop()
        assert run.state == "failed"

        unknown = await browser.get("/replays/plan", params={**asked, "resume": "2020-01-01"})
        assert "run 2020-01-01T00:00:00.000Z" in unescape(unknown.text)
        rest = await browser.get(run.again)
        found = re.search(r"<b>(\d+)</b> are left: the interrupted run has sent them", rest.text)
        assert found is not None
        before = int(found[1])  # What was under way when it stopped is there, too.
        assert run.written <= before < RECORDS
        assert f"Send {RECORDS - before} record" in rest.text
        assert (await confirmed(browser, rest)).status_code == 303
        (again,) = desk.runs.all.values()
        await eventually(lambda: again.state == "done")
    assert (again.at, again.written) == (run.at, RECORDS - before)
    assert sorted(map(str, await parked_origins(here))) == sorted(places)


async def test_a_plan_for_dead_letters_of_the_last_hours_is_confirmed_as_it_was_made(
    here: Operation,
) -> None:
    """Not for the hours before its confirmation, which may come much later."""
    await die(here, letter("t/0/1"))
    access = Access("the operator's", "the viewer's")
    app = create_app(here.config, access, nothing)
    cookies = {COOKIE: access.new_session(Role.OPERATOR, time.time())}
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url=HERE, cookies=cookies) as browser:
        planned = await browser.get("/dead-letters/replay", params={"since": "2h"})
    fields = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', planned.text))
    assert fields["since"].endswith("Z")
    assert read_moment(fields["since"], 0) < read_moment(fields["at"], 0) - 7_000_000


async def test_what_waits_is_counted_also_where_a_users_function_is_not(here: Operation) -> None:
    """Only the delivery has to have the module; Kafka is not unreadable without it."""
    await here.produce(here.config.kafka.topics.events, [event("ann"), event("bob")])
    changed = [
        one.model_copy(update={"transform": "not_here:function"})
        for one in here.config.destinations
    ]
    config = here.config.model_copy(update={"destinations": tuple(changed)})
    watch = Watch(config, lambda: [AMPLITUDE])
    looking = asyncio.create_task(watch.run())
    try:
        await eventually(lambda: bool(watch.stored.unread or watch.stored.trouble))
    finally:
        looking.cancel()
        await asyncio.wait([looking])
    assert (watch.stored.trouble, dict(watch.stored.unread)) == (None, {AMPLITUDE: 2})
