"""What Amplitude's answers mean, and which records they name (amplitude.md#bad-request to
amplitude.md#identify).
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress

import msgspec

from consumers.delivery.destination import Encoded, Response
from consumers.delivery.outcomes import (
    Hold,
    Id,
    Outcome,
    Pause,
    Reject,
    Resend,
    Retry,
    Split,
    Verdict,
)
from consumers.destinations.answers import (
    DETAIL_MAX,
    by_status,
    is_about_size,
    json_of,
    text_of,
)

THROTTLED_SECONDS = 30.0  # Amplitude averages over 30 s (amplitude.md#per-user-limits).
QUOTA_STEP_SECONDS = 3600.0  # The daily quota's window moves by the hour, as above.


class Answer(msgspec.Struct):
    """The members of an error body that name records or ids (amplitude.md#bad-request)."""

    error: str = ""
    missing_field: str | None = None
    events_with_invalid_fields: dict[str, list[int]] = {}
    events_with_missing_fields: dict[str, list[int]] = {}
    events_with_invalid_id_lengths: dict[str, list[int]] = {}
    silenced_events: list[int] = []
    throttled_events: list[int] = []
    throttled_users: dict[str, float] = {}
    throttled_devices: dict[str, float] = {}
    exceeded_daily_quota_users: dict[str, float] = {}
    exceeded_daily_quota_devices: dict[str, float] = {}


_MEMBERS = msgspec.structs.fields(Answer)
_OF_REQUEST = ("invalid request path", "missing request body")  # Errors (amplitude.md#request).
# Amplitude's bodies name somebody, or repeat the status as `code`; `error` alone others say, too.
_OWN = frozenset(Answer.__struct_fields__) - {"error"}


def is_success(response: Response) -> bool:
    """Whether it is Amplitude's JSON of success (amplitude.md#success)."""
    match json_of(response):
        case {"code": int(code)}:
            return code == 200
    return False


def too_large(response: Response, batch: Sequence[Encoded]) -> Verdict:
    if not is_about_size(batch, is_own=is_own(response)):
        return by_status(response)
    return Verdict(Split("payload_too_large", text_of(response), is_size=True))


def blame(response: Response, batch: Sequence[Encoded]) -> Verdict:
    """What a 400 or 429 in JSON names; nothing of the request was stored
    (amplitude.md#partial-success).
    """
    detail, answer = text_of(response), _answer_in(response)
    if answer.error.lower().startswith("invalid api key") or answer.missing_field == "api_key":
        return Verdict(Pause("invalid_api_key"))
    throttled = throttled_hold(response)
    holds = _holds(answer, throttled)
    named: dict[int, Outcome] = dict(_rejected(answer, detail, len(batch)))
    for index in answer.throttled_events:
        if 0 <= index < len(batch) and index not in named:
            # By the user or device that the answer names, else by its key.
            named[index] = Resend() if _is_held(batch[index], holds) else throttled
    if named or any(_is_held(encoded, holds) for encoded in batch):
        return Verdict(Resend(), named, holds)
    # It names no record of the batch: the cause is the project, or a record to be found.
    if response.status == 429:
        seconds = response.retry_after_seconds or THROTTLED_SECONDS
        return Verdict(Retry("throttled", seconds), {}, holds)
    # A load balancer's page (amplitude.md#hosts), or a request that was changed on its way.
    is_incomplete = answer.missing_field is not None and len(batch) > 0
    is_of_request = is_incomplete or answer.error.lower().startswith(_OF_REQUEST)
    if is_of_request or not is_own(response):
        return by_status(response)
    return Verdict(Split("rejected", detail), {}, holds)


def _answer_in(response: Response) -> Answer:
    """A member that is not as documented, such as a null, is left out; the others count."""
    found = json_of(response)
    members = found if isinstance(found, Mapping) else {}
    known: dict[str, object] = {}
    for member in _MEMBERS:
        with suppress(msgspec.ValidationError, KeyError):
            known[member.name] = msgspec.convert(members[member.name], member.type, strict=False)
    return Answer(**known)  # type: ignore[arg-type]  # `convert` has checked each.


def is_own(response: Response) -> bool:
    match json_of(response):
        case {"code": int(code), "error": str()} if code == response.status:
            return True
        case {**members}:
            return not _OWN.isdisjoint(members)
    return False


def _rejected(answer: Answer, detail: str, batch_size: int) -> Mapping[int, Reject]:
    found: dict[int, Reject] = {}
    for reason, fields in (
        ("invalid_field", answer.events_with_invalid_fields),
        ("missing_field", answer.events_with_missing_fields),
        ("invalid_id_length", answer.events_with_invalid_id_lengths),
    ):
        for field, indexes in fields.items():
            for index in indexes:
                if 0 <= index < batch_size:
                    found.setdefault(index, Reject(reason, f"{field}: {detail}"[:DETAIL_MAX]))
    for index in answer.silenced_events:
        if 0 <= index < batch_size:
            found.setdefault(index, Reject("silenced", detail))
    return found


def throttled_hold(response: Response) -> Hold:
    """Of one that sends too much: a `Retry-After` makes it longer, but never shorter."""
    return Hold(max(THROTTLED_SECONDS, response.retry_after_seconds or 0.0), "throttled")


def _holds(answer: Answer, throttled: Hold) -> dict[Id, Hold]:
    over_quota = Hold(0.0, "daily_quota", QUOTA_STEP_SECONDS)
    return {
        **{Id("user", user): throttled for user in answer.throttled_users},
        **{Id("device", device): throttled for device in answer.throttled_devices},
        **{Id("user", user): over_quota for user in answer.exceeded_daily_quota_users},
        **{Id("device", device): over_quota for device in answer.exceeded_daily_quota_devices},
    }


def _is_held(encoded: Encoded, holds: Mapping[Id, Hold]) -> bool:
    """By no empty id: a record without a user would then be sent again at once, for ever."""
    if not holds:
        return False
    user_id, device_id = encoded.user_id, encoded.device_id
    if user_id is not None and Id("user", user_id) in holds:
        return True
    return device_id is not None and Id("device", device_id) in holds
