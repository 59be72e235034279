"""How much the edge lets in."""

import pytest

from gateway.admission import Budget, TokenBucket
from gateway.bodies import BodyError, decompressed
from gateway.ingest import remote_ip
from gateway.sources import Sources, truncated
from schemas.config import Edge, Source


def test_the_budget_is_never_overdrawn_by_a_second_request() -> None:
    budget = Budget(10)
    assert budget.take(6)
    assert not budget.take(5)
    assert budget.take(4)
    budget.give_back(6)
    assert budget.take(6)
    assert budget.used == 10


def test_one_request_larger_than_the_budget_goes_alone() -> None:
    budget = Budget(10)
    assert budget.take(50)
    assert not budget.take(1)
    budget.give_back(50)
    assert budget.take(1)


def test_a_bucket_lets_its_rate_through() -> None:
    bucket = TokenBucket(10, now=0.0)
    assert bucket.take(10, 0.0) == 0.0
    assert bucket.take(1, 0.0) == pytest.approx(0.1)
    assert bucket.take(1, 0.1) == 0.0


def test_an_overdrawn_bucket_is_paid_off() -> None:
    bucket = TokenBucket(10, now=0.0)
    assert bucket.take(30, 0.0) == 0.0
    assert bucket.take(10, 1.0) == pytest.approx(2.0)
    assert bucket.take(10, 3.0) == 0.0


def test_a_clock_that_goes_back_gives_nothing() -> None:
    bucket = TokenBucket(1, now=10.0)
    assert bucket.take(1, 10.0) == 0.0
    assert bucket.take(1, 5.0) == pytest.approx(1.0)


def test_a_write_key_finds_its_source_whether_plain_or_hashed() -> None:
    plain = Source.model_validate({"name": "a", "write_key": "k1"})
    hashed = Source.model_validate(
        {
            "name": "b",
            "write_key_sha256": Source.model_validate({"name": "x", "write_key": "k2"}).key_digest,
        }
    )
    sources = Sources([plain, hashed])
    found = [sources.find(key) for key in ("k1", "k2", "k2", "k3", "")]
    assert [sender and sender.name for sender in found] == ["a", "b", "b", None, None]


@pytest.mark.parametrize(
    ("ip", "kept"),
    [
        ("203.0.113.77", "203.0.113.0"),
        ("2001:db8:1:2::7", "2001:db8:1::"),
        ("::ffff:203.0.113.77", "203.0.113.0"),
        ("not an address", None),
    ],
)
def test_truncated(ip: str, kept: str | None) -> None:
    assert truncated(ip) == kept


@pytest.mark.parametrize(
    ("peer", "forwarded", "seen"),
    [
        ("10.0.0.1", b"203.0.113.7", "203.0.113.7"),
        ("10.0.0.1", b"6.6.6.6, 203.0.113.7, 10.0.0.2", "203.0.113.7"),
        ("192.0.2.1", b"203.0.113.7", "192.0.2.1"),
        ("10.0.0.1", b"garbage", "10.0.0.1"),
        ("10.0.0.1", None, "10.0.0.1"),
    ],
)
def test_only_trusted_proxies_say_who_sent_it(
    peer: str, forwarded: bytes | None, seen: str
) -> None:
    trusted = Edge.model_validate({"trusted_proxies": ["10.0.0.0/8"]}).trusted_proxies
    headers = {} if forwarded is None else {b"x-forwarded-for": forwarded}
    assert remote_ip((peer, 1), headers, trusted) == seen


@pytest.mark.parametrize("encoding", [b"gzip", b"deflate", b"br", b"zstd"])
def test_every_encoding_is_undone_and_limited(encoding: bytes) -> None:
    import gzip
    import zlib

    import brotli
    import zstandard

    plain = b"x" * 100_000
    pack = {
        b"gzip": gzip.compress,
        b"deflate": zlib.compress,
        b"br": brotli.compress,
        b"zstd": zstandard.compress,
    }[encoding]
    packed = pack(plain)
    assert decompressed(packed, encoding, 100_000) == plain
    for body, limit, status in (
        (packed, 99_999, 413),
        (b"garbage", 100, 400),
        (packed[:-3], 200_000, 400),
    ):
        with pytest.raises(BodyError) as raised:
            decompressed(body, encoding, limit)
        assert raised.value.status == status
