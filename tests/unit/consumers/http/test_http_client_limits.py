"""Both HTTP clients against answers that are too long, too slow or compressed too well."""

import asyncio
import zlib
from pathlib import Path

import pytest

from consumers.delivery.destination import Response, Unreachable, ambiguity
from consumers.http.replies import BODY_BYTES_MAX
from tests.eventually import DEADLINE_SECONDS
from tests.unit.consumers.http.far_ends import (
    GOOD,
    OK,
    REQUEST,
    New,
    listening,
    replies,
)
from tests.unit.consumers.http.http1_ends import Say

FORGET_PEAK, STATUS = Path("/proc/self/clear_refs"), Path("/proc/self/status")


def answer(body: bytes, headers: bytes = b"", status: bytes = b"200 OK") -> bytes:
    length = b"content-length: %d\r\n" % len(body)
    return b"HTTP/1.1 %b\r\n%b%b\r\n%b" % (status, length, headers, body)


@pytest.mark.parametrize("framing", ["length", "chunked", "close"])
@pytest.mark.parametrize("status", [b"200 OK", b"400 Bad"])
async def test_of_a_long_body_1_mb_is_read_and_what_is_cut_is_no_success(
    new: New, status: bytes, framing: str
) -> None:
    body = b"x" * 3_000_000
    words = {
        "length": answer(body, status=status),
        "chunked": b"HTTP/1.1 %b\r\ntransfer-encoding: chunked\r\n\r\n2DC6C0\r\n%b"
        % (status, body),
        "close": b"HTTP/1.1 %b\r\n\r\n%b" % (status, body),
    }[framing]
    found = await replies(new, Say(words), Say(OK))
    cut = Response(400, body[:BODY_BYTES_MAX])
    assert found == [Unreachable("invalid_reply") if status == b"200 OK" else cut, GOOD]


@pytest.mark.skipif(not FORGET_PEAK.exists(), reason="only Linux forgets the peak of a process")
@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
async def test_a_decompression_bomb_costs_what_is_read_of_it(new: New, encoding: str) -> None:
    bomb = answer(packed_zeros(encoding), b"content-encoding: %b\r\n" % encoding.encode())
    forget_peak()
    before = peak_kilobytes()
    found = await replies(new, Say(bomb), Say(OK))
    assert (found[0], found[1]) == (Unreachable("invalid_reply"), GOOD)
    assert peak_kilobytes() - before < 60_000


def packed_zeros(encoding: str) -> bytes:
    """120 MB, which were never in memory as a whole: what was would be taken again unseen."""
    packer = zlib.compressobj(1, wbits=31 if encoding == "gzip" else 15)
    return b"".join(packer.compress(bytes(1_000_000)) for _ in range(120)) + packer.flush()


def forget_peak() -> None:
    """As proc(5) has it."""
    FORGET_PEAK.write_text("5")


def peak_kilobytes() -> int:
    """The most memory that this process has had since its peak was forgotten."""
    [line] = [one for one in STATUS.read_text().splitlines() if one.startswith("VmHWM:")]
    return int(line.split()[1])


async def test_a_body_that_drips_ends_with_the_timeout(new: New) -> None:
    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 4000\r\n\r\n")
        while not writer.is_closing():
            writer.write(b"x")
            await writer.drain()
            await asyncio.sleep(0.05)

    async with asyncio.timeout(DEADLINE_SECONDS), listening(drip) as url, new(url, 3.0) as client:
        assert await client.send(REQUEST) == Unreachable("timeout")


@pytest.mark.parametrize(
    "said", [b"", b"HTTP/1.1 102 Processing\r\n\r\n", b"HTTP/1.1 200 OK\r\nx:"]
)
async def test_who_got_a_request_and_says_nothing_may_have_stored_it(new: New, said: bytes) -> None:
    [reply] = await replies(new, Say(said), timeout_seconds=3.0)
    assert reply == Unreachable("timeout")
    assert ambiguity(reply) == "timeout"
