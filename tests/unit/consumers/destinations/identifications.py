"""Updates of one user's and one group's properties, as records."""

import orjson

Tree = dict[str, object]

USER: Tree = {"user_id": "user-1"}
GROUP: Tree = {"group_type": "org", "group_value": "15"}


def user(changes: object, **members: object) -> bytes:
    return orjson.dumps({**USER, "user_properties": changes, **members})


def group(changes: object, **members: object) -> bytes:
    return orjson.dumps({**GROUP, "group_properties": changes, **members})


def changes_of(record: bytes, field: str = "user_properties") -> Tree:
    changes = orjson.loads(record)[field]
    assert isinstance(changes, dict)
    return changes
