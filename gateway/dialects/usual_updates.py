"""Updates that lack an insert_id and a time, as nearly all do, become records in one loop. Pure."""

from collections.abc import Sequence
from typing import Final, TypeGuard

from gateway.dialects.records import Facts, has_nothing_to_replace, time_and_ip
from gateway.dialects.shapes import Context
from schemas.events import EventFacts, GroupFacts, IdentificationFacts, group_key
from schemas.records import NewRecord
from schemas.splicing import with_end
from schemas.strictness import Defect

_END: Final = ord("}")
_INSERT_ID: Final = b',"insert_id":"'
Update = IdentificationFacts | GroupFacts


def are_usual_updates(
    several: Sequence[Facts | Defect],
    values: Sequence[bytes],
    context: Context,
    shortest_id: int = 0,
) -> TypeGuard[Sequence[Update]]:
    """Whether each is one with ids of that length, to which `record_of` only adds both."""
    differs = not context.keeps_ip or b"null" in b"".join(values)
    for value, facts in zip(values, several, strict=True):
        if type(facts) is Defect or facts.insert_id is not None or facts.time is not None:
            return False
        if differs and not has_nothing_to_replace(value, facts, context):
            return False
        if type(facts) is IdentificationFacts:
            user_id, device_id = facts.user_id, facts.device_id
            if user_id is not None and len(user_id) < shortest_id:
                return False
            if device_id is not None and len(device_id) < shortest_id:
                return False
        elif type(facts) is EventFacts:
            return False
    return True


def records_of_usual_updates(
    values: Sequence[bytes], several: Sequence[Update], ids: Sequence[bytes], context: Context
) -> list[NewRecord]:
    """As `record_of` of each, if they `are_usual_updates`, with these insert_ids."""
    end, headers = b'"' + time_and_ip(context.now_ms, None), context.headers
    return [
        NewRecord(
            (
                group_key(facts)
                if type(facts) is GroupFacts
                else facts.user_id or facts.device_id or ""  # Usable ones have no empty id.
            ).encode(),
            b"".join((value[:-1], _INSERT_ID, insert_id, end))
            if value[-1] == _END
            else with_end(value, _INSERT_ID + insert_id + end),
            headers,
        )
        for value, facts, insert_id in zip(values, several, ids, strict=True)
    ]
