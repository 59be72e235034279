"""The lanes that have something to send, and how a batch is drawn from them."""

from collections import OrderedDict, defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from sys import maxsize
from zlib import crc32

from consumers.delivery import border
from consumers.delivery.batch import Batch, Drawn, Part, Parts
from consumers.delivery.blocked import Blocked, MustWait
from consumers.delivery.destination import Destination
from consumers.delivery.draft import Draft
from consumers.delivery.entry import Entry
from consumers.delivery.lanes import Lane
from consumers.delivery.offsets import Offsets
from consumers.delivery.run import Run
from schemas.records import TopicPartition
from schemas.suppressions import NOBODY, Suppressions

MERGED_MAX = 100  # Records merged into one: each is compared with all before it.


class Line:
    def __init__(self, destination: Destination, suppressed: Suppressions = NOBODY) -> None:
        self._suppressed = suppressed
        self._limits = destination.limits
        self._merge = destination.merge
        self._lanes: dict[TopicPartition, dict[int, Lane]] = {}  # By partition and number.
        # Idle lanes with entries. Where the first ones were deleted, a dict takes long to find the
        # first that is left: with thousands of lanes a tenth of the time of a delivery.
        self._ready: OrderedDict[Lane, None] = OrderedDict()

    def __iter__(self) -> Iterator[Lane]:
        return (lane for lanes in self._lanes.values() for lane in lanes.values())

    def of(self, place: TopicPartition) -> Collection[Lane]:
        """The lanes of a partition."""
        return self._lanes.get(place, {}).values()

    def __bool__(self) -> bool:
        return bool(self._ready)

    def add(self, entries: Sequence[Entry], place: TopicPartition, now: float) -> None:
        """Append entries to their lanes; all of them were read from `place`."""
        lanes = self._limits.lanes
        if lanes == 1:
            self._append(entries, place, 0, now)
            return
        by_number: defaultdict[int, list[Entry]] = defaultdict(list)
        for entry in entries:
            by_number[crc32(entry.encoded.key.encode()) % lanes].append(entry)
        for number, some in by_number.items():
            self._append(some, place, number, now)

    def add_run(self, run: Run, place: TopicPartition, now: float) -> None:
        """The same of a run, for a destination that has one lane a partition."""
        lane = self._lane(place, 0, run.offsets)
        lane.append_run(run, now + self._limits.linger_seconds)
        self.enter(lane)

    def _append(
        self, entries: Sequence[Entry], place: TopicPartition, number: int, now: float
    ) -> None:
        if not entries:
            return
        first = entries[0]
        lane = self._lane(place, number, first.offsets, is_parked=first.parked is not None)
        lane.append(entries, now + self._limits.linger_seconds)
        self.enter(lane)

    def _lane(
        self, place: TopicPartition, number: int, offsets: Offsets, *, is_parked: bool = False
    ) -> Lane:
        lanes = self._lanes.setdefault(place, {})
        lane = lanes.get(number)
        if lane is None:
            lane = lanes[number] = Lane(place, offsets, self._limits.policy, is_parked)
        return lane

    def enter(self, lane: Lane) -> None:
        """The lane is idle again, and may have something to send."""
        if lane.idle and lane.has_records:
            self._ready[lane] = None

    def leave(self, places: Iterable[TopicPartition]) -> list[Entry]:
        """Forget the lanes of these partitions; returns all that was in them."""
        left: list[Entry] = []
        for place in places:
            for lane in self._lanes.pop(place, {}).values():
                self._ready.pop(lane, None)
                lane.open(maxsize)
                for entries in (lane.queue, *lane.waiting.values()):
                    left.extend(entries)
        return left

    def due_at(self) -> float:
        return min(lane.due_at for lane in self._ready)

    def _due(self, now: float) -> Lane | None:
        """A lane that is due; it is the first from here on."""
        for index, lane in enumerate(self._ready):
            if lane.due_at <= now:
                if index > 0:
                    self._ready.move_to_end(lane, last=False)
                return lane
        return None

    @property
    def _is_full(self) -> bool:
        """Whether a whole request is queued: then no lane lingers for more."""
        if self._limits.linger_seconds == 0.0:
            return False
        queued = sum(lane.records for lane in self._ready if lane.failures == 0)
        return queued >= self._limits.records

    def draw_one(self, now: float) -> Batch | None:
        """The first entry of a lane that is due, while nothing is held or parked: the usual case
        where a request has one event. None: there is more to it, and `draw` says what is next.
        """
        first = next(iter(self._ready), None)
        if first is not None and first.due_at > now:
            first = self._due(now)
        if first is None or self._suppressed:
            return None
        entry = first.take_plain()
        if entry is None:
            return None
        del self._ready[first]
        return Batch(((first, (entry,)),), (entry.encoded,), 1, now)

    def draw(
        self,
        now: float,
        room: int,
        bytes_left: int,
        blocked: Blocked,
        *,
        is_calm: bool,
    ) -> Drawn | None:
        """None while no batch can be sent.

        While nothing is held or parked, only the entries of lanes that hold some are checked.

        The entries of suppressed users are dropped here, as all that is sent is drawn: what was
        queued, held or parked before its user was suppressed, too.
        """
        first = self._due(now)
        if first is None and not self._is_full:
            return None
        suppressed = self._suppressed or None
        parts: Parts = []
        dropped: list[Entry] = []
        drawn: list[Lane] = []
        keys: dict[str, Entry] = {}
        for lane in self._ready:
            in_backoff = lane.due_at > now + self._limits.linger_seconds
            if in_backoff or (parts and (lane.groups or lane.sought)):
                continue
            alone = bool(lane.groups or lane.sought)
            draft = Draft(room, bytes_left, keys, bool(parts), suppressed)
            part = self._part_of(lane, draft, blocked if lane.waiting or not is_calm else None)
            if part:
                parts.append((lane, part))
                room -= len(part)
                bytes_left = draft.bytes_left
                lane.sent()
            dropped += draft.dropped
            if part or not lane.has_records:
                drawn.append(lane)
            if room <= 0 or alone or draft.is_full:
                break
        for lane in drawn:
            del self._ready[lane]
        return Drawn(parts, [lane for lane in drawn if lane.idle], dropped)

    def _part_of(self, lane: Lane, draft: Draft, blocked: Blocked | None) -> Part:
        """What the lane gives to the batch; where nothing can be blocked, nobody is asked."""
        is_plain = not (lane.queue or lane.groups or lane.sought)
        if is_plain and (run := draft.take_run(lane, blocked)) is not None:
            return run
        self._take(lane, draft, None if blocked is None else blocked.one(lane))
        return tuple(draft.taken)

    def _take(self, lane: Lane, draft: Draft, must_wait: MustWait | None) -> None:
        left, suppressed = lane.begin_group(draft.room), draft.suppressed
        room = min(draft.room, lane.sought or draft.room)
        gone = most = 0
        while gone == most and not self._limits.one_per_key and left and len(draft.taken) < room:
            most = min(left, room - len(draft.taken))
            left -= (gone := draft.take_plain(lane, most, must_wait))
        while left and len(draft.taken) < room:
            entry = lane.queue[0]
            if suppressed is not None and entry.encoded.user_id in suppressed:
                draft.dropped.append(lane.queue.popleft())
            elif must_wait is not None and must_wait(entry):
                lane.wait(lane.queue.popleft())
            elif self._limits.one_per_key and entry.encoded.key in draft.keys:
                is_alone = lane.sought or entry.encoded.key in lane.waiting
                if is_alone or not self._join(draft, entry):
                    lane.wait(entry)
                lane.queue.popleft()
            elif entry.failed_after >= 0 and (draft.taken or draft.has_others):
                draft.is_full = True  # It is sent alone: others would be rejected together with it.
                break
            elif draft.fits(entry):
                draft.take(lane.queue.popleft(), one_per_key=self._limits.one_per_key)
                if entry.failed_after >= 0:
                    draft.is_full = True
                    left -= 1
                    break
            else:
                draft.is_full = True
                break
            left -= 1
        lane.end_group(left)

    def _join(self, draft: Draft, later: Entry) -> bool:
        """Merge it with the entry of its key in the draft, if the effect is exactly the same."""
        first = draft.keys[later.encoded.key]
        if self._merge is None or later.encoded.key not in draft.own:
            return False
        if not (first.merges and later.merges) or len(first.parts) >= MERGED_MAX:
            return False
        merged = border.merged(self._merge, first.encoded, later.encoded)
        if merged is None:
            return False
        growth = len(merged.body) - len(first.encoded.body)
        if growth > draft.bytes_left:
            return False
        parts = (*(first.parts or (first,)), later)
        together = Entry(
            first.record, first.offsets, first.offset, merged, first.size + later.size, parts=parts
        )
        draft.replace(first, together, growth)
        return True
