"""The ids that we give to events without one."""

import os
import uuid

from gateway.dialects.insert_ids import new_insert_id, new_insert_ids


def test_an_insert_id_is_a_random_uuid_and_no_two_are_equal() -> None:
    made = [new_insert_id() for _ in range(500)]
    made += [one.decode() for count in (0, 1, 2, 497) for one in new_insert_ids(count)]
    for text in made:
        parsed = uuid.UUID(text)
        assert (str(parsed), parsed.version, parsed.variant) == (text, 4, uuid.RFC_4122)
    assert len(set(made)) == len(made) == 1_000


def test_each_other_bit_of_an_insert_id_is_random() -> None:
    """Of 2,000 ids, a random bit is set in 1,000: in fewer than 700 once in 10^40 runs."""
    made = [uuid.UUID(one.decode()).int for one in new_insert_ids(2_000)]
    often = [sum(one >> bit & 1 for one in made) for bit in range(128)]

    fixed = {127 - bit for bit in (48, 49, 50, 51, 64, 65)}  # The version and the variant.
    assert {bit for bit in range(128) if not 700 < often[bit] < 1_300} == fixed


def test_a_worker_that_is_forked_gives_no_id_that_another_gives() -> None:
    new_insert_id()  # Others are made with it.
    reader, writer = os.pipe()
    if (child := os.fork()) == 0:
        os.write(writer, new_insert_id().encode())
        os._exit(0)
    os.waitpid(child, 0)
    said = os.read(reader, 100).decode()
    os.close(reader)
    os.close(writer)

    assert len(said) == 36
    assert said not in [new_insert_id() for _ in range(100)]
