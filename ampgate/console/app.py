"""The console as an ASGI application: its pages, who may see them, and what a failure shows."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from urllib.parse import quote

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from ampgate.console.access import COOKIE, Access
from ampgate.console.desk import Desk, NotSignedInError, RefusedError
from ampgate.console.figures.figures import Figures
from ampgate.console.pages import (
    check,
    configuration,
    dead_letters,
    destination,
    events,
    live,
    overview,
    pulls,
    replays,
    sign_in,
    suppressions,
)
from ampgate.console.rendering import STATIC, SecurityHeaders, page
from ampgate.console.runs import BusyError, Runs
from ampgate.console.searches import Searches, TooManySearchesError
from ampgate.errors import CommandError
from schemas.configuration.config import Config, ConfigError

PAGES = (
    sign_in,
    overview,
    events,
    live,
    dead_letters,
    replays,
    destination,
    pulls,
    suppressions,
    check,
    configuration,
)
log = structlog.get_logger()


class Assets(StaticFiles):
    """Our style sheet and scripts; a browser asks each time whether they have changed."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        answer = await super().get_response(path, scope)
        answer.headers["cache-control"] = "no-cache"
        return answer


def create_app(
    config: Config, access: Access, lifespan: Callable[[FastAPI], AbstractAsyncContextManager[None]]
) -> FastAPI:
    app = FastAPI(
        title="ampgate console",
        lifespan=lifespan,
        openapi_url=None,
        redirect_slashes=False,
    )
    app.state.desk = Desk(config, access, Figures(config), Searches(), Runs(config))
    app.add_middleware(SecurityHeaders)
    for one in PAGES:
        app.include_router(one.router)
    app.mount("/static", Assets(directory=str(STATIC)))

    @app.get("/healthz")
    async def healthz() -> dict[str, str]:
        """Alive, also while Kafka is away: the pages say that."""
        return {"status": "alive"}

    app.add_exception_handler(NotSignedInError, _ask_to_sign_in)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(RequestValidationError, _no_such_place)
    app.add_exception_handler(RefusedError, _refused)
    app.add_exception_handler(TooManySearchesError, _too_many)
    app.add_exception_handler(BusyError, _busy)
    app.add_exception_handler(CommandError, _command_failed)
    app.add_exception_handler(ConfigError, _command_failed)
    app.add_exception_handler(Exception, _failed)
    return app


async def _ask_to_sign_in(request: Request, _: Exception) -> Response:
    """A page asks, and comes back; a form is to be sent again, and a stream just ends."""
    if request.method != "GET":
        return _problem("Your session has ended: nothing was done. Sign in, and do it again.", 401)
    if "text/event-stream" in request.headers.get("accept", ""):
        return PlainTextResponse("sign in first", 401)
    wanted = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    ended = "&ended=1" if COOKIE in request.cookies else ""
    return RedirectResponse(f"/sign-in?next={quote(wanted)}{ended}", 303)


async def _http_error(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    said = "There is no such page." if error.status_code == 404 else str(error.detail)
    return _problem(said, error.status_code)


async def _no_such_place(_: Request, _error: Exception) -> Response:
    """A partition or an offset that is no number."""
    return _problem("There is no such page.", 404)


async def _refused(_: Request, error: Exception) -> Response:
    assert isinstance(error, RefusedError)
    return _problem(str(error), error.status)


async def _busy(_: Request, error: Exception) -> Response:
    return _problem(str(error), 409)


async def _too_many(_: Request, error: Exception) -> Response:
    return _problem(str(error), 429)


async def _command_failed(_: Request, error: Exception) -> Response:
    return _problem(f"{error}.", 502)


async def _failed(_: Request, error: Exception) -> Response:
    """A failure of ours: its details are in the log alone."""
    log.error("console page failed", exc_info=error)
    return _problem("This page has failed; the console's log says why.", 500)


def _problem(said: str, status: int) -> Response:
    return page("problem.html", {"said": said}, status)
