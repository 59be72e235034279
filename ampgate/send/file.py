"""A file or a pipe on its way to an edge, until all is sent or somebody interrupts."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

from pyreqwest.client import ClientBuilder

from ampgate.errors import CommandError
from ampgate.send.arriving import Arriving
from ampgate.send.lines import LANES, BadLine, Line, open_lines, piped_lines, read_lines
from ampgate.send.posting import poster
from ampgate.send.send import Report, Sender, Summary, Wait

TRY_SECONDS = 30.0
CONNECT_SECONDS = 3.0  # After so long, tell the user why it waits.
DRAIN_SECONDS = 5.0  # After Ctrl-C: for the answers to what was read.


async def send_file(
    path: Path,
    *,
    url: str,
    key: str,
    report: Report,
    on_progress: Callable[[int], None],
    on_wait: Wait,
    is_pipe: bool = False,
    first: int = 1,
) -> tuple[Summary, CommandError | None]:
    """Send the file from its line `first` on; `on_progress` is told how many bytes have been read.

    An interruption (Ctrl-C) ends it early: `stopped_at` says where.
    """
    builder = ClientBuilder().follow_redirects(False).max_connections(LANES)
    builder = builder.connect_timeout(timedelta(seconds=CONNECT_SECONDS))
    async with builder.timeout(timedelta(seconds=TRY_SECONDS)).build() as client:
        post = poster(client, url, key)
        if is_pipe:
            sender = Sender(post, report, on_wait=on_wait)
            error = await _until_interrupted(sender, Arriving(piped_lines(path, first)))
            return sender.summary, error
        with open_lines(path) as (raw, content):
            sender = Sender(
                post, report, on_progress=lambda: on_progress(raw.tell()), on_wait=on_wait
            )
            error = await _until_interrupted(sender, read_lines(content, first))
    return sender.summary, error


async def _until_interrupted(
    sender: Sender, lines: Iterator[Line | BadLine] | Arriving
) -> CommandError | None:
    sending = asyncio.ensure_future(sender.send(lines))
    try:
        await asyncio.shield(sending)
    except CommandError as error:
        sender.summary.stopped_at = sender.resume_at
        return error
    except asyncio.CancelledError:  # asyncio's answer to Ctrl-C.
        sender.stop()
        if isinstance(lines, Arriving):
            lines.stop()
        await asyncio.wait([sending], timeout=DRAIN_SECONDS)
        sender.summary.stopped_at = sender.resume_at
        sending.cancel()
        with suppress(asyncio.CancelledError, CommandError):
            await sending
    return None
