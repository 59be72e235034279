"""Which source a key belongs to, before and after a reload."""

import hashlib
import time
from typing import Any

from gateway.edge.sources import Sources
from schemas.configuration.config import Config


def config(*sources: dict[str, Any]) -> Config:
    return Config.model_validate({"sources": sources})


def test_a_write_key_finds_its_source_whether_plain_or_hashed() -> None:
    digest = hashlib.sha256(b"k2").hexdigest()
    sources = Sources(
        config({"name": "a", "write_key": "k1"}, {"name": "b", "write_key_sha256": digest})
    )
    found = [sources.find(key, "native") for key in ("k1", "k2", "k2", "k3", "", "\ud800")]
    assert [sender and sender.name for sender in found] == ["a", "b", "b", None, None, None]


def test_a_reload_keeps_the_debts_of_an_unchanged_rate() -> None:
    slow = {"name": "slow", "write_key": "k", "events_per_second": 1}
    before = Sources(config(slow))
    spent = before.find("k", "native")
    assert spent is not None
    assert spent.bucket is not None
    spent.bucket.take(1_000, time.monotonic())

    same = Sources(config(slow | {"write_key": "new"}), before).find("new", "native")
    faster = Sources(config(slow | {"events_per_second": 2}), before).find("k", "native")
    assert same is not None
    assert same.bucket is spent.bucket
    assert faster is not None
    assert faster.bucket is not None
    assert faster.bucket.take(1, time.monotonic()) == 0.0
