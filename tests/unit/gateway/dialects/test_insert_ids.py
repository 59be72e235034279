"""The ids that we give to events without one."""

import uuid

from gateway.dialects.insert_ids import new_insert_id


def test_an_insert_id_is_a_random_uuid_and_no_two_are_equal() -> None:
    made = [new_insert_id() for _ in range(1_000)]
    for text in made:
        parsed = uuid.UUID(text)
        assert (str(parsed), parsed.version, parsed.variant) == (text, 4, uuid.RFC_4122)
    assert len(set(made)) == len(made)
