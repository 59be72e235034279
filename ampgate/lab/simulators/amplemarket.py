"""Amplemarket's REST API as a pure model: tasks, contacts and exclusions (amplemarket.md#rest-api).

Strict: 500 requests in a minute, at most 20 ids of contacts, cursors that are opaque.
"""

import base64
import binascii
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import parse_qsl, quote

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

SIZE = 200
PAGE_MAX, IDS_MAX = 100, 20
WINDOW_SECONDS, REQUESTS_A_WINDOW = 60.0, 500


@dataclass(frozen=True, slots=True)
class AmplemarketOptions:
    accepted_keys: frozenset[str] | None = None  # `None`: any that is not empty.
    tasks: int = SIZE


def simulated(accepted_keys: frozenset[str] | None, size: int | None = None) -> "Amplemarket":
    tasks = SIZE if size is None else size
    return Amplemarket(AmplemarketOptions(accepted_keys=accepted_keys, tasks=tasks))


class Amplemarket:
    kind = "amplemarket"
    effects: frozenset[str] = frozenset({"cut", "expire", "move"})

    def __init__(self, options: AmplemarketOptions | None = None) -> None:
        self.options = options or AmplemarketOptions()
        self.reset()

    def reset(self) -> None:
        self.received: list[Received] = []
        self.violations = Violations()
        self.tasks: list[dict[str, object]] = [_task(n) for n in range(self.options.tasks)]
        self.contacts: dict[str, dict[str, object]] = {
            f"c{n}": _contact(n) for n in range(self.options.tasks)
        }
        self.excluded_emails: list[object] = []
        self.excluded_domains: list[object] = []
        self._limit = RequestsLimit(REQUESTS_A_WINDOW, WINDOW_SECONDS)

    def answer(self, request: Request, now: float, conditions: Conditions = FAIR) -> Answer:
        if (refused := self._refusal(request, now)) is not None:
            return refused
        query = parse_qsl(request.query)
        match request.path:
            case "/tasks":
                return self._page(dict(query), "tasks", self.tasks, conditions)
            case "/excluded-emails":
                return self._page(dict(query), "excluded_emails", self.excluded_emails, conditions)
            case "/excluded-domains":
                return self._page(
                    dict(query), "excluded_domains", self.excluded_domains, conditions
                )
            case "/contacts":
                return self._by_ids([value for name, value in query if name == "ids[]"])
        return _error(404, "not_found")

    def records(self, request: Request) -> list[dict[str, object]]:
        return []

    def properties(self, owner: Mapping[str, str]) -> dict[str, object] | None:
        return None

    def stats(self) -> dict[str, object]:
        return {"tasks": len(self.tasks), "contacts": len(self.contacts)}

    def _refusal(self, request: Request, now: float) -> Answer | None:
        key, keys = bearer_token(request), self.options.accepted_keys
        if not (key if keys is None else key in keys):
            return _error(401, "unauthorized")
        if not self._limit.takes(key, now, self.violations):
            return _error(429, "too_many_requests")
        return None

    def _page(
        self,
        query: Mapping[str, str],
        name: str,
        found: Sequence[object],
        conditions: Conditions,
    ) -> Answer:
        size = query.get("page[size]", "20")
        start = _start_of(query.get("page[after]", _cursor(0)))
        is_expired = "page[after]" in query and conditions.is_expired
        if not size.isdecimal() or not 0 < int(size) <= PAGE_MAX or start is None or is_expired:
            return _error(400, "unsupported_value")
        start = max(0, start + conditions.moved_by) if start else 0
        end = min(start + int(size), len(found))
        path = "/" + name.replace("_", "-")
        links: dict[str, object] = {"self": {"href": path}}
        if end < len(found):
            links["next"] = {"href": f"{path}?page[size]={size}&page[after]={quote(_cursor(end))}"}
        return json_answer(200, {name: found[start:end], "_links": links})

    def _by_ids(self, ids: list[str]) -> Answer:
        if not 0 < len(ids) <= IDS_MAX:
            self.violations.note(f"contacts by {len(ids)} ids")
            return _error(422, "unsupported_value")
        found = [self.contacts[id_] for id_ in ids if id_ in self.contacts]
        return json_answer(200, {"contacts": found, "_links": {}})


def _task(number: int) -> dict[str, object]:
    return {
        "id": f"t{number}",
        "title": f"Call number {number}",
        "status": "completed" if number % 2 else "pending",
        "type": "phone_call",
        "contact_id": f"c{number}",
        "updated_at": f"2026-01-{1 + number % 28:02d}T10:00:00Z",
    }


def _contact(number: int) -> dict[str, object]:
    email = f"lead{number}@firm.example" if number % 10 else None
    return {"id": f"c{number}", "email": email, "title": "Buyer", "company_name": "Firm"}


def _cursor(start: int) -> str:
    return base64.b64encode(f"after {start}".encode()).decode()


def _start_of(cursor: str) -> int | None:
    try:
        word, _, start = base64.b64decode(cursor).decode().partition(" ")
    except (binascii.Error, ValueError):
        return None
    return int(start) if word == "after" and start.isdecimal() else None


def _error(status: int, code: str) -> Answer:
    return json_answer(status, {"_errors": [{"status": str(status), "code": code}]})
