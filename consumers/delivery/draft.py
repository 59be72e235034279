"""What one lane gives to a batch, within the limits of the whole batch."""

from itertools import islice

from consumers.delivery.blocked import Blocked, MustWait
from consumers.delivery.entry import Entry
from consumers.delivery.lanes import Lane
from consumers.delivery.run import Run
from schemas.suppressions import Suppressions


class Draft:
    def __init__(
        self,
        room: int,
        bytes_left: int,
        keys: dict[str, Entry],
        has_others: bool,
        suppressed: Suppressions | None,  # None: nobody is.
    ) -> None:
        self.room = room
        self.bytes_left = bytes_left
        self.keys = keys  # Limits of the whole batch.
        self.own: dict[str, int] = {}  # Index in `taken`, by key of this lane.
        self.has_others = has_others
        self.taken: list[Entry] = []
        self.is_full = False
        self.dropped: list[Entry] = []
        self.suppressed = suppressed

    def fits(self, entry: Entry) -> bool:
        """Whether it fits; the first of a batch always does, or it could never be sent."""
        if not (self.taken or self.has_others):
            return True
        return len(entry.encoded.body) + 1 <= self.bytes_left

    def take(self, entry: Entry, *, one_per_key: bool) -> None:
        if one_per_key:
            self.keys[entry.encoded.key] = entry
            self.own[entry.encoded.key] = len(self.taken)
        self.taken.append(entry)
        self.bytes_left -= len(entry.encoded.body) + 1

    def take_plain(self, lane: Lane, at_most: int, must_wait: MustWait | None) -> int:
        """Take entries, and hold held ones, up to the first that failed, is over a limit, or is to
        be dropped; returns how many left the queue.

        Most records are drawn here: a loop with more conditions costs twice as much.
        """
        queue, taken, before = lane.queue, self.taken, len(lane.queue)
        if self.suppressed is not None:
            user_ids = [entry.encoded.user_id for entry in islice(queue, at_most)]
            at_most = next(iter(self.suppressed.among(user_ids)), at_most)
        bytes_left = self.bytes_left
        for _ in range(at_most):
            entry = queue[0]
            if must_wait is not None and must_wait(entry):
                lane.wait(queue.popleft())
                continue
            size = len(entry.encoded.body) + 1
            if size > bytes_left or entry.failed_after >= 0:
                break
            taken.append(queue.popleft())
            bytes_left -= size
        self.bytes_left = bytes_left
        return before - len(queue)

    def take_run(self, lane: Lane, blocked: Blocked | None) -> Run | None:
        """The head of a lane whose records are all runs, but those of it that must wait.

        None where there is none, or where its records have to be looked at one by one.
        """
        taken: Run | None = None
        room = self.room
        while room > 0 and lane.runs:
            run = lane.take_run(room)
            waiting = None if blocked is None else blocked.among(lane, run)
            free = run if waiting is None else run.only([not waits for waits in waiting])
            size = free.body_bytes
            if size > self.bytes_left or (
                self.suppressed is not None and self.suppressed.among(free.encoded.user_ids)
            ):
                lane.put_run_back(run)
                break
            if waiting is not None:
                for entry in run.only(waiting):
                    lane.wait(entry)
            if free:
                taken = free if taken is None else taken.followed_by(free)
                room -= len(free)
                self.bytes_left -= size
        return taken

    def replace(self, first: Entry, together: Entry, growth: int) -> None:
        key = first.encoded.key
        self.taken[self.own[key]] = together
        self.keys[key] = together
        self.bytes_left -= growth
