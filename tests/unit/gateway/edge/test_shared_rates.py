"""Several processes draw on one rate."""

import time
from pathlib import Path

from gateway.edge.shared_rates import SharedBucket


def test_what_one_takes_the_others_do_not_have(tmp_path: Path) -> None:
    now = time.monotonic() + 3600.0
    first, second = (SharedBucket(tmp_path / "shop.rate", 10) for _ in range(2))
    assert first.take(25, now) == 0.0
    assert round(second.take(1, now), 3) == 1.6
    assert round(first.take(1, now + 1.0), 3) == 0.6
    assert second.take(1, now + 1.7) == 0.0


def test_a_late_worker_finds_the_debt(tmp_path: Path) -> None:
    now = time.monotonic() + 3600.0
    SharedBucket(tmp_path / "shop.rate", 10).take(25, now)
    assert SharedBucket(tmp_path / "shop.rate", 10).take(1, now) > 1.5
