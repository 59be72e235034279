"""Events that lack at most the sender's address become records in one loop, for a third of the
cost of a call of `record_of` for each. Pure.
"""

from collections.abc import Sequence
from typing import Final, TypeGuard

from msgspec import UNSET

from gateway.dialects.records import REMOTE, Facts, ip_end, record_of, with_remote_ip
from gateway.dialects.shapes import Context
from schemas.events import EventFacts
from schemas.records import NewRecord
from schemas.splicing import with_end
from schemas.strictness import Defect

_END: Final = ord("}")


def are_usual(
    several: Sequence[Facts | Defect], context: Context, shortest_id: int = 0
) -> TypeGuard[Sequence[EventFacts]]:
    """Whether each is an event with ids of that length, to which `record_of` adds an ip at most, or
    replaces `$remote` by it.
    """
    for facts in several:
        if type(facts) is not EventFacts or not facts.insert_id or facts.time is None:
            return False
        user_id, device_id, ip = facts.user_id, facts.device_id, facts.ip
        if ip is not UNSET and (ip is None or not (context.keeps_ip or ip == REMOTE)):
            return False
        if user_id is not None and len(user_id) < shortest_id:
            return False
        if device_id is None:
            if user_id is None:
                return False
        elif len(device_id) < shortest_id:
            return False
    return True


def records_of_usual(
    values: Sequence[bytes], several: Sequence[EventFacts], context: Context
) -> list[NewRecord]:
    """As `record_of` of each, if they `are_usual`."""
    shown, headers = context.remote_ip, context.headers
    end = None if shown is None else ip_end(shown)
    return [
        NewRecord(
            (facts.user_id or facts.device_id or "").encode(),  # Usable events have no empty id.
            (
                value
                if end is None
                else value[:-1] + end
                if value[-1] == _END
                else with_end(value, end)
            )
            if (ip := facts.ip) is UNSET
            else value
            if ip != REMOTE
            else with_remote_ip(value, context) or record_of(value, facts, context)[0].value,
            headers,
        )
        for value, facts in zip(values, several, strict=True)
    ]
