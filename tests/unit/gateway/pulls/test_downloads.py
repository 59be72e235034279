"""Files that are downloaded, from wherever their API leads to."""

import asyncio
from contextlib import suppress
from itertools import cycle
from pathlib import Path

import pytest

from gateway.pulls import client
from gateway.pulls.client import BODY_BYTES_MAX, HttpExchange
from gateway.pulls.pull import Answer, UnavailableError
from tests.eventually import DEADLINE_SECONDS
from tests.unit.gateway.pulls.test_client import System, Time, a_client, answers


async def test_another_host_gets_none_of_our_headers(tmp_path: Path) -> None:
    elsewhere = Answer(302, {"location": "https://files.example/a?signature=x"}, b"")
    expired = answers(403)  # Its link is good for a minute; ours gives another one.
    system = System([elsewhere, *expired, elsewhere, *answers(200)])
    found = await a_client(system, Time(), ["ours"]).download("/file", tmp_path / "file")
    assert (found.status, (tmp_path / "file").read_bytes()) == (200, b"members")
    assert system.tokens == ["ours", "", "ours", ""]


async def test_a_store_of_files_may_lead_from_host_to_host(tmp_path: Path) -> None:
    """Amazon's answers 307 for a bucket of another region, also where ours has answered 302."""
    elsewhere = Answer(302, {"location": "https://files.example/a?signature=x"}, b"")
    further = Answer(307, {"location": "/b"}, b"")
    system = System([elsewhere, further, *answers(200)])
    await a_client(system, Time(), ["ours"]).download("/file", tmp_path / "file")
    assert (system.tokens, system.asked[2]) == (["ours", "", ""], "https://files.example/b")


async def test_redirects_that_never_end_are_given_up(tmp_path: Path) -> None:
    there, back = (Answer(302, {"location": f"https://{one}.example/"}, b"") for one in "ab")
    with pytest.raises(UnavailableError):
        await a_client(System(cycle([there, back])), Time()).download("/file", tmp_path / "file")


@pytest.mark.parametrize(
    "file",
    [
        b"\x1f\x8b\\ud83d.",  # A packed file may hold by chance what is half of an emoji in JSON.
        b"a member\n" * (BODY_BYTES_MAX // 9 + 1),  # Half a million of them.
    ],
    ids=["packed", "large"],
)
async def test_a_file_that_is_answered_at_once_is_stored_as_it_is(
    file: bytes, tmp_path: Path
) -> None:
    async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % len(file) + file)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server, HttpExchange(f"http://127.0.0.1:{port}") as exchange:
        found = await a_client(exchange, Time()).download("/file", tmp_path / "file")
    assert found.status == 200
    assert (tmp_path / "file").read_bytes() == file


async def test_a_file_that_cannot_be_written_is_a_failure_that_may_pass(tmp_path: Path) -> None:
    with pytest.raises(UnavailableError, match="could not be written"):
        await a_client(System(answers(200)), Time()).download("/file", tmp_path)


@pytest.mark.parametrize(
    "url", ["https://[", "http://", "https://a b/c", "http://127.0.0.1:99999/"]
)
async def test_a_redirect_to_no_address_is_no_answer(url: str) -> None:
    async with HttpExchange("http://127.0.0.1:9") as exchange:
        assert await exchange(url, (), {}) is None


async def test_a_file_may_take_longer_than_an_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of two million members it has 120 MB."""
    seconds = 1.0  # Also to connect, on a slow machine.
    monkeypatch.setattr(client, "TIMEOUT_SECONDS", seconds)
    answered = asyncio.Semaphore(0)

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")  # An answer before it would end the connection.
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\n")
        for piece in (b"fi", b"le"):
            await asyncio.sleep(0.75 * seconds)
            writer.write(piece)
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()
        answered.release()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server, HttpExchange(f"http://127.0.0.1:{port}") as exchange:
        found = await exchange("/file", (), {}, tmp_path / "file")
        assert found is not None
        assert (tmp_path / "file").read_bytes() == b"file"
        assert await exchange("/page", (), {}) is None
        async with asyncio.timeout(DEADLINE_SECONDS):
            await answered.acquire()
            await answered.acquire()
