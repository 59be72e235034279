"""What a reply says: about single records, about the whole batch, or about the destination."""

from consumers.delivery.batch import Batch
from consumers.delivery.border import judge
from consumers.delivery.destination import Destination, Reply, Unsendable
from consumers.delivery.outcomes import Delivered, Pause, Reject, Retry, Split, Verdict
from consumers.delivery.pace import TOO_MANY_REJECTS, Pace
from consumers.delivery.run import Run


class Judging:
    def __init__(self, destination: Destination, pace: Pace) -> None:
        self._destination = destination
        self._pace = pace
        self._refusals_max = destination.limits.policy.refusals_max
        self._refusals = 0  # In a row; the cause may be the records or all of them.
        self.deliveries = 0  # How many batches were delivered,
        self.lead = 0  # and by how many that is more than failed for a cause that may pass.

    def judge(self, batch: Batch, reply: Reply | Unsendable, now: float) -> Verdict:
        """The destination's verdict; a pause instead where too many records are rejected.

        The pace is adjusted to it.
        """
        verdict = judge(self._destination, reply, batch.encoded)
        if isinstance(reply, Unsendable):
            return verdict  # Nothing was sent, so the pace does not change.
        rest, batch_size = verdict.rest, len(batch.encoded)
        if verdict.is_all_delivered:
            self._refusals = 0
            self._pace.judged(batch_size, rejected=0)
            self._pace.answered(now - batch.sent_at, now)
            self.deliveries += 1
            self.lead += 1
            return verdict
        if isinstance(rest, Pause) and self._may_be_these(batch, rest):
            # Other batches succeed: search for the bad record instead of pausing the destination.
            return Verdict(Split(rest.reason)) if batch_size > 1 else verdict
        rejected = _rejected(verdict, batch_size)
        was_paused = self._pace.paused
        if (rejected or isinstance(rest, Delivered)) and self._pace.judged(batch_size, rejected):
            pause = Pause(TOO_MANY_REJECTS)
            self._pace.failed(pause, now)
            # A probe is one record, and may be rejected. A whole batch is kept until a probe
            # succeeds.
            return verdict if was_paused == TOO_MANY_REJECTS else Verdict(pause)
        match rest:
            case Retry() | Pause():
                self._pace.failed(rest, now)
                self.lead -= isinstance(rest, Retry)
            case _:
                self._refusals = 0
                self._pace.answered(now - batch.sent_at, now)
                is_delivered = isinstance(rest, Delivered)
                self.deliveries += is_delivered
                self.lead += is_delivered
        if isinstance(rest, Split) and rest.is_size:
            self._pace.too_large(batch.size, now)
        return verdict

    def _may_be_these(self, batch: Batch, pause: Pause) -> bool:
        """Whether these records are the likelier cause of a refusal: others succeeded just before.

        After several refusals in a row, the cause is the destination or its configuration.
        """
        if not pause.may_be_content:
            return False
        if _is_suspect(batch):
            return True
        if self._pace.paused is not None or self.deliveries == 0:
            return False
        self._refusals += 1
        return self._refusals < self._refusals_max


def _rejected(verdict: Verdict, batch_size: int) -> int:
    rejected = sum(isinstance(outcome, Reject) for outcome in verdict.but.values())
    if isinstance(verdict.rest, Reject) or (isinstance(verdict.rest, Split) and batch_size == 1):
        rejected += batch_size - len(verdict.but)
    return rejected


def _is_suspect(batch: Batch) -> bool:
    """Whether the batch is a single record that failed alone before, while others succeeded."""
    [(_, entries), *others] = batch.parts
    if others or isinstance(entries, Run) or len(entries) != 1:
        return False
    return entries[0].lone_failures > 0
