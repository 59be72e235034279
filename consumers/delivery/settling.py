"""A reply came: what becomes of each record that it speaks of."""

from collections.abc import Sequence
from typing import assert_never

from consumers.delivery.border import judge
from consumers.delivery.destination import Destination, Reply, Response, Unsendable
from consumers.delivery.lanes import Batch, Entry, Lane
from consumers.delivery.line import Line
from consumers.delivery.outcomes import (
    THROTTLED,
    Delivered,
    Hold,
    Id,
    Outcome,
    Pause,
    Reject,
    Resend,
    Retry,
    Skip,
    Split,
    Verdict,
)
from consumers.delivery.pace import TOO_MANY_REJECTS, Pace
from consumers.delivery.stock import Stock, size_of
from consumers.delivery.waits import Waits

LANE_FAILURES_MAX = 3  # After as many in a row, a culprit is sought in the batch by halving it.
LONE_FAILURES_MAX = 20  # A record that fails alone so often, amid successes, is itself to blame.
LONE_SECONDS_MAX = 5.0  # Between its attempts, where it is refused, and not the destination away.
REFUSALS_MAX = 5  # In a row: then it is not about the records.
FAILS_ALONE = "it fails alone, others do not"
ROUNDS_MAX = 5  # After as many replies that name but a few each, culprits are sought by halving.


class Settling:
    def __init__(
        self, destination: Destination, pace: Pace, line: Line, stock: Stock, waits: Waits
    ) -> None:
        self._destination = destination
        self._pace = pace
        self._line = line
        self._stock = stock
        self._waits = waits
        self.deliveries = 0  # How many batches were delivered.
        self._refusals = 0  # In a row, that may be about the records or about all.

    def settle(self, batch: Batch, reply: Reply | Unsendable, now: float) -> Verdict:
        """Act on what the destination said; the verdict is returned to be counted."""
        verdict = self._judge(batch, reply, now)
        for identity, hold in verdict.holds.items():
            self._waits.clocks.hold(identity, hold.until(now), hold.reason)
        status = reply.status if isinstance(reply, Response) else None
        index = 0
        for lane, entries in batch.parts:
            if lane.offsets.is_ours:
                outcomes = [verdict.but.get(at, verdict.rest) for at in _span(index, entries)]
                self._settle_part(lane, entries, outcomes, len(batch.encoded), status, now, verdict)
            else:  # It was revoked in flight: all that is left of it is the room it took.
                self._stock.bytes -= size_of(entries)
            index += len(entries)
        return verdict

    def _judge(self, batch: Batch, reply: Reply | Unsendable, now: float) -> Verdict:
        """The destination's verdict, unless it says more about us than about the records."""
        verdict = judge(self._destination, reply, batch.encoded)
        if isinstance(reply, Unsendable):
            return verdict  # It says nothing of the destination, which was not asked.
        rest, company = verdict.rest, len(batch.encoded)
        if isinstance(rest, Pause) and self._may_be_these(batch, rest):
            # Others get through: it is sought on, and the destination is not paused.
            return Verdict(Split(rest.reason)) if company > 1 else verdict
        rejected = sum(isinstance(outcome, Reject) for outcome in verdict.but.values())
        if isinstance(rest, Reject) or (isinstance(rest, Split) and company == 1):
            rejected += company - len(verdict.but)
        was_paused = self._pace.paused
        if (rejected or isinstance(rest, Delivered)) and self._pace.judged(company, rejected):
            pause = Pause(TOO_MANY_REJECTS)
            self._pace.failed(pause, now)
            # A probe may be buried: it was alone. Of a whole batch nothing is, until we know.
            return verdict if was_paused == TOO_MANY_REJECTS else Verdict(pause)
        match rest:
            case Retry() | Pause():
                self._pace.failed(rest, now)
            case _:
                self._refusals = 0
                self._pace.answered(now - batch.sent_at, now)
                self.deliveries += isinstance(rest, Delivered)
        if isinstance(rest, Split) and rest.is_size:
            self._pace.too_large(batch.size, now)
        return verdict

    def _may_be_these(self, batch: Batch, pause: Pause) -> bool:
        """Whether a refusal is likelier about these records: others got through just before.

        Where several requests in a row are refused, it is about all of them.
        """
        if not pause.may_be_content:
            return False
        if _is_suspect(batch):
            return True
        if self._pace.paused is not None or self.deliveries == 0:
            return False
        self._refusals += 1
        return self._refusals < REFUSALS_MAX

    def _settle_part(
        self,
        lane: Lane,
        entries: tuple[Entry, ...],
        outcomes: Sequence[Outcome],
        company: int,
        status: int | None,
        now: float,
        verdict: Verdict,
    ) -> None:
        lane.idle = True
        lane.due_at = now
        if isinstance(verdict.rest, Delivered) and not verdict.but:
            lane.failures = lane.rounds = lane.sought = 0
            self._stock.done(lane.offsets, entries)
        else:
            left: list[Entry] = []
            for entry, outcome in zip(entries, outcomes, strict=True):
                left += self._follow(lane, entry, outcome, company, status, now)
            # Of a key, all or none: what waits must not be older than what is in line.
            stopped = {entry.encoded.key for entry in left if self._waits.is_held(entry)}
            stopped.update(lane.waiting)
            lane.wait_first([entry for entry in left if entry.encoded.key in stopped])
            again = [entry for entry in left if entry.encoded.key not in stopped]
            if isinstance(verdict.rest, Split) and len(again) < len(left):
                lane.sought = (len(left) + 1) // 2  # Halves would be forgotten while they wait.
            self._put_back(lane, again, verdict, now)
        if lane.waiting:
            lane.release(self._waits.is_held)
            self._waits.set_aside(lane, now)
        self._line.enter(lane)

    def _put_back(self, lane: Lane, again: list[Entry], verdict: Verdict, now: float) -> None:
        match verdict.rest:
            case Split():
                lane.failures += 1
                lane.put_back_halved(again)
            case Retry() | Pause() if again or isinstance(verdict.rest, Pause):
                lane.failures += 1
                if isinstance(verdict.rest, Retry):
                    lane.due_at = now + self._pace.backoff(lane.failures)
                if (
                    isinstance(verdict.rest, Retry)
                    and lane.failures % LANE_FAILURES_MAX == 0
                    and len(again) > 1
                ):
                    lane.put_back_halved(again)
                else:
                    lane.put_back(again)
                self._isolate(lane, len(again))
            case Resend() if verdict.but:
                lane.failures = 0
                lane.rounds += 1
                # Some answers name one culprit a time: that would be as many rounds as culprits.
                if lane.rounds >= ROUNDS_MAX and len(again) > 1:
                    lane.put_back_halved(again)
                else:
                    lane.put_back(again)
            case _:
                lane.failures = 0
                lane.put_back(again)

    def _isolate(self, lane: Lane, size: int) -> None:
        """What failed together is tried together: company would take part in its guilt."""
        if not lane.groups and 0 < size < len(lane.queue):
            lane.groups.append(size)

    def _follow(
        self,
        lane: Lane,
        entry: Entry,
        outcome: Outcome,
        company: int,
        status: int | None,
        now: float,
    ) -> Sequence[Entry]:
        """Do what the outcome asks for; returns what must go out again, now or later."""
        is_alone = company == 1 and isinstance(outcome, Split | Retry | Pause)
        if entry.parts and not isinstance(outcome, Delivered | Skip):
            if isinstance(outcome, Hold):
                self._waits.clocks.hold(self._blamed(entry), outcome.until(now), outcome.reason)
            is_suspect = is_alone or isinstance(outcome, Reject)
            return self._taken_apart(entry, status, now, is_suspect=is_suspect)
        match outcome:
            case Delivered() | Skip():
                self._stock.done(lane.offsets, (entry,))
                return ()
            case Reject(reason, detail):
                self._stock.bury(entry, reason, detail, now, status)
                return ()
            case Split(reason, detail) if company == 1:
                self._stock.bury(entry, reason, detail, now, status)
                return ()
            case Hold() as hold:
                self._waits.clocks.hold(self._blamed(entry), hold.until(now), hold.reason)
            case Retry(reason) if company == 1:
                if reason != THROTTLED and self._is_poison(entry):
                    self._stock.bury(entry, reason, FAILS_ALONE, now, status)
                    return ()
                # Let the others of its lane go by, and see whether they get through.
                self._hold_key(entry, self._pace.backoff(entry.attempts), reason, now)
            case Pause(reason, may_be_content=True) if company == 1:
                if self._is_poison(entry):
                    self._stock.bury(entry, reason, FAILS_ALONE, now, status)
                    return ()
                # The next probe is another's: it shows whether others get through.
                seconds = min(self._pace.backoff(entry.attempts), LONE_SECONDS_MAX)
                self._hold_key(entry, self._pace.probe_seconds(now) + seconds, reason, now)
            case Resend():
                return (entry,)
            case Split() | Retry() | Pause():
                pass
            case unknown:
                assert_never(unknown)
        entry.first_failed_at = entry.first_failed_at or now
        entry.status = status
        return (entry,)

    def _taken_apart(
        self, entry: Entry, status: int | None, now: float, *, is_suspect: bool
    ) -> Sequence[Entry]:
        """What was merged goes again as it came; one by one, if one of them may be to blame."""
        for part in entry.parts:
            part.merges = part.merges and not is_suspect
            part.first_failed_at = part.first_failed_at or now
            part.status = status
        return entry.parts

    def _is_poison(self, entry: Entry) -> bool:
        """Whether a record that failed alone has done so too often while others got through."""
        entry.lone_failures += 0 <= entry.failed_after < self.deliveries
        entry.failed_after = self.deliveries
        return entry.lone_failures >= LONE_FAILURES_MAX

    def _blamed(self, entry: Entry) -> Id:
        """An entry that has to wait, by index: whose clock is it?"""
        for identity in entry.ids[1:]:
            if self._waits.clocks.of((identity,)):
                return identity
        return entry.ids[0]

    def _hold_key(self, entry: Entry, seconds: float, reason: str, now: float) -> None:
        self._waits.clocks.hold(Id("key", entry.encoded.key), now + seconds, reason)


def _is_suspect(batch: Batch) -> bool:
    """Whether it is a single record that failed alone before, while others got through."""
    [(_, entries), *others] = batch.parts
    return not others and len(entries) == 1 and entries[0].lone_failures > 0


def _span(first: int, entries: Sequence[Entry]) -> range:
    return range(first, first + len(entries))
