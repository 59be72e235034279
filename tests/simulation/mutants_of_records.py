"""Mutants in the order of records, holds, parking and offsets."""

from collections.abc import Sequence

from tests.simulation.mutant import Mutant

MUTANTS: Sequence[Mutant] = (
    Mutant(
        "of a run, later records overtake those that wait",
        "delivery.blocked",
        "        return [key in first and first[key] <= position",
        "        return [position in found and first[key] <= position",
        "events",
    ),
    Mutant(
        "a run is sent although some of it must wait",
        "delivery.draft",
        "            waiting = None if blocked is None else blocked.among(lane, run)",
        "            waiting = None",
        "events",
    ),
    Mutant(
        "of a run that is sent, suppressed users are not dropped",
        "delivery.draft",
        "self.suppressed is not None and self.suppressed.among(free.encoded.user_ids)",
        "False",
        "events",
    ),
    Mutant(
        "a key that waits no more in a lane is looked at there",
        "delivery.lanes",
        "        self.may_be_free.keys.pop(key, None)\n",
        "",
    ),
    Mutant(
        "entries overtake the runs before them",
        "delivery.lanes",
        "        self.open(maxsize)\n        self.queue.extend(entries)",
        "        self.queue.extend(entries)",
        "events",
    ),
    Mutant(
        "what is left of a run is lost",
        "delivery.lanes",
        "            self.runs.appendleft(run.part(records_max, len(run)))",
        "            pass",
        "events",
    ),
    Mutant(
        "of suppressed users only the first of a batch is dropped",
        "delivery.line",
        "            if suppressed is not None and entry.encoded.user_id in suppressed:",
        "            if suppressed and not draft.dropped and entry.encoded.user_id in suppressed:",
    ),
    Mutant(
        "what is sent without a check is not dropped",
        "delivery.draft",
        "            at_most = next(iter(self.suppressed.among(user_ids)), at_most)",
        "            pass",
    ),
    Mutant(
        "what was dropped is not settled",
        "delivery.stock",
        "            self.done(entry.offsets, (entry,))\n        self._dropped",
        "            self.forget((entry,))\n        self._dropped",
    ),
    Mutant(
        "devices are suppressed, too",
        "delivery.line",
        "entry.encoded.user_id in suppressed",
        "entry.encoded.key in suppressed",
        "events",
    ),
    Mutant(
        "commits past the lowest unsettled",
        "delivery.offsets",
        "        return self._read[0] if self._read else self.read_to",
        "        return self.read_to",
    ),
    Mutant(
        "one key in two batches",
        "delivery.lanes",
        "        self.idle = False\n\n",
        "        pass\n\n",
        also=(("        self.idle = False\n        return", "        return"),),
    ),
    Mutant(
        "what goes again goes to the back",
        "delivery.lanes",
        "        self.queue.extendleft(reversed(entries))\n        if halved:",
        "        self.queue.extend(entries)\n        if halved:",
    ),
    Mutant(
        "holds are ignored",
        "delivery.blocked",
        "            if key in waiting or key in keys or encoded.user_id in users:",
        "            if key in waiting:",
    ),
    Mutant(
        "the device's clock is ignored",
        "delivery.blocked",
        "            if encoded.device_id in devices:",
        "            if False:",
        "events",
    ),
    Mutant(
        "parked before the topic has it",
        "delivery.waits",
        "                    self._stock.park(",
        "                    entry.offsets.settle((entry.offset,))\n"
        "                    entry.offsets = type(entry.offsets)(0)\n"
        "                    entry.offsets.is_ours = False\n"
        "                    self._stock.park(",
    ),
    Mutant(
        "the limit of records is ignored",
        "delivery.line",
        "        while left and len(draft.taken) < room:",
        "        while left:",
    ),
    Mutant(
        "the limit of bytes is ignored",
        "delivery.draft",
        "        return len(entry.encoded.body) + 1 <= self.bytes_left",
        "        return True",
    ),
    Mutant(
        "later records overtake parked ones",
        "delivery.blocked",
        "is_overtaking(key, entry.offset) if is_parked else key in parked\n\n",
        "is_overtaking(key, entry.offset) if is_parked else False\n\n",
    ),
    Mutant(
        "what a former owner settled is sent again",
        "delivery.offsets",
        "        return after == 0 or self._left[after - 1][1] < offset",
        "        return False",
        "aampe-events",
    ),
    Mutant(
        "all that a former owner read counts as settled",
        "delivery.offsets",
        "        return after == 0 or self._left[after - 1][1] < offset",
        "        return True",
    ),
    Mutant(
        "different users are merged",
        "delivery.line",
        "            elif self._limits.one_per_key and entry.encoded.key in draft.keys:",
        "            elif self._limits.one_per_key and draft.own:",
        "identify",
        also=(
            (
                "        first = draft.keys[later.encoded.key]",
                "        later.encoded.key = key = next(iter(draft.own)); first = draft.keys[key]",
            ),
            (
                "        merged = border.merged(self._merge, first.encoded, later.encoded)",
                "        merged = first.encoded",
            ),
        ),
    ),
    Mutant(
        "two of one user in a request",
        "delivery.line",
        "            elif self._limits.one_per_key and entry.encoded.key in draft.keys:",
        "            elif False:",
        "identify",
    ),
    Mutant(
        "merged past one that could not be",
        "delivery.line",
        "lane.sought or entry.encoded.key in lane.waiting",
        "lane.sought",
        "identify",
    ),
    Mutant(
        "a wait is as long as another process's clock says",
        "delivery.clocks",
        "    return min(until, now + max(0.0, meant))",
        "    return until",
    ),
    Mutant(
        "lost to retention and still waited for",
        "delivery.parking",
        "                lost.append(parked.take_first())",
        "                break",
    ),
    Mutant(
        "what retention deleted before it was read is not counted",
        "delivery.offsets",
        "        return sum(left) + (",
        "        return 0 * (",
    ),
    Mutant(
        "what a former owner settled counts as lost",
        "delivery.offsets",
        "before - max(first, self.left_to)) if",
        "before - first) if",
    ),
    Mutant(
        "what a former owner left unsettled does not count as lost",
        "delivery.offsets",
        "        return sum(left) + (",
        "        return 0 * sum(left) + (",
    ),
    Mutant(
        "an added partition is read at once",
        "delivery.moved",
        "        return self._after.keys() - self._parked.keys()",
        "        return set()",
    ),
    Mutant(
        "what was noted as settled ends the wait too early",
        "delivery.moved",
        "        return not self.left.unsettled or self.left.unsettled[0][0] >= end",
        "        return True",
    ),
    Mutant(
        "who is parked in another partition is overtaken",
        "delivery.moved",
        "        self._wait_behind(number, keys)",
        "        self._wait_behind(number, ())",
    ),
)
