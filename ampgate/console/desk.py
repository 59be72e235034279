"""What every page needs: who asks, the figures, and the frame around the page's own part."""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any
from urllib.parse import parse_qs

import structlog
from fastapi import Depends, Request
from starlette.responses import HTMLResponse, StreamingResponse

from ampgate.console.access import COOKIE, Access, Guesses, Session, is_own
from ampgate.console.figures.figures import Figures
from ampgate.console.rendering import MARK, page, rendered
from ampgate.console.runs import Runs
from ampgate.console.searches import Searches, Work
from ampgate.errors import CommandError
from schemas.configuration.config import Config, ConfigError

FORM_BYTES_MAX = 64_000
log = structlog.get_logger()


class NotSignedInError(Exception):
    """No session, or one that has ended."""


class RefusedError(Exception):
    """Somebody may not do this; the message says why, and the status is the answer's."""

    def __init__(self, message: str, status: int = 403) -> None:
        super().__init__(message)
        self.status = status


@dataclass(slots=True)
class Desk:
    """The services of the process."""

    config: Config
    access: Access
    figures: Figures
    searches: Searches
    runs: Runs
    watching: int = 0  # How many follow the live tail.
    guesses: Guesses = field(default_factory=Guesses)
    stopping: asyncio.Event = field(default_factory=asyncio.Event)


def desk_of(request: Request) -> Desk:
    desk = request.app.state.desk
    assert isinstance(desk, Desk)
    return desk


def session_of(request: Request) -> Session:
    cookie = request.cookies.get(COOKIE, "")
    session = desk_of(request).access.session(cookie, time.time())
    if session is None:
        raise NotSignedInError
    return session


@dataclass(frozen=True, slots=True)
class Visit:
    """One request of somebody who is signed in."""

    request: Request
    desk: Desk
    session: Session

    @property
    def config(self) -> Config:
        return self.desk.config

    @property
    def figures(self) -> Figures:
        return self.desk.figures

    @property
    def is_open(self) -> bool:
        """Whether a stream may go on: it ends with its session, and with the process."""
        return time.time() < self.session.ends_at and not self.desk.stopping.is_set()

    def query(self, name: str) -> str:
        return self.request.query_params.get(name, "").strip()

    def page(self, template: str, context: Mapping[str, object], status: int = 200) -> HTMLResponse:
        return page(template, self.frame(context), status)

    def frame(self, context: Mapping[str, object]) -> dict[str, Any]:
        """The page's own values, and those of the frame."""
        stored = self.figures.stored
        return {
            "session": self.session,
            "path": self.request.url.path,
            "kafka_trouble": stored.trouble,
            "kafka_since": stored.since,
            "servers": self.config.kafka.bootstrap_servers,
            **context,
        }

    def searched(
        self,
        template: str,
        part: str,
        context: Mapping[str, object],
        work: Work[Mapping[str, object]],
    ) -> StreamingResponse:
        """The page at once, and its part `part` once the search has ended.

        Whoever leaves the page cancels the search; one that fails says so in its place.
        """
        searches = self.desk.searches
        searches.admit(self.session)
        frame = self.frame(context)
        head, _, tail = rendered(template, {**frame, "mark": MARK}).partition(MARK)

        async def sent() -> AsyncIterator[str]:
            yield head
            try:
                yield rendered(part, {**frame, **await searches.run(work)})
            except (CommandError, ConfigError) as error:
                yield rendered("failed_part.html", {**frame, "why": str(error)})
            except Exception as error:
                log.error("console page failed", exc_info=error)
                why = "a failure of ours; the console's log says why"
                yield rendered("failed_part.html", {**frame, "why": why})
            yield tail

        return StreamingResponse(sent(), media_type="text/html; charset=utf-8")

    async def form(self) -> dict[str, str]:
        """What an operator's form says; `RefusedError` if it is not from a page of ours."""
        if not self.session.may_act:
            raise RefusedError("Your session only sees. Sign in with the operator's token to act.")
        body = bytearray()
        async for chunk in self.request.stream():
            body += chunk
            if len(body) > FORM_BYTES_MAX:
                raise RefusedError("The form is too long.", 413)
        said = {
            name: values[-1].strip()
            for name, values in parse_qs(body.decode(errors="replace"), max_num_fields=50).items()
        }
        if not is_own(self.request.headers, self.session, said.pop("csrf", "")):
            raise RefusedError(
                "The form is not from this page, or from before you signed in. Open it again."
            )
        return said

    def audit(self, action: str, **facts: object) -> None:
        """One line for each action: who did what, from where."""
        client = self.request.client
        log.info(
            "console action",
            action=action,
            role=str(self.session.role),
            session=self.session.name,
            address=client.host if client else None,
            **facts,
        )


def visit(request: Request) -> Visit:
    return Visit(request, desk_of(request), session_of(request))


Visiting = Annotated[Visit, Depends(visit)]
