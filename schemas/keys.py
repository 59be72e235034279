"""What a value says of its record: of which kind it can be, and the key that its producer left out
(contract.md#records). Pure.
"""

from schemas.events import (
    event_key,
    group_key,
    identification_key,
    read_event,
    read_group_identification,
    read_identification,
)
from schemas.strictness import Defect
from schemas.topics import Kind

READERS = {
    Kind.EVENT: read_event,
    Kind.USER_PROPERTIES: read_identification,
    Kind.GROUP_PROPERTIES: read_group_identification,
}


def key_in(value: bytes | None, kind: Kind) -> str:
    """The key that the value says; empty where the record is of no use."""
    match kind:
        case Kind.EVENT:
            event = read_event(value or b"")
            key = None if isinstance(event, Defect) else event_key(event)
        case Kind.USER_PROPERTIES:
            update = read_identification(value or b"")
            key = None if isinstance(update, Defect) else identification_key(update)
        case Kind.GROUP_PROPERTIES:
            group = read_group_identification(value or b"")
            key = None if isinstance(group, Defect) else group_key(group)
    return key or ""
