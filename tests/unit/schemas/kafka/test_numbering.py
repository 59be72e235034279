"""How a partition numbers its batches."""

from schemas.kafka.numbering import EPOCH_MAX, Numbering


def test_after_the_largest_number_comes_0_as_kafka_counts() -> None:
    numbering = Numbering()
    assert numbering.take(1, 2**31 - 2) == (0, 0)
    assert numbering.take(1, 3) == (0, 2**31 - 2)

    assert numbering.take(1, 1) == (0, 1)  # The three were 2^31 - 2, 2^31 - 1 and 0.


def test_another_producer_counts_from_the_beginning() -> None:
    numbering = Numbering()
    numbering.take(1, 5)
    numbering.restart()

    assert numbering.take(2, 5) == (0, 0)


def test_there_is_no_epoch_beyond_the_last() -> None:
    numbering = Numbering()
    numbering.take(1, 1)
    restarts = [numbering.restart() for _ in range(EPOCH_MAX + 1)]

    assert restarts == [True] * EPOCH_MAX + [False]
