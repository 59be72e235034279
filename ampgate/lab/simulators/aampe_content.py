"""Aampe's Content API (aampe.md#content): what each surface would show a contact."""

import hashlib
from collections.abc import Callable
from urllib.parse import parse_qsl
from uuid import UUID

from ampgate.lab.simulators.model import Answer, Request, json_answer

PATHS = ("/v1/surface/content", "/health")
Knows = Callable[[str], bool]


def content(request: Request, accepts: Callable[[str], bool], knows: Knows) -> Answer:
    """A contact that is not known is assigned nothing."""
    if not accepts(request.headers.get("x-api-key", "")):
        return json_answer(401, {"detail": "Invalid API Key"})
    if request.path == "/health":
        return json_answer(200, {"status": "ok"})
    query = parse_qsl(request.query)
    contacts = [value for name, value in query if name == "contact_id"]
    surfaces = [value for name, value in query if name == "surface_id"]
    for name, values in (("contact_id", contacts), ("surface_id", surfaces)):
        if not values:
            missing = {"type": "missing", "loc": ["query", name], "msg": "Field required"}
            return json_answer(422, {"detail": [missing]})
    for number, surface in enumerate(surfaces):
        if not _is_uuid(surface):
            where = ["query", "surface_id", number]
            wrong = {"type": "uuid_parsing", "loc": where, "msg": "Input should be a valid UUID"}
            return json_answer(422, {"detail": [wrong]})
    if not knows(contacts[0]):
        return json_answer(404, {"detail": "Not Found"})
    return json_answer(200, [_assigned(contacts[0], surface) for surface in surfaces])


def _assigned(contact: str, surface: str) -> dict[str, object]:
    digest = hashlib.sha256(f"{contact} {surface}".encode()).hexdigest()
    return {
        "surface_id": surface,
        "assignment_id": digest[:16],
        "n_alternates": 1,
        "control": {"min_gap_days": 1},
        "alternates": [{"alternate_assignment_id": digest[16:32]}],
    }


def _is_uuid(text: str) -> bool:
    try:
        return UUID(text).version == 4
    except ValueError:
        return False
