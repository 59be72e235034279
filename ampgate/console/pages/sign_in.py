"""Sign in with a token, by a form or by the printed link, and out."""

import time
from urllib.parse import parse_qs

import structlog
from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response

from ampgate.console.access import COOKIE, SESSION_SECONDS
from ampgate.console.desk import FORM_BYTES_MAX, desk_of
from ampgate.console.rendering import page

router = APIRouter()
log = structlog.get_logger()


@router.get("/sign-in")
async def show(request: Request) -> Response:
    token = request.query_params.get("token")
    if token is not None:
        return _signed_in(request, token, "/")
    context = {
        "next": _own_path(request.query_params.get("next", "/")),
        "says": "Your session has ended." if "ended" in request.query_params else "",
    }
    return page("sign_in.html", context)


@router.post("/sign-in")
async def sign_in(request: Request) -> Response:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > FORM_BYTES_MAX:
            return page("sign_in.html", {"next": "/", "says": "The form is too long."}, 413)
    said = parse_qs(body.decode(errors="replace"), max_num_fields=10)
    return _signed_in(request, said.get("token", [""])[-1], said.get("next", ["/"])[-1])


@router.post("/sign-out")
async def sign_out(request: Request) -> Response:
    """Another site cannot ask for it: a strict cookie is not sent with what that asks."""
    answer = RedirectResponse("/sign-in", 303)
    if COOKIE in request.cookies:
        answer.delete_cookie(COOKIE, path="/", httponly=True, samesite="strict")
    return answer


def _signed_in(request: Request, token: str, wanted: str) -> Response:
    """The page that was wanted, with a session; else the form again."""
    desk, now = desk_of(request), time.time()
    access, address = desk.access, request.client.host if request.client else ""
    if desk.guesses.is_blocked(address, now):
        says = "Too many wrong tokens came from this address. Try again in a minute."
        return page("sign_in.html", {"next": _own_path(wanted), "says": says}, 429)
    role = access.role_of(token)
    if role is None:
        desk.guesses.wrong(address, now)
        log.warning("console sign-in refused", address=address)
        says = "That is not the token."
        return page("sign_in.html", {"next": _own_path(wanted), "says": says}, 403)
    cookie = access.new_session(role, now)
    # A page that goes on by itself, no redirect: a browser that came by a link on another site
    # sends a strict cookie only with what our own page asks for.
    answer = page("signed_in.html", {"next": _own_path(wanted)})
    is_secure = "https" in (request.url.scheme, request.headers.get("x-forwarded-proto"))
    answer.set_cookie(
        COOKIE,
        cookie,
        max_age=SESSION_SECONDS,
        path="/",
        secure=is_secure,
        httponly=True,
        samesite="strict",
    )
    log.info("console sign-in", role=str(role), address=address)
    return answer


def _own_path(wanted: str) -> str:
    """A path of ours, never another site."""
    is_own = wanted.startswith("/") and not wanted.startswith(("//", "/\\", "/sign-"))
    return wanted if is_own and wanted.isprintable() and "\\" not in wanted else "/"
