"""`ampgate send`: a file of events, one JSON object a line, to an edge.

Theory of operation: a line goes to one of a few lanes by its user (else its device), and each lane
has one request in flight. So one user's events arrive in the file's order, while several requests
are in flight. A line without `insert_id` gets one before its first try: a retry after a lost answer
sends the same bytes.
"""

import asyncio
import time
from collections.abc import (
    Awaitable,
    Callable,
    Sequence,
)
from dataclasses import dataclass, field
from random import Random

import msgspec

from ampgate.cli.printing import printable
from ampgate.errors import CommandError
from ampgate.send.lines import LANES, BadLine, Line, Lines, one_by_one
from ampgate.send.posting import NO_ANSWER, Answer, Post
from ampgate.send.refusals import Refusals
from ampgate.send.window import Window

BATCH_EVENTS = 500
BATCH_BYTES = 900_000
GIVE_UP_SECONDS = 300.0  # For one batch, from its first try.
BACKOFF_FIRST_SECONDS = 0.2
BACKOFF_MAX_SECONDS = 10.0
RETRY_STATUSES = frozenset({408, 429, *range(500, 600)})
RECEIPT_STATUSES = frozenset({200, 202, 422})
EXCERPT_BYTES = 300
SPLIT_STATUSES = frozenset({400, 413})  # The request was refused as a whole: find out which line.

Report = Callable[[int, str], None]
"""Called with a line's number, and why it was not accepted."""

Wait = Callable[[str], None]
"""Called once for each kind of trouble before a retry."""


class Rejected(msgspec.Struct):
    index: int
    reason: str = "rejected"
    message: str = ""


class Receipt(msgspec.Struct):
    """The parts of the edge's answer that are needed."""

    accepted: int
    rejected: list[Rejected] = []


@dataclass(slots=True)
class Summary:
    lines: int = 0
    accepted: int = 0
    rejected: int = 0
    retries: int = 0
    seconds: float = 0.0
    stopped_at: int | None = None  # The line to go on with; None if all were sent.

    @property
    def rate(self) -> float:
        return self.accepted / self.seconds if self.seconds else 0.0


@dataclass(slots=True)
class Batch:
    lines: list[Line] = field(default_factory=list)
    size: int = 0

    def has_room(self, line: Line) -> bool:
        fits = self.size + len(line.event) < BATCH_BYTES
        return not self.lines or (fits and len(self.lines) < BATCH_EVENTS)

    def add(self, line: Line) -> None:
        self.lines.append(line)
        self.size += len(line.event) + 1


class Sender:
    """Sends lines, lane by lane, and keeps count."""

    def __init__(
        self,
        post: Post,
        report: Report,
        *,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        give_up_seconds: float = GIVE_UP_SECONDS,
        on_progress: Callable[[], None] = lambda: None,
        on_wait: Wait = lambda _trouble: None,
    ) -> None:
        self.summary = Summary()
        self._post = post
        self._report = report
        self._sleep = sleep
        self._give_up_seconds = give_up_seconds
        self._on_progress = on_progress
        self._on_wait = on_wait
        self._waited_for: set[int] = set()
        self._refusals = Refusals()
        self._window = Window()
        self._has_room = asyncio.Event()
        self._is_stopping = False
        self._jitter = Random()

    @property
    def resume_at(self) -> int:
        return self._window.resume_at

    def stop(self) -> None:
        """Read no other line; what was read is still sent."""
        self._is_stopping = True

    async def send(self, lines: Lines) -> None:
        """Return once every line is accepted or reported; `CommandError` if that cannot be."""
        began = time.monotonic()
        # One batch is ready in each lane before the answer to the last one.
        lanes = [asyncio.Queue[Batch | None](maxsize=1) for _ in range(LANES)]
        try:
            async with asyncio.TaskGroup() as tasks:
                for lane in lanes:
                    tasks.create_task(self._drain(lane))
                await self._fill(lanes, lines)
        except* CommandError as errors:
            raise errors.exceptions[0] from None
        finally:
            self._reject(*self._refusals.released())
            self.summary.seconds = time.monotonic() - began

    async def _fill(self, lanes: "Sequence[asyncio.Queue[Batch | None]]", lines: Lines) -> None:
        batches = [Batch() for _ in lanes]
        async for line in one_by_one(lines):
            if self._is_stopping:
                break
            if line is None:
                await _hand_over(lanes, batches)
                continue
            self.summary.lines += 1
            if isinstance(line, BadLine):
                self._window.passed(line.number)
                self._reject((line.number, line.reason))
                continue
            while not self._window.has_room(line.number):
                self._has_room.clear()
                await _hand_over(lanes, batches)
                await self._has_room.wait()
            self._window.read(line.number)
            if not batches[line.lane].has_room(line):
                await lanes[line.lane].put(batches[line.lane])
                batches[line.lane] = Batch()
            batches[line.lane].add(line)
        await _hand_over(lanes, batches)
        for lane in lanes:
            await lane.put(None)

    async def _drain(self, lane: "asyncio.Queue[Batch | None]") -> None:
        while batch := await lane.get():
            await self._deliver(batch.lines)
            self._on_progress()

    async def _deliver(self, lines: Sequence[Line]) -> None:
        answer = await self._post_until_answered(b"\n".join(line.event for line in lines))
        if answer.status in SPLIT_STATUSES:
            if len(lines) == 1:
                reason = f"{answer.status}: {_excerpt(answer.body)}"
                self._reject(*self._refusals.refused(lines[0].number, reason))
                self._settled(lines)
                return
            middle = len(lines) // 2
            await self._deliver(lines[:middle])
            await self._deliver(lines[middle:])
            return
        if answer.status not in RECEIPT_STATUSES:
            raise CommandError(f"the edge answered {answer.status}: {_excerpt(answer.body)}")
        self._settle(lines, answer)

    def _settle(self, lines: Sequence[Line], answer: Answer) -> None:
        try:
            receipt = msgspec.json.decode(answer.body, type=Receipt)
            refused = {rejected.index: rejected for rejected in receipt.rejected}
            numbers = {index: lines[index].number for index in refused}
        except (msgspec.DecodeError, IndexError) as error:
            raise CommandError(
                f"this is no edge: it answered {answer.status} with {_excerpt(answer.body)}"
            ) from error
        self._reject(*self._refusals.receipt())
        for index, rejected in refused.items():
            reason = f"{rejected.reason}: {rejected.message}".rstrip(": ")
            self._reject((numbers[index], reason))
        self.summary.accepted += len(lines) - len(refused)
        self._settled(lines)

    def _settled(self, lines: Sequence[Line]) -> None:
        self._window.settled(line.number for line in lines)
        self._has_room.set()

    async def _post_until_answered(self, body: bytes) -> Answer:
        """The first answer that is not "later"."""
        deadline = time.monotonic() + self._give_up_seconds
        backoff = BACKOFF_FIRST_SECONDS
        while True:
            answer = await self._post(body)
            if answer.status not in RETRY_STATUSES and answer.status != NO_ANSWER:
                return answer
            delay = max(answer.retry_after, self._jitter.uniform(backoff / 2, backoff))
            status = f"{answer.status}: " if answer.status != NO_ANSWER else ""
            trouble = status + _excerpt(answer.body)
            if time.monotonic() + delay > deadline:
                raise CommandError(f"gave up after {self._give_up_seconds:g} s: {trouble}")
            if answer.status not in self._waited_for:
                self._waited_for.add(answer.status)
                self._on_wait(f"{trouble}; trying again, for {self._give_up_seconds:g} s at most")
            self.summary.retries += 1
            await self._sleep(delay)
            backoff = min(backoff * 2, BACKOFF_MAX_SECONDS)

    def _reject(self, *lines: tuple[int, str]) -> None:
        for number, reason in lines:
            self.summary.rejected += 1
            self._report(number, reason)


async def _hand_over(lanes: "Sequence[asyncio.Queue[Batch | None]]", batches: list[Batch]) -> None:
    """Send what there is in each lane, however little."""
    for index, lane in enumerate(lanes):
        if batches[index].lines:
            batch, batches[index] = batches[index], Batch()
            await lane.put(batch)


def _excerpt(body: bytes) -> str:
    return printable(body[:EXCERPT_BYTES].decode(errors="replace"))
