"""Requests made to cost much: something repeated, nested or escaped, dialect by encoding. Pure.

`tests/fuzz/test_hostile_requests.py` draws at random, `benchmarks/worst.py` measures each.
"""

import gzip
import zlib
from base64 import b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from random import Random
from urllib.parse import quote

import brotli
import zstandard

LEVELS = 900  # What parsers of JSON follow before they refuse.
CALL = b'{"type":"track","event":"a","userId":"user-1"}'
EVENT = b'{"event_type":"a","user_id":"user-1"}'
SKIPPABLE = b"\x50\x2a\x4d\x18\x00\x00\x00\x00"  # RFC 8878 §3.1.2.
Make = Callable[[int], bytes]
Wrap = Callable[[bytes, bytes], bytes]
Pack = Callable[[bytes], bytes]


def nested(opening: bytes, closing: bytes) -> Make:
    return repeated(opening * LEVELS + b"1" + closing * LEVELS)


def repeated(element: bytes) -> Make:
    return lambda size: b"[" + b",".join([element] * max(1, size // (len(element) + 1))) + b"]"


def text_of(unit: bytes, start: bytes = b"") -> Make:
    return lambda size: b'"' + start + unit * max(1, size // len(unit)) + b'"'


# JSON values of about so many bytes, and what is none.
VALUES: Mapping[str, Make] = {
    "one letter": text_of(b"a"),
    "backslashes": text_of(rb"\\", start=rb"\ud800"),
    "escaped quotes": text_of(rb"\""),
    "half emojis": text_of(rb"\ud83d"),
    "addresses": text_of(b"a@"),
    "a long number": lambda size: b"1" * max(1, size),
    "numbers": repeated(b"1"),
    "exponents": repeated(b"1e1"),
    "digits behind a point": lambda size: b"0." + b"1" * max(1, size),
    "texts": repeated(b'"a"'),
    "empty objects": repeated(b"{}"),
    "empty arrays": repeated(b"[]"),
    "objects in objects": nested(b'{"":', b"}"),
    "arrays in arrays": nested(b"[", b"]"),
    "arrays as deep as allowed": repeated(b"[" * 39 + b"]" * 39),
    "arrays of some levels": repeated(b"[" * 8 + b"]" * 8),
    "objects and arrays in turn": nested(b'{"":[', b"]}"),
    "a name again and again": lambda size: b"{" + b'"a":1,' * (size // 6) + b'"a":1}',
    "names of half emojis": lambda size: b"{" + rb'"\udc00":1,' * (size // 11) + b'"":1}',
    "members": lambda size: b"{" + b",".join(b'"%x":1' % n for n in range(size // 9)) + b'"":1}',
    "events": repeated(EVENT),
    "calls": repeated(CALL),
    "lines": lambda size: EVENT + (b"\n" + EVENT) * (size // len(EVENT)),
    "no end": lambda size: b"[" * size,
    "quotes without an end": lambda size: b'["' + rb"\"" * (size // 2),
    "orders": lambda size: (
        b'[{"type":"track","event":"Order Completed","userId":"user-1","properties":{"products":'
        + repeated(b"{}")(size)
        + b"}}]"
    ),
}


@dataclass(frozen=True, slots=True)
class Dialect:
    path: bytes
    wrap: Wrap
    headers: Mapping[bytes, bytes] = field(default_factory=dict)


def bearer(key: bytes) -> dict[bytes, bytes]:
    return {b"authorization": b"Bearer " + key}


def dialects(key: bytes) -> Mapping[str, Dialect]:
    """Where a value is in a request; as it is, in one event, or beside many."""
    return {
        "native": Dialect(b"/v1/events", lambda value, _: value, bearer(key)),
        "native, a property": Dialect(b"/v1/events", lambda value, _: in_event(value), bearer(key)),
        "native updates": Dialect(b"/v1/user-properties", lambda value, _: value, bearer(key)),
        "Amplitude": Dialect(
            b"/2/httpapi", lambda value, key: b'{"api_key":"%b","events":%b}' % (key, value)
        ),
        "Amplitude, the key last": Dialect(
            b"/batch",
            lambda value, key: (
                b'{"events":[%b],"options":%b,"api_key":"%b"}' % (in_event(value), value, key)
            ),
        ),
        "Amplitude's form": Dialect(
            b"/identify",
            lambda value, key: b"api_key=%b&identification=%b" % (key, escaped(value)),
        ),
        "Amplitude's form, plain": Dialect(
            b"/identify", lambda value, key: b"api_key=%b&identification=%b" % (key, value)
        ),
        "Amplitude's former form": Dialect(
            b"/", lambda value, key: b"client=%b&e=%b" % (key, escaped(value))
        ),
        **segment_calls(key),
        "Aampe": Dialect(
            b"/aampe/v1/events",
            lambda value, _: (
                b'{"contact_id":"c","event_name":"e","timestamp":1,"metadata":{"x":%b}}' % value
            ),
            bearer(key),
        ),
        "webhooks": Dialect(
            b"/webhooks/amplemarket/" + key, lambda value, _: b'{"is_reply":true,"x":%b}' % value
        ),
    }


def segment_calls(key: bytes) -> Mapping[str, Dialect]:
    basic = {b"authorization": b"Basic " + b64encode(key + b":")}
    calls = b",".join([b"{}", CALL] * 100)  # Some become no event, at the same cost.
    return {
        "Segment": Dialect(b"/segment/v1/batch", lambda value, _: b'{"batch":%b}' % value, basic),
        "Segment, shared": Dialect(
            b"/segment/v1/batch",
            lambda value, key: (
                b'{"batch":[%b],"context":{"traits":{"x":%b}},"writeKey":"%b"}'
                % (calls, value, key)
            ),
        ),
        "Segment, one call": Dialect(
            b"/segment/v1/track",
            lambda value, _: (
                b'{"event":"a","userId":"user-1","properties":{"products":%b}}' % value
            ),
            basic,
        ),
    }


def in_event(value: bytes) -> bytes:
    return b'{"event_type":"a","user_id":"user-1","event_properties":{"x":%b}}' % value


def escaped(value: bytes) -> bytes:
    return quote(value, safe="").encode()


ENCODINGS: Mapping[str, tuple[bytes, Pack]] = {
    "plain": (b"", lambda body: body),
    "gzip": (b"gzip", gzip.compress),
    "deflate": (b"deflate", zlib.compress),
    "deflate, no header": (b"deflate", lambda body: zlib.compress(body)[2:-4]),
    "brotli": (b"br", lambda body: brotli.compress(body, quality=5)),
    "brotli, wide": (b"br", lambda body: brotli.compress(body, quality=5, lgwin=24)),
    "zstd": (b"zstd", zstandard.compress),
    "gzip twice": (b"gzip, gzip", lambda body: gzip.compress(gzip.compress(body))),
    "brotli in gzip": (
        b"br, gzip",
        lambda body: gzip.compress(brotli.compress(body, quality=5)),
    ),
    "zstd in brotli": (
        b"zstd, br",
        lambda body: brotli.compress(zstandard.compress(body), quality=5),
    ),
    "gzip of members": (b"gzip", lambda body: gzip.compress(b"") * 998 + gzip.compress(body)),
    "zstd of frames": (
        b"zstd",
        lambda body: (zstandard.compress(b"") + SKIPPABLE) * 999 + zstandard.compress(body),
    ),
    "gzip three times": (b"gzip, gzip, gzip", gzip.compress),
    "unknown": (b"compress", lambda body: body),
}


@dataclass(frozen=True, slots=True)
class Request:
    """A whole HTTP/1.1 request, and what it is made of."""

    name: str
    wire: bytes


def request(dialect: str, value: bytes, encoding: str, key: bytes, name: str = "") -> Request:
    where = dialects(key)[dialect]
    header, pack = ENCODINGS[encoding]
    body = pack(where.wrap(value, key))
    headers = {b"content-length": b"%d" % len(body), **where.headers}
    if header:
        headers[b"content-encoding"] = header
    lines = b"".join(b"%b: %b\r\n" % line for line in headers.items())
    wire = b"POST %b HTTP/1.1\r\nhost: edge\r\n%b\r\n%b" % (where.path, lines, body)
    return Request(f"{dialect}, {encoding}, {name}", wire)


def drawn(rng: Random, key: bytes) -> Request:
    """Any of them; the larger, the rarer."""
    value = rng.choice(sorted(VALUES))
    size = int(10 ** rng.uniform(1, 6.2 if rng.random() < 0.9 else 7.2))
    text = VALUES[value](size)
    if rng.random() < 0.1:
        text = text[: rng.randrange(len(text)) + 1]
    key = key if rng.random() < 0.9 else b"wrong"
    dialect, encoding = rng.choice(sorted(dialects(key))), rng.choice(sorted(ENCODINGS))
    return request(dialect, text, encoding, key, f"{size} bytes of {value}")
