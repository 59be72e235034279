"""What Aampe's answers mean (aampe.md#answers)."""

from collections.abc import Mapping, Sequence
from functools import lru_cache

import msgspec
from msgspec import Struct

from consumers.delivery.destination import Encoded, Response
from consumers.delivery.outcomes import THROTTLED, Delivered, Reject, Retry, Verdict
from consumers.destinations.answers import (
    DETAIL_MAX,
    NOT_JSON,
    Json,
    NotJson,
    by_status,
    is_about_size,
    json_of,
    not_the_destination,
    text_of,
)
from schemas.decoding import NOT_DECODED

THROTTLED_SECONDS = 5.0
SHORT_BYTES_MAX = 200
DELIVERED = Verdict(Delivered())
TAKEN_WORDS = frozenset({"ok", "success", "accepted", "queued"})


class Problem(Struct):
    """One entry of a 422's list (aampe.md#answers)."""

    loc: list[str | int] = []
    msg: str = ""


class Refusal(Struct):
    detail: list[Problem]


_refusal = msgspec.json.Decoder(Refusal)


def verdict_on(response: Response, batch: Sequence[Encoded]) -> Verdict:
    match response.status:
        case status if 200 <= status < 300:
            is_short = len(response.body) <= SHORT_BYTES_MAX
            is_taken = (_is_known_taken if is_short else _is_taken)(response)
            return DELIVERED if is_taken else not_the_destination()
        case 429:
            return Verdict(Retry(THROTTLED, response.retry_after_seconds or THROTTLED_SECONDS))
        case 400 if isinstance(json_of(response), Mapping):
            return Verdict(Reject("rejected", text_of(response)))
        case 413 if is_about_size(batch, is_own=isinstance(json_of(response), Mapping)):
            return Verdict(Reject("payload_too_large", text_of(response)))
        case 422 if isinstance(json_of(response), Mapping):
            return Verdict(Reject("invalid_field", _problems(response)))
        case _:
            return by_status(response)


def _is_taken(response: Response) -> bool:
    """Whether Aampe says that it took the event (aampe.md#answers).

    202 says so itself, with nothing or any JSON after it that does not take it back. An older page
    says 200: so does everybody else, and its body has to say it.
    """
    found = None if not response.body else json_of(response)
    match response.status:
        case 202:
            return found is not NOT_JSON and not _is_failure(found)
        case 200:
            return _is_success(found) and not _is_failure(found)
    return False


_is_known_taken = lru_cache(64)(_is_taken)  # Most events get the same answer.


def _is_failure(found: Json | NotJson) -> bool:
    match found:
        case {"success": False} | {"ok": False} | {"status": False}:
            return True
        case {"code": int(code)} | {"status": int(code)} if _is_refusal(code):
            return True
        case {"status": str(word)} if word.lower() in ("error", "fail", "failed", "failure"):
            return True
        case {"error": why} | {"errors": why} | {"detail": why} if why:
            return True
    return False


def _is_refusal(code: int) -> bool:
    """A `true` is none, nor is a 0: to many, that is success."""
    return not (code is True or code == 0 or 200 <= code < 300)


def _is_success(found: Json | NotJson) -> bool:
    match found:
        case {"success": True} | {"ok": True}:
            return True
        case {"status": str(word)} | {"message": str(word)} | {"result": str(word)}:
            return word.lower() in TAKEN_WORDS
    return False


def _problems(response: Response) -> str:
    """Which fields are wrong, and why, without the input that the list repeats: it may be long."""
    try:
        problems = _refusal.decode(response.body).detail
    except NOT_DECODED:
        return text_of(response)
    told = [f"{'.'.join(map(str, problem.loc))}: {problem.msg}" for problem in problems]
    return "; ".join(told)[:DETAIL_MAX] or text_of(response)
