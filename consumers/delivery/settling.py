"""After a reply: what happens to each record of the batch."""

from collections.abc import Sequence
from typing import assert_never

from msgspec import Struct

from consumers.delivery.batch import Batch
from consumers.delivery.destination import Destination, Reply, Response, Unsendable
from consumers.delivery.entry import Entry, tried
from consumers.delivery.judging import Judging
from consumers.delivery.lanes import Lane
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
from consumers.delivery.pace import Pace
from consumers.delivery.stock import Stock
from consumers.delivery.waits import Waits

FAILS_ALONE = "it fails alone, others do not"


class Answered(Struct, frozen=True, gc=False):
    """Facts that are the same for every record of a batch."""

    batch_size: int
    status: int | None
    now: float


class Settling:
    def __init__(
        self, destination: Destination, pace: Pace, line: Line, stock: Stock, waits: Waits
    ) -> None:
        self._judging = Judging(destination, pace)
        self._pace = pace
        self._policy = destination.limits.policy
        self._line = line
        self._stock = stock
        self._waits = waits

    def settle(self, batch: Batch, reply: Reply | Unsendable, now: float) -> Verdict:
        """Act on the destination's reply; returns the verdict, for the metrics."""
        verdict = self._judging.judge(batch, reply, now)
        for identity, hold in verdict.holds.items():
            self._waits.hold(identity, hold.until(now), hold.reason, now)
        answered = None
        if not verdict.is_all_delivered:
            status = reply.status if isinstance(reply, Response) else None
            answered = Answered(len(batch.encoded), status, now)
        index = 0
        for lane, part in batch.parts:
            if lane.offsets.is_ours:
                if answered is None:
                    lane.delivered(now)
                    self._stock.done(lane.offsets, part)
                else:
                    self._settle_part(lane, tuple(part), index, verdict, answered, now)
                self._go_on(lane, now)
            else:  # Revoked while it was in flight: only its bytes are still counted.
                self._stock.forget(part)
            index += len(part)
        return verdict

    def _go_on(self, lane: Lane, now: float) -> None:
        """What waits in the lane may be sent now, or has to be parked."""
        if lane.waiting:
            keys = lane.may_be_free.to_see(lane.waiting, self._waits.clocks.ended)
            lane.release(keys, self._waits.is_held)
            self._waits.set_aside(lane, now)
        self._line.enter(lane)

    def _settle_part(
        self,
        lane: Lane,
        entries: tuple[Entry, ...],
        first: int,  # The index of the first of these entries in the batch.
        verdict: Verdict,
        answered: Answered,
        now: float,
    ) -> None:
        lane.replied(now)
        tried(entries)
        left: list[Entry] = []
        for index, entry in enumerate(entries, first):
            outcome = verdict.but.get(index, verdict.rest)
            left += self._follow(lane, entry, outcome, answered)
        # All entries of a key or none: held entries must not be older than queued ones.
        stopped = {entry.encoded.key for entry in left if self._waits.is_held(entry)}
        stopped.update(lane.waiting)
        lane.wait_first([entry for entry in left if entry.encoded.key in stopped])
        again = [entry for entry in left if entry.encoded.key not in stopped]
        # Halves are lost when entries are held. A hold that names nobody may be meant for one.
        may_be_one = answered.batch_size > 1 or lane.sought > 0
        if isinstance(verdict.rest, Split | Hold) and len(again) < len(left) and may_be_one:
            lane.seek(len(left))
        if isinstance(verdict.rest, Hold) and answered.batch_size == 1:
            left[0].failed_after = self._judging.deliveries  # From now on it is sent alone.
        self._put_back(lane, again, verdict, now)

    def _put_back(self, lane: Lane, again: list[Entry], verdict: Verdict, now: float) -> None:
        match verdict.rest:
            case Split():
                lane.split(again)
            case Retry() if again:
                lane.retry(again, now, self._pace.backoff)
            case Pause():
                lane.paused(again)
            case Resend() if verdict.but:
                lane.resend(again)
            case _:
                lane.answered(again)

    def _follow(
        self, lane: Lane, entry: Entry, outcome: Outcome, answered: Answered
    ) -> Sequence[Entry]:
        """Apply the outcome; returns the entries to send again, now or later."""
        if entry.parts and not isinstance(outcome, Delivered | Skip):
            return self._taken_apart(entry, outcome, answered)
        is_alone = answered.batch_size == 1
        match outcome:
            case Delivered() | Skip():
                self._stock.done(lane.offsets, (entry,))
                return ()
            case Reject(reason, detail):
                return self._dies(entry, reason, detail, answered)
            case Split(reason, detail) if is_alone:
                return self._dies(entry, reason, detail, answered)
            case Retry(reason) | Pause(reason, may_be_content=True) if is_alone:
                if reason != THROTTLED and self._is_poison(entry, outcome):
                    return self._dies(entry, reason, FAILS_ALONE, answered)
                self._let_others_go_first(entry, outcome, answered.now)
            case Hold() as hold:
                self._hold(entry, hold, answered.now)
            case Resend():
                return (entry,)
            case Split() | Retry() | Pause():
                pass
            case unknown:
                assert_never(unknown)
        entry.first_failed_at = entry.first_failed_at or answered.now
        entry.status = answered.status
        return (entry,)

    def _dies(self, entry: Entry, reason: str, detail: str, answered: Answered) -> Sequence[Entry]:
        self._stock.dead_letter(entry, reason, detail, answered.now, answered.status)
        return ()

    def _taken_apart(self, entry: Entry, outcome: Outcome, answered: Answered) -> Sequence[Entry]:
        """Merged records are sent again as they were read; alone, if one of them may be bad."""
        if isinstance(outcome, Hold):
            self._hold(entry, outcome, answered.now)
        is_alone = answered.batch_size == 1 and isinstance(outcome, Split | Retry | Pause)
        is_suspect = is_alone or isinstance(outcome, Reject)
        for part in entry.parts:
            part.merges = part.merges and not is_suspect
            part.first_failed_at = part.first_failed_at or answered.now
            part.status = answered.status
        return entry.parts

    def _is_poison(self, entry: Entry, outcome: Retry | Pause) -> bool:
        """Whether a record failed alone too often while others succeeded.

        Where most fail for a cause that may pass, it says nothing that this one does, too.
        """
        deliveries, lead = self._judging.deliveries, self._judging.lead
        is_usual = isinstance(outcome, Pause) or lead >= entry.lead
        entry.lone_failures += is_usual and 0 <= entry.failed_after < deliveries
        entry.failed_after, entry.lead = deliveries, lead
        return entry.lone_failures >= self._policy.lone_failures_max

    def _let_others_go_first(self, entry: Entry, outcome: Retry | Pause, now: float) -> None:
        """Hold the key of a record that failed alone, to see whether others succeed."""
        seconds = self._pace.backoff(entry.attempts)
        if isinstance(outcome, Pause):  # The next probe is another key's.
            seconds = self._pace.probe_seconds(now) + min(seconds, self._policy.lone_seconds_max)
        elif entry.lone_failures > 0:
            seconds = max(seconds, self._pace.lone_backoff(entry.lone_failures))
        self._waits.hold(Id("key", entry.encoded.key), now + seconds, outcome.reason, now)

    def _hold(self, entry: Entry, hold: Hold, now: float) -> None:
        """Whose hold it is that the destination asked for by a record's index."""
        clocks = self._waits.clocks
        named = next((one for one in entry.ids[1:] if clocks.of(one)), entry.ids[0])
        self._waits.hold(named, hold.until(now), hold.reason, now)
