"""Whose address a record carries, and how much of it."""

import json
from ipaddress import IPv4Address, IPv6Address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.http.addresses import remote_ip, truncated
from schemas.configuration.config import Edge
from tests.unit.gateway.memory import EVENT
from tests.unit.gateway.memory import Edge as RunningEdge

PROXIES = ("10.0.0.0/8", "fd00::/8")
NETWORKS = tuple(ip_network(network) for network in PROXIES)
Address = IPv4Address | IPv6Address


@pytest.mark.parametrize(
    ("peer", "forwarded", "seen"),
    [
        ("10.0.0.1", [b"203.0.113.7"], "203.0.113.7"),
        ("10.0.0.1", [b"6.6.6.6, 203.0.113.7, 10.0.0.2"], "203.0.113.7"),
        ("10.0.0.1", [b"6.6.6.6", b"203.0.113.7", b"10.0.0.2"], "203.0.113.7"),
        ("::ffff:10.0.0.1", [b"203.0.113.7:4711"], "203.0.113.7"),
        ("10.0.0.1", [b"::ffff:203.0.113.7"], "203.0.113.7"),
        ("10.0.0.1", [b"2001:db8::7"], "2001:db8::7"),
        ("10.0.0.1", [b"[2001:db8::7]:4711"], "2001:db8::7"),
        ("10.0.0.1", [b"[2001:db8::7]"], "2001:db8::7"),
        ("10.0.0.1", [b"fe80::7%<script>"], "fe80::7"),
        ("10.0.0.1", [b"203.0.113.7, ,", b""], "203.0.113.7"),
        ("192.0.2.1", [b"203.0.113.7"], "192.0.2.1"),
        ("10.0.0.1", [b"garbage"], "10.0.0.1"),
        ("10.0.0.1", [b"203.0.113.7, garbage, 10.0.0.2"], "10.0.0.2"),
        ("10.0.0.1", [b"\xff, ,"], "10.0.0.1"),
        ("10.0.0.1", [], "10.0.0.1"),
    ],
)
def test_only_trusted_proxies_say_who_sent_it(peer: str, forwarded: list[bytes], seen: str) -> None:
    trusted = Edge.model_validate({"trusted_proxies": ["10.0.0.0/8"]}).trusted_proxies
    headers = [(b"x-forwarded-for", value) for value in forwarded]
    assert remote_ip((peer, 1), headers, trusted) == seen
    assert remote_ip(None, headers, trusted) is None


def _is_proxy(address: Address) -> bool:
    return any(address in network for network in NETWORKS)


def _unmapped(address: Address) -> Address:
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address


def clients() -> st.SearchStrategy[Address]:
    return st.ip_addresses().filter(lambda address: not _is_proxy(_unmapped(address)))


def proxies() -> st.SearchStrategy[Address]:
    return st.one_of(*(st.ip_addresses(network=network) for network in PROXIES))


@st.composite
def spellings(draw: st.DrawFn, address: Address) -> str:
    """As one proxy or another writes it."""
    port = draw(st.integers(1, 65_535))
    if address.version == 4:
        written = [f"{address}", f"{address}:{port}", f"::ffff:{address}", f"[::ffff:{address}]"]
    else:
        written = [f"{address}", f"[{address}]", f"[{address}]:{port}", address.exploded.upper()]
    space = st.sampled_from(["", " ", "\t"])
    return draw(space) + draw(st.sampled_from(written)) + draw(space)


@given(st.data())
def test_whatever_a_client_writes_its_address_is_what_the_first_proxy_saw(
    data: st.DataObject,
) -> None:
    client = data.draw(clients(), "client")
    behind = data.draw(st.lists(proxies(), max_size=4), "proxies that the header names")
    peer = data.draw(proxies(), "peer")
    spoofed = data.draw(
        st.lists(st.text("1.:[]%,a \xff\xa0", max_size=12)), "written by the client"
    )
    hops = [data.draw(spellings(address)) for address in (client, *behind)]
    cut = data.draw(st.integers(0, len(hops)), "where a second header begins")
    several = [",".join([*spoofed, *hops[:cut]]), ",".join(hops[cut:])]
    headers = [(b"x-forwarded-for", value.encode("latin-1")) for value in several]

    assert remote_ip((str(peer), 1), headers, NETWORKS) == str(_unmapped(client))
    assert remote_ip((str(client), 1), headers, NETWORKS) == str(_unmapped(client))


@given(st.text(max_size=30).map(str.encode), proxies())
def test_what_a_record_carries_is_always_an_address(forwarded: bytes, peer: Address) -> None:
    seen = remote_ip((str(peer), 1), [(b"x-forwarded-for", forwarded)], NETWORKS)
    assert seen is not None
    assert truncated(seen) is not None


@pytest.mark.parametrize("name", ["ip", "\\u0069p"])
@pytest.mark.parametrize(
    ("policy", "sent", "kept"),
    [
        ("keep", "$remote", "2001:db8:1:2::7"),
        ("truncate", "$remote", "2001:db8:1::"),
        ("drop", "$remote", None),
        ("truncate", "203.0.113.77", "203.0.113.0"),
        ("drop", "203.0.113.77", None),
    ],
)
async def test_an_address_is_kept_as_the_source_says_however_it_came(
    name: str, policy: str, sent: str, kept: str | None
) -> None:
    source = {"name": "app", "write_key": "app", "ip": policy}
    edge = RunningEdge(source, trusted_proxies=["127.0.0.0/8"])
    event = json.dumps({**EVENT, "ip": sent}).replace('"ip"', f'"{name}"')
    headers = {"authorization": "Bearer app", "x-forwarded-for": "6.6.6.6, [2001:db8:1:2::7]:80"}
    async with edge.client as client:
        answer = await client.post("/v1/events", content=event, headers=headers)

    assert answer.status_code == 202
    [record] = edge.store.topics["events"]
    assert json.loads(record.value).get("ip") == kept
    assert kept == sent or sent.encode() not in record.value


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


@pytest.mark.parametrize(
    ("peer", "seen"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("::ffff:203.0.113.7", "203.0.113.7"),  # Of a socket that takes IPv4 and IPv6.
        ("fe80::7%eth0", "fe80::7"),
        ("2001:db8::7", "2001:db8::7"),
        ("::ffff:0:7", "::ffff:0:7"),
    ],
)
def test_a_peers_address_is_written_as_that_of_its_own_protocol(peer: str, seen: str) -> None:
    assert remote_ip((peer, 1), [], ()) == seen
