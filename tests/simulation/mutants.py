"""Engines that are broken on purpose: each must be noticed by some world, or the worlds are blind.

A mutant is a replacement in the source of one module, made as it is imported. So it runs in a
process of its own: `python -m tests.simulation.hunt NAME WORLDS`.
"""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Mutant:
    name: str
    module: str  # Of consumers, or of schemas by its whole name.
    old: str
    new: str
    kind: str | None = None  # Of destination, where only one kind can show it.
    also: Sequence[tuple[str, str]] = ()

    @property
    def module_name(self) -> str:
        return self.module if self.module.startswith("schemas.") else f"consumers.{self.module}"


MUTANTS: Sequence[Mutant] = (
    Mutant(
        "commits past the lowest unsettled",
        "delivery.offsets",
        "        return self._read[0] if self._read else self.read_to",
        "        return self.read_to",
    ),
    Mutant(
        "one key in two batches",
        "delivery.line",
        "                lane.sent()\n",
        "                pass\n",
    ),
    Mutant(
        "what goes again goes to the back",
        "delivery.lanes",
        "        self.queue.extendleft(reversed(entries))\n        if halved:",
        "        self.queue.extend(entries)\n        if halved:",
    ),
    Mutant(
        "holds are ignored",
        "delivery.waits",
        "        if key in lane.waiting or self.clocks.of(entry.ids):",
        "        if key in lane.waiting:",
    ),
    Mutant(
        "a hold is not taken to heart",
        "delivery.settling",
        "            self._waits.clocks.hold(identity, hold.until(now), hold.reason)\n"
        "        status",
        "            pass\n        status",
    ),
    Mutant(
        "the device's clock is ignored",
        "delivery.lanes",
        '        ids.append(Id("device", encoded.device_id))',
        "        pass",
        "events",
    ),
    Mutant(
        "resent counts as delivered",
        "delivery.settling",
        "            case Resend():\n                return (entry,)",
        "            case Resend():\n                self._stock.done(lane.offsets, (entry,))\n"
        "                return ()",
    ),
    Mutant(
        "dead before the dead letter topic has it",
        "delivery.stock",
        "        entry.status = status\n        self.dead.append(",
        "        entry.status = status\n        entry.offsets.settle((entry.offset,))\n"
        "        self.dead.append(",
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
        "a lone split goes again for ever",
        "delivery.settling",
        "            case Split(reason, detail) if is_alone:",
        "            case Split(reason, detail) if False:",
    ),
    Mutant(
        "what one worker raises ends all",
        "supervision",
        "            return error\n",
        "            raise\n",
    ),
    Mutant(
        "a worker that failed is not started again",
        "supervision",
        "            if error is None:",
        "            if True:",
    ),
    Mutant(
        "a worker that failed is started again at once",
        "supervision",
        "                async with asyncio.timeout(seconds):",
        "                async with asyncio.timeout(0.0):",
    ),
    Mutant(
        "a dead letter too large for its topic is tried again as it is",
        "kafka.letters",
        "                form = cut(original, ",
        "                cut(original, ",
    ),
    Mutant(
        "a dead letter that Kafka refuses is tried again as it is",
        "kafka.letters",
        "                form = bare(original)",
        "                pass",
    ),
    Mutant(
        "a cut letter does not say that it is cut",
        "schemas.truncation",
        "    return RawRecord(key, value, [*headers, truncated(record.value)])",
        "    return RawRecord(key, value, headers)",
    ),
    Mutant(
        "new requests go out during a drain",
        "drain",
        "        return self._drains == 0 and not self.is_stopping",
        "        return not self.is_stopping",
    ),
    Mutant(
        "revoked entries settle",
        "delivery.settling",
        "            if lane.offsets.is_ours:\n                self._settle_part",
        "            if True:\n                self._settle_part",
    ),
    Mutant(
        "the limit of records is ignored",
        "delivery.line",
        "        while left and len(draft.taken) < room:",
        "        while left:",
    ),
    Mutant(
        "the limit of bytes is ignored",
        "delivery.line",
        "        return len(entry.encoded.body) + 1 <= self.bytes_left",
        "        return True",
    ),
    Mutant(
        "the limit of memory is ignored",
        "delivery.stock",
        "        self.forget(entries)\n        if entries",
        "        if entries",
    ),
    Mutant(
        "the span is ignored",
        "delivery.stock",
        "            if place.topic == topic and offsets.is_full(span_max)",
        "            if place.topic == topic and offsets.span < 0 * span_max",
    ),
    Mutant(
        "parked keys are forgotten after a crash",
        "delivery.intake",
        "            if letter.destination != self._destination.name or original",
        "            if True or letter.destination != self._destination.name or original",
    ),
    Mutant(
        "others' parked records are taken for ours",
        "delivery.intake",
        "            if letter.destination != self._destination.name or original.topic !=",
        "            if False and original.topic !=",
    ),
    Mutant(
        "what was too large to be parked is taken without its bytes",
        "delivery.intake",
        "            is_whole = not is_reference(record)",
        "            is_whole = True",
    ),
    Mutant(
        "later records overtake parked ones",
        "delivery.waits",
        "is_overtaking(key, entry.offset) if lane.is_parked else key in parked\n\n",
        "is_overtaking(key, entry.offset) if lane.is_parked else False\n\n",
    ),
    Mutant(
        "what was parked and not committed is sent twice",
        "delivery.intake",
        "                is_seen = seen is not None and seen.get(record.offset)",
        "                is_seen = False and seen.get(record.offset)",
        "aampe-events",
    ),
    Mutant(
        "what a former owner settled is sent again",
        "delivery.offsets",
        "        return offset < self.left_to and not (",
        "        return False and not (",
        "aampe-events",
    ),
    Mutant(
        "all that a former owner read counts as settled",
        "delivery.offsets",
        "        return offset < self.left_to and not (self._left and self._left[0][0] <= offset)",
        "        return offset < self.left_to",
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
        "sums are lost in a merge",
        "destinations.amplitude.property_merge",
        "    total = terms[0] + terms[1]",
        "    total = terms[1]",
        "identify",
    ),
    Mutant(
        "a merged record's hold is forgotten",
        "delivery.settling",
        "        if isinstance(outcome, Hold):\n",
        "        if False:\n",
        "identify",
    ),
    Mutant(
        "a Retry-After is ignored",
        "delivery.pace",
        "                self._wait.until = max(self._wait.until, now + (seconds or 0.0))",
        "                pass",
    ),
    Mutant(
        "a success ends the wait that was asked for",
        "delivery.pace",
        "            return  # It was sent before we were told to wait.",
        "            self._wait.until = 0.0",
    ),
    Mutant(
        "an unknown status is the record's fault",
        "destinations.answers",
        '        return Verdict(Pause(f"status_{status}", may_be_content=True))',
        '        return Verdict(Reject(f"status_{status}"))',
        also=(("import Pause, Retry, Verdict", "import Pause, Reject, Retry, Verdict"),),
    ),
    Mutant(
        "a sign-in page counts as Amplitude's success",
        "destinations.amplitude.answers",
        "            return code == 200\n    return False",
        "            return code == 200\n    return True",
    ),
    Mutant(
        "a failure in the body counts as Amplitude's success",
        "destinations.amplitude.answers",
        "            return code == 200\n",
        "            return True\n",
    ),
    Mutant(
        "a sign-in page counts as Aampe's success",
        "destinations.aampe.answers",
        "            return found is not NOT_JSON",
        "            return True",
        "aampe-events",
    ),
    Mutant(
        "one refused record is probed for ever",
        "delivery.settling",
        "                self._let_others_go_first(entry, outcome, answered.now)",
        "                pass",
    ),
    Mutant(
        "a lone failure counts though nobody else succeeds",
        "delivery.settling",
        "        entry.lone_failures += 0 <= entry.failed_after < self._judging.deliveries",
        "        entry.lone_failures += 1",
    ),
    Mutant(
        "rates are not kept",
        "delivery.rates",
        "                if due - now > self._slack:",
        "                if False:",
    ),
    Mutant(
        "too many rejects are nobody's concern",
        "delivery.pace",
        "        is_enough = self._rejected >= self._policy.rejects_min",
        "        is_enough = False",
    ),
    Mutant(
        "a success is sent again after many rejects",
        "delivery.pace",
        "        return rejected > 0 and is_enough",
        "        return is_enough",
        "identify",
    ),
    Mutant(
        "halves are forgotten while they wait",
        "delivery.settling",
        "                lane.seek(len(left))",
        "                pass",
    ),
    Mutant(
        "what encode raises ends the worker",
        "delivery.border",
        "        return unprocessable(error)",
        "        raise",
    ),
    Mutant(
        "what is raised where many are encoded ends the worker",
        "delivery.border",
        "            encoded = ()",
        "            raise",
    ),
    Mutant(
        "who shares a batch with an unsendable record dies with it",
        "delivery.border",
        "            return Verdict(Split(UNPROCESSABLE, detail))",
        "            return Verdict(Reject(UNPROCESSABLE, detail))",
    ),
    Mutant(
        "an answer that cannot be judged ends the worker",
        "delivery.border",
        '                return Verdict(Retry("unreadable_answer"))',
        "                raise",
    ),
    Mutant(
        "an impossible answer is believed",
        "delivery.border",
        '            return verdict if is_possible else Verdict(Retry("impossible_answer"))',
        "            return verdict",
    ),
    Mutant(
        "a merge that raises ends the worker",
        "delivery.border",
        "    except Exception:  # noqa: BLE001  See above.\n        return None",
        "    except ZeroDivisionError:\n        return None",
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
        "                lost.append(parked.unloaded.popleft())",
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
        "offsets without records at the end are never reached",
        "delivery.delivery",
        "        self._stock.offsets_from(place, offset).read((), offset)",
        "        pass",
    ),
    Mutant(
        "a cut log is read anew while something of it is unsettled",
        "delivery.stock",
        "        if offsets is not None and offsets.span > 0:",
        "        if False:",
    ),
    Mutant(
        "what is read anew of a cut log settles in the old offsets",
        "delivery.delivery",
        "            self._line.leave([place])",
        "            pass",
    ),
    Mutant(
        "a cut log is never read anew",
        "delivery.stock",
        "        self.committed[place] = 0\n        return True",
        "        return False",
    ),
    Mutant(
        "a note of more than there is is believed",
        "kafka.notes",
        "        return Committed(self.offset, None) if is_cut else self",
        "        return self",
    ),
    Mutant(
        "what has the offset of a parked record now is sent in its place",
        "kafka.letter_forms",
        "    return accepted_at is None or found",
        "    return True or found",
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
