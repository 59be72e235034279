"""Amperity's profile API as a pure model (amperity.md#profiles): pages of profiles that change.

Strict: 10 requests in any second, headers as documented, cursors that nobody else made. Profiles
are made from their number, so two million of them take no memory.
"""

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl

from ampgate.lab.simulators.model import (
    FAIR,
    Answer,
    Conditions,
    Received,
    Request,
    Violations,
    bearer_token,
    json_answer,
)
from ampgate.lab.simulators.requests_limit import RequestsLimit

API_VERSIONS = ("2024-04-01", "2025-07-31")
SIZE = 1_000
LIMIT, LIMIT_MAX = 100, 1_000
WINDOW_SECONDS = 1.0
REQUESTS_A_WINDOW = 10
SEGMENTS = ("new", "loyal", "lapsed", "vip")


@dataclass(frozen=True, slots=True)
class AmperityOptions:
    accepted_keys: frozenset[str] | None = None  # `None`: any token that is not empty.
    profiles: int = SIZE
    index: str = "idx-1a2b"
    attributes_as_list: bool = False
    page_max: int = LIMIT_MAX  # Whatever limit is asked for.


def simulated(accepted_keys: frozenset[str] | None, size: int | None = None) -> "Amperity":
    profiles = SIZE if size is None else size
    return Amperity(AmperityOptions(accepted_keys=accepted_keys, profiles=profiles))


class Amperity:
    kind = "amperity"
    effects: frozenset[str] = frozenset({"cut", "expire", "move"})

    def __init__(self, options: AmperityOptions | None = None) -> None:
        self.options = options or AmperityOptions()
        self.reset()

    def reset(self) -> None:
        self.received: list[Received] = []
        self.violations = Violations()
        self._generations: dict[int, int] = {}
        self._odd: dict[int, object] = {}
        self._cursors = 0  # Those that were given out before this count are known no more.
        self._shown = 0
        self._limit = RequestsLimit(REQUESTS_A_WINDOW, WINDOW_SECONDS)

    def change(self, number: int) -> None:
        """This profile has another value from now on."""
        self._generations[number] = self._generations.get(number, 0) + 1

    def show(self, number: int, profile: object) -> None:
        """In place of this profile, something odd."""
        self._odd[number] = profile

    def expire_cursors(self) -> None:
        self._cursors += 1

    def profile(self, number: int) -> dict[str, object]:
        generation = self._generations.get(number, 0)
        return {
            "email": f"user{number}@shop.example",
            "ltv": number % 997 + generation,
            "segment": SEGMENTS[(number + generation) % len(SEGMENTS)],
            "city": f"Town {number % 50}",
        }

    def answer(self, request: Request, now: float, conditions: Conditions = FAIR) -> Answer:
        if (refused := self._refusal(request, now)) is not None:
            return refused
        path = request.path.removeprefix("/api").rstrip("/")
        if path == "/indexes":
            return json_answer(200, {"data": [{"id": self.options.index, "name": "All"}]})
        if path != f"/indexes/{self.options.index}/profiles":
            return _error(404, "not found")
        return self._page(dict(parse_qsl(request.query)), conditions)

    def records(self, request: Request) -> list[dict[str, object]]:
        return []

    def properties(self, owner: Mapping[str, str]) -> dict[str, object] | None:
        number = owner.get("user_id", "").removeprefix("user").partition("@")[0]
        known = number.isdecimal() and int(number) < self.options.profiles
        return self.profile(int(number)) if known else None

    def stats(self) -> dict[str, object]:
        return {"profiles": self.options.profiles, "shown": self._shown}

    def _refusal(self, request: Request, now: float) -> Answer | None:
        tenant = request.headers.get("amperity-tenant", "")
        token, keys = bearer_token(request), self.options.accepted_keys
        if not (token if keys is None else token in keys):
            return _error(401, "the access token is not valid")
        if not tenant or request.headers.get("api-version") not in API_VERSIONS:
            self.violations.note("a request without Amperity-Tenant or a known api-version")
            return _error(400, "amperity-tenant and api-version are required")
        if request.method != "GET":
            return _error(405, "method not allowed")
        if not self._limit.takes(tenant, now, self.violations):
            return _error(429, "too many requests")
        return None

    def _page(self, query: Mapping[str, str], conditions: Conditions) -> Answer:
        limit = query.get("limit", str(LIMIT))
        if not limit.isdecimal() or not 0 < int(limit) <= LIMIT_MAX:
            return _error(400, f"limit is 1 to {LIMIT_MAX}")
        start = 0
        if "next_token" in query:
            found = self._start_of(query["next_token"])
            if found is None or conditions.is_expired:
                return _error(400, "next_token is not valid")
            start = max(0, found + conditions.moved_by)
        end = min(start + min(int(limit), self.options.page_max), self.options.profiles)
        self._shown += end - start
        body: dict[str, object] = {"data": [self._shown_as(n) for n in range(start, end)]}
        if end < self.options.profiles:
            body["next_token"] = self._cursor(end)
        return json_answer(200, body)

    def _shown_as(self, number: int) -> object:
        if number in self._odd:
            return self._odd[number]
        attributes: object = self.profile(number)
        if self.options.attributes_as_list:
            pairs = self.profile(number).items()
            attributes = [{"name": name, "value": value} for name, value in pairs]
        index = self.options.index
        return {"id": f"amp-{number}", "index_id": index, "attributes": attributes}

    def _cursor(self, start: int) -> str:
        return base64.urlsafe_b64encode(f"{self._cursors}:{start}".encode()).decode()

    def _start_of(self, cursor: str) -> int | None:
        try:
            made, _, start = base64.urlsafe_b64decode(cursor).decode().partition(":")
            return int(start) if int(made) == self._cursors else None
        except (binascii.Error, ValueError):
            return None


def _error(status: int, message: str) -> Answer:
    return json_answer(status, {"status": status, "message": message, "request_id": "r-1"})
