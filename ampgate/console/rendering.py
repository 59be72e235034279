"""Pages of templates: everything is escaped, and no page loads anything from another host."""

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from starlette.datastructures import MutableHeaders
from starlette.responses import HTMLResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ampgate.cli.moments import write_moment
from ampgate.console import words
from ampgate.console.values import visible

STATIC = files("ampgate.console") / "static"
MARK = "\0the part\0"  # Between what is sent at once, and what follows the result of a search.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:;"
    " connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
    "x-accel-buffering": "no",  # nginx would keep back what streams say.
}


class SecurityHeaders:
    """Around everything that is answered; pages are never stored by a cache."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers[name] = value
                headers.setdefault("cache-control", "no-store")
            await send(message)

        await self._app(scope, receive, with_headers)


def moment(seconds: float | None) -> Markup | str:
    """A time; the page's script shows it in the reader's zone."""
    if seconds is None:
        return words.UNKNOWN
    iso = write_moment(round(seconds * 1000))
    at = datetime.fromisoformat(iso)
    is_today = at.date() == datetime.now(UTC).date()
    text = f"{at:%H:%M}" if is_today else f"{at.day} {at:%b %H:%M}"
    return Markup('<time datetime="{}">{} UTC</time>').format(iso, text)


def moment_of(iso: str | None) -> Markup | str:
    """A time that is written as RFC 3339, to the second."""
    if not iso:
        return words.UNKNOWN
    shown = iso[:19].replace("T", " ")
    return Markup('<time datetime="{}" data-seconds>{} UTC</time>').format(iso, shown)


def stated(state: words.State) -> Markup:
    """A state's sentence, with its time in the reader's zone."""
    before, place, after = state.text.partition("{since}")
    return Markup("{}{}{}").format(before, moment(state.since) if place else "", after)


@cache
def environment() -> Environment:
    made = Environment(
        loader=PackageLoader("ampgate.console", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {
        "moment": moment,
        "visible": visible,
        "moment_of": moment_of,
        "stated": stated,
        "per_second": words.per_second,
        "clock": lambda seconds: f"{datetime.fromtimestamp(seconds, UTC):%H:%M}",
        "short": words.short,
        "duration": words.duration,
    }
    return made


def rendered(template: str, context: Mapping[str, Any]) -> str:
    return environment().get_template(template).render(context)


def page(template: str, context: Mapping[str, Any], status: int = 200) -> HTMLResponse:
    return HTMLResponse(rendered(template, context), status)
