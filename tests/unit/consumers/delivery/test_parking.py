"""What is parked keeps its order, whoever parked it and however often it has to wait."""

import tracemalloc
from random import Random

import pytest

from consumers.delivery.parking import Original, ParkedPartition

NOW, LATER = 100.0, 4000.0


def test_a_key_is_parked_until_all_of_it_is_settled() -> None:
    parked = ParkedPartition()
    parked.park("a", 7, NOW, "daily_quota")
    assert "a" in parked
    parked.arrived("a", 0, 7, NOW, "daily_quota")
    assert parked.loads("a", 0, NOW)
    assert "a" in parked
    parked.settled("a")
    assert "a" not in parked


def test_one_that_is_still_on_its_way_keeps_its_key_parked() -> None:
    parked = ParkedPartition()
    parked.park("a", 7, NOW, "throttled")
    parked.park("a", 8, NOW, "throttled")
    parked.arrived("a", 0, 7, NOW, "throttled")
    assert parked.loads("a", 0, NOW)
    parked.settled("a")
    assert "a" in parked


def test_nothing_is_read_again_before_its_time() -> None:
    parked = ParkedPartition()
    parked.arrived("a", 0, 7, LATER, "daily_quota")
    parked.wake(NOW)
    assert (parked.wanted(), parked.loads("a", 0, NOW), parked.next_at) == (None, False, LATER)
    parked.wake(LATER)
    assert (parked.wanted(), parked.loads("a", 0, LATER)) == (0, True)


def test_a_key_that_waits_does_not_keep_another_one_waiting() -> None:
    parked = ParkedPartition()
    parked.arrived("slow", 0, 1, LATER, "daily_quota")
    parked.arrived("quick", 1, 2, NOW, "throttled")
    parked.wake(NOW)
    assert parked.wanted() == 1


def test_what_has_to_wait_again_is_not_overtaken_by_what_was_loaded_with_it() -> None:
    parked = ParkedPartition()
    for offset in range(3):
        parked.arrived("a", offset, offset + 10, NOW, "throttled")
        assert parked.loads("a", offset, NOW)
    parked.unload("a", [0], LATER, "daily_quota")
    assert parked.is_overtaking("a", 1)
    parked.unload("a", [1, 2], LATER, "daily_quota")
    parked.wake(LATER)
    assert [offset for offset in (0, 1, 2) if parked.loads("a", offset, LATER)] == [0, 1, 2]


def test_what_a_former_process_parked_is_known_by_its_offset_and_timestamp() -> None:
    parked = ParkedPartition()
    parked.know(Original(7, 1000))
    assert parked.seen == {7: 1000}


def test_what_will_not_be_read_again_is_forgotten() -> None:
    parked = ParkedPartition()
    for offset in (9, 7, 8, 7):
        parked.know(Original(offset, 1000))
    parked.forget_seen(before=9)
    assert parked.seen == {9: 1000}


def test_what_kafka_deleted_is_told_and_no_longer_waited_for() -> None:
    parked = ParkedPartition()
    parked.arrived("a", 3, 7, LATER, "daily_quota")
    parked.arrived("a", 9, 8, LATER, "daily_quota")
    assert parked.lose(before=5) == [3]
    assert "a" in parked
    assert parked.lose(before=10) == [9]
    assert "a" not in parked


def test_who_waits_behind_others_elsewhere_is_not_read_again_before_they_are_through() -> None:
    parked = ParkedPartition()
    parked.wait_behind(None)
    for key in ("a", "b"):
        parked.arrived(key, ord(key), None, NOW, "parked")
    parked.wake(NOW)
    assert (parked.wanted(), parked.loads("a", ord("a"), NOW)) == (None, False)
    parked.wait_behind(None, "a".__eq__)
    parked.wake(NOW)
    assert (parked.wanted(), "a" in parked, "c" in parked) == (ord("b"), True, False)
    parked.wait_behind({"a"})
    parked.wake(NOW)
    assert (parked.wanted(), parked.loads("a", ord("a"), NOW)) == (ord("b"), False)
    assert "a" in parked
    parked.wait_behind(())
    parked.wake(NOW)
    assert parked.loads("a", ord("a"), NOW)
    assert parked.loads("b", ord("b"), NOW)


@pytest.mark.parametrize("seed", range(100))
def test_what_is_read_next_is_the_first_that_is_due_whatever_happened_before(seed: int) -> None:
    random, parked, now, end = Random(seed), ParkedPartition(), 0.0, 0
    loaded: dict[str, list[int]] = {}
    for _ in range(300):
        key = random.choice("abcd")
        match random.randrange(8):
            case 0 | 1 | 2:
                parked.arrived(key, end, None, now + random.choice([0.0, 0.0, 5.0]), "quota")
                end += 1
            case 3 | 4 if (offset := parked.wanted()) is not None:
                [key] = [name for name, one in parked.keys.items() if one.first == offset]
                assert parked.loads(key, offset, now)
                loaded.setdefault(key, []).append(offset)
            case 5 if loaded.get(key):
                loaded[key].pop(random.randrange(len(loaded[key])))
                parked.settled(key)
            case 6 if some := loaded.pop(key, []):
                stay = random.randrange(len(some))
                loaded[key] = some[:stay]
                parked.unload(key, some[stay:], now + random.choice([0.0, 5.0]), "quota")
            case 7:
                match random.randrange(3):
                    case 0:
                        parked.wait_behind(random.choice([None, ["a", "b"], ["c"], [], []]))
                    case 1:
                        parked.lose(end - random.choice([5, 20]))
                    case 2:
                        now += 2.0
        parked.wake(now)
        due = [
            one.first
            for name, one in parked.keys.items()
            if one.first is not None and one.due_at <= now and not parked.is_behind(name)
            if one.is_next(one.first)
        ]
        assert parked.wanted() == min(due, default=None)
        assert parked.unloaded == sum(one.unloaded for one in parked.keys.values())
        again = {offset for offset, _ in parked.waiting_again()}
        assert again <= {one.first for one in parked.keys.values()}


def test_a_parked_key_takes_no_more_memory_than_a_small_record() -> None:
    """Of a replay for millions of users, all may be parked at once."""
    tracemalloc.start()
    try:
        parked = ParkedPartition()
        for number in range(1000):
            parked.arrived(f"user-{number}", number, None, NOW, "replay")
        parked.wake(NOW)
        taken, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert taken < 500 * 1000
