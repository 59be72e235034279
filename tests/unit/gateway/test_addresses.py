"""Whose address a record carries, and how much of it."""

import pytest

from gateway.addresses import remote_ip, truncated
from schemas.config import Edge


@pytest.mark.parametrize(
    ("peer", "forwarded", "seen"),
    [
        ("10.0.0.1", [b"203.0.113.7"], "203.0.113.7"),
        ("10.0.0.1", [b"6.6.6.6, 203.0.113.7, 10.0.0.2"], "203.0.113.7"),
        ("10.0.0.1", [b"6.6.6.6", b"203.0.113.7", b"10.0.0.2"], "203.0.113.7"),
        ("::ffff:10.0.0.1", [b"203.0.113.7:4711"], "203.0.113.7"),
        ("10.0.0.1", [b"2001:db8::7"], "2001:db8::7"),
        ("192.0.2.1", [b"203.0.113.7"], "192.0.2.1"),
        ("10.0.0.1", [b"garbage"], "10.0.0.1"),
        ("10.0.0.1", [b"\xff, ,"], "10.0.0.1"),
        ("10.0.0.1", [], "10.0.0.1"),
    ],
)
def test_only_trusted_proxies_say_who_sent_it(peer: str, forwarded: list[bytes], seen: str) -> None:
    trusted = Edge.model_validate({"trusted_proxies": ["10.0.0.0/8"]}).trusted_proxies
    headers = [(b"x-forwarded-for", value) for value in forwarded]
    assert remote_ip((peer, 1), headers, trusted) == seen


@pytest.mark.parametrize(
    ("ip", "kept"),
    [
        ("203.0.113.77", "203.0.113.0"),
        ("2001:db8:1:2::7", "2001:db8:1::"),
        ("::ffff:203.0.113.77", "203.0.113.0"),
        ("not an address", None),
    ],
)
def test_a_truncated_address_names_a_network_and_nobody(ip: str, kept: str | None) -> None:
    assert truncated(ip) == kept
