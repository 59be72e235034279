"""Who may see, and who may act: tokens, signed sessions, and actions of our own pages only. Pure.

A session is a cookie: role, end, a random number, and their signature. The key is made of the
tokens, so another token ends all sessions, and a restart with the same tokens ends none.
"""

import hashlib
import hmac
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from urllib.parse import urlsplit

from schemas.configuration.config import Console

COOKIE = "ampgate_console"
SESSION_SECONDS = 12 * 3600
TOKEN_BYTES = 24
GUESSES_MAX, GUESSES_SECONDS = 20, 60.0
ADDRESSES_MAX = 10_000


class Role(StrEnum):
    VIEWER = "viewer"  # Sees.
    OPERATOR = "operator"  # Also acts.


@dataclass(frozen=True, slots=True)
class Session:
    """`name` tells the sessions in the audit lines apart; it opens nothing."""

    role: Role
    ends_at: int
    name: str
    csrf: str

    @property
    def may_act(self) -> bool:
        return self.role is Role.OPERATOR


@dataclass(slots=True)
class Guesses:
    """Wrong tokens by address; one with too many is not listened to for a while."""

    _wrong: dict[str, tuple[float, int]] = field(default_factory=dict)

    def is_blocked(self, address: str, now: float) -> bool:
        began, count = self._wrong.get(address, (now, 0))
        return count >= GUESSES_MAX and now - began < GUESSES_SECONDS

    def wrong(self, address: str, now: float) -> None:
        began, count = self._wrong.pop(address, (now, 0))
        if now - began >= GUESSES_SECONDS:
            began, count = now, 0
        self._wrong[address] = (began, count + 1)
        if len(self._wrong) > ADDRESSES_MAX:
            del self._wrong[next(iter(self._wrong))]


class Access:
    def __init__(self, token: str, viewer_token: str | None) -> None:
        self._tokens = {Role.OPERATOR: token}
        if viewer_token is not None:
            self._tokens[Role.VIEWER] = viewer_token
        secret = "\0".join(["ampgate console", token, viewer_token or ""])
        self._key = hashlib.sha256(secret.encode()).digest()

    def role_of(self, token: str) -> Role | None:
        """Whose token it is; the time it takes tells nothing of the tokens."""
        given = token.strip().encode()
        found = [
            role
            for role, own in self._tokens.items()
            if hmac.compare_digest(given, own.strip().encode())
        ]
        return found[0] if found else None

    def new_session(self, role: Role, now: float) -> str:
        """The cookie's value."""
        said = f"{role}.{int(now) + SESSION_SECONDS}.{secrets.token_hex(8)}"
        return f"{said}.{self._sign(said)}"

    def session(self, cookie: str, now: float) -> Session | None:
        """None if it has ended, or is not ours."""
        said, _, signature = cookie.rpartition(".")
        if not hmac.compare_digest(signature.encode(), self._sign(said).encode()):
            return None
        role, ends_at, name = said.split(".")
        if now >= int(ends_at):
            return None
        return Session(Role(role), int(ends_at), name[:6], self._sign(f"csrf {said}"))

    def _sign(self, text: str) -> str:
        return hmac.new(self._key, text.encode(), hashlib.sha256).hexdigest()


def made_token() -> str:
    return secrets.token_urlsafe(TOKEN_BYTES)


def access_of(console: Console) -> tuple[Access, str | None]:
    """With the token that was made, if the configuration has none."""
    made = made_token() if console.token is None else None
    token = made if console.token is None else console.token.get_secret_value()
    viewer = console.viewer_token
    assert token is not None, "it is configured, or was made"
    return Access(token, None if viewer is None else viewer.get_secret_value()), made


def is_own(headers: Mapping[str, str], session: Session, csrf: str) -> bool:
    """Whether a form was sent from a page of ours: by its origin, and by what only that knows."""
    origin = headers.get("origin", "")
    is_here = bool(origin) and urlsplit(origin).netloc == headers.get("host", "")
    return is_here and hmac.compare_digest(csrf.encode(), session.csrf.encode())


def link(console: Console, token: str | None = None) -> str:
    """Where a browser on this machine opens it, signed in if a token is given."""
    host = "127.0.0.1" if console.host in ("0.0.0.0", "::") else console.host
    origin = f"http://{f'[{host}]' if ':' in host else host}:{console.port}"
    return f"{origin}/" if token is None else f"{origin}/sign-in?token={token}"
