"""The console over HTTP: nothing without a session, no action without the right one, and the same
headers on everything."""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import httpx
import pytest
from fastapi import FastAPI, Request
from fastapi.routing import APIRoute
from starlette.responses import Response

from ampgate.console.access import COOKIE, SESSION_SECONDS, Access, Role
from ampgate.console.app import PAGES, create_app
from ampgate.console.desk import Desk, Visit, Visiting
from ampgate.console.rendering import HEADERS
from ampgate.console.server import reload
from schemas.configuration.config import Config, ConfigError
from tests.eventually import DEADLINE_SECONDS
from tests.served import served

HERE = "http://console.example"
OPEN = {"/sign-in", "/sign-out"}
VALUES = {"topic": "ampgate.events", "partition": "0", "offset": "1", "name": "d", "at": "now"}
CONFIG = Config.model_validate({"kafka": {"bootstrap_servers": "127.0.0.1:1"}})
ACCESS = Access("the operator's", "the viewer's")
ROUTES = [
    (method, route.path.format(**VALUES))
    for page in PAGES
    for route in page.router.routes
    if isinstance(route, APIRoute) and route.path not in OPEN
    for method in sorted(route.methods or ())
]
ACTIONS = [path for method, path in ROUTES if method == "POST"]


@asynccontextmanager
async def nothing(_: FastAPI) -> AsyncIterator[None]:
    yield


def client(role: Role | None = None, at: float | None = None, **headers: str) -> httpx.AsyncClient:
    """Of somebody who signed in at that time."""
    app = create_app(CONFIG, ACCESS, nothing)
    now = time.time() if at is None else at
    cookies = {} if role is None else {COOKIE: ACCESS.new_session(role, now)}
    transport = httpx.ASGITransport(app=app)
    return httpx.AsyncClient(transport=transport, base_url=HERE, cookies=cookies, headers=headers)


@pytest.mark.parametrize(("method", "path"), ROUTES)
async def test_nothing_is_shown_and_nothing_done_without_a_session(method: str, path: str) -> None:
    ended = time.time() - SESSION_SECONDS - 1
    for who in (client(), client(Role.OPERATOR, at=ended)):
        async with who as browser:
            answer = await browser.request(method, path)
        if method == "GET":
            assert answer.status_code == 303
            assert answer.headers["location"].startswith("/sign-in?next=/")
        else:
            assert answer.status_code == 401
        assert HEADERS.items() <= answer.headers.items()


async def test_a_session_that_has_ended_is_told_of_and_leads_back() -> None:
    async with client(Role.VIEWER, at=0.0) as browser:
        asked = await browser.get("/events?q=ann")
        form = await browser.get(asked.headers["location"])

    assert "Your session has ended." in form.text
    assert 'value="/events?q=ann"' in form.text


@pytest.mark.parametrize("path", ACTIONS)
async def test_an_action_needs_an_operator_and_a_form_of_our_own(path: str) -> None:
    async with client(Role.VIEWER, origin=HERE) as browser:
        assert (await browser.post(path)).status_code == 403
    async with client(Role.OPERATOR) as browser:
        cookie = browser.cookies[COOKIE]
        session = ACCESS.session(cookie, time.time())
        assert session is not None
        form = {"csrf": session.csrf}
        without = await browser.post(path, data=form)
        other = await browser.post(path, data=form, headers={"origin": "https://evil.example"})
        forged = await browser.post(path, data={"csrf": "x"}, headers={"origin": HERE})
        own = await browser.post(path, data=form, headers={"origin": HERE})

    assert [one.status_code for one in (without, other, forged)] == [403] * 3
    assert own.status_code in (400, 409)  # It is ours, and says nothing to be done.


@pytest.mark.parametrize(
    "wanted", ["//evil.example", "/\\evil.example", "https://evil.example", "/a\nb", "evil", ""]
)
async def test_a_sign_in_leads_to_our_own_pages_only(wanted: str) -> None:
    async with client() as browser:
        answer = await browser.post("/sign-in", data={"token": "the viewer's", "next": wanted})

    assert 'content="0;url=/"' in answer.text
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie


async def test_a_link_signs_in_and_a_wrong_token_does_not() -> None:
    async with client() as browser:
        wrong = await browser.get("/sign-in", params={"token": "the"})
        assert (wrong.status_code, "set-cookie" in wrong.headers) == (403, False)
        right = await browser.get("/sign-in", params={"token": "the operator's"})
        shown = await browser.get("/")

    assert right.status_code == shown.status_code == 200
    assert "operator" in shown.text


async def test_another_site_signs_nobody_out() -> None:
    """Its request comes without the cookie, as that is strict."""
    async with client() as browser:
        assert "set-cookie" not in (await browser.post("/sign-out")).headers
    async with client(Role.VIEWER) as browser:
        assert 'ampgate_console=""' in (await browser.post("/sign-out")).headers["set-cookie"]


@pytest.mark.parametrize("path", ["/stream", "/live/stream"])
async def test_a_stream_ends_with_its_session_and_with_the_process(path: str) -> None:
    app = create_app(CONFIG, ACCESS, nothing)
    desk: Desk = app.state.desk
    for at, ends in ((time.time() - SESSION_SECONDS - 1, True), (time.time(), False)):
        cookie = ACCESS.new_session(Role.VIEWER, at)
        session = ACCESS.session(cookie, at)
        assert session is not None
        visit = Visit(Request({"type": "http", "query_string": b""}), desk, session)
        assert visit.is_open is not ends
    desk.stopping.set()
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app=app), base_url=HERE, cookies={COOKIE: cookie}
    ) as browser:
        assert "event: part" not in (await browser.get(path)).text


async def test_what_is_no_place_is_no_page() -> None:
    async with client(Role.VIEWER) as browser:
        found = [
            (await browser.get(path)).status_code
            for path in ("/nothing", "/events/t/-1/0", "/events/t/0/x", "/destinations/nobody")
        ]

    assert found == [404] * 4


async def test_a_search_says_why_kafka_could_not_be_read() -> None:
    async with client(Role.VIEWER) as browser:
        answer = await browser.get("/events", params={"q": "<script>alert(1)</script>"})

    assert "Kafka at 127.0.0.1:1 cannot be reached" in answer.text
    assert "<script>alert" not in answer.text


async def test_who_leaves_a_page_cancels_its_search() -> None:
    app = create_app(CONFIG, ACCESS, nothing)
    begun, ended = asyncio.Event(), asyncio.Event()

    async def search() -> Mapping[str, object]:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()
        return {}

    @app.get("/endless")
    async def endless(visit: Visiting) -> Response:
        return visit.searched("check.html", "check_part.html", {}, search)

    cookies = {COOKIE: ACCESS.new_session(Role.VIEWER, time.time())}
    async with (
        served(app) as url,
        httpx.AsyncClient(trust_env=False, timeout=DEADLINE_SECONDS, cookies=cookies) as browser,
    ):
        async with browser.stream("GET", f"{url}/endless") as answer:
            head = await anext(answer.aiter_text())
            assert "Cancel" in head
            await asyncio.wait_for(begun.wait(), DEADLINE_SECONDS)
            assert not ended.is_set()
        await asyncio.wait_for(ended.wait(), DEADLINE_SECONDS)


async def test_changed_destinations_apply_and_a_bad_file_changes_nothing() -> None:
    desk: Desk = create_app(CONFIG, ACCESS, nothing).state.desk
    named = {"name": "new", "type": "amplitude", "api_key": "k"}
    reload(desk, lambda: Config.model_validate({"destinations": [named]}))
    assert [one.name for one in desk.config.destinations] == ["new"]
    desk.figures.looked_at = 1.0
    assert desk.figures.unattended() == ["new"]
    assert desk.config.kafka == CONFIG.kafka

    def wrong() -> Config:
        raise ConfigError("destinations.0: no such type")

    reload(desk, wrong)
    assert [one.name for one in desk.config.destinations] == ["new"]


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (AssertionError("a secret detail"), "a failure of ours"),
        (ConfigError("destination d: shop.mapping cannot be imported"), "shop.mapping cannot be"),
    ],
)
async def test_a_search_that_fails_ends_its_page_in_words(error: Exception, said: str) -> None:
    app = create_app(CONFIG, ACCESS, nothing)

    async def search() -> Mapping[str, object]:
        raise error

    @app.get("/failing")
    async def failing(visit: Visiting) -> Response:
        return visit.searched("check.html", "check_part.html", {}, search)

    cookies = {COOKIE: ACCESS.new_session(Role.VIEWER, time.time())}
    async with (
        served(app) as url,
        httpx.AsyncClient(trust_env=False, timeout=DEADLINE_SECONDS, cookies=cookies) as browser,
    ):
        answer = await browser.get(f"{url}/failing")

    assert said in answer.text
    assert "secret detail" not in answer.text
    assert answer.text.rstrip().endswith("</html>")
