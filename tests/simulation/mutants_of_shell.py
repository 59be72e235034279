"""Mutants in reading, committing, letters, draining and restarts."""

from collections.abc import Sequence

from tests.simulation.mutant import Mutant

MUTANTS: Sequence[Mutant] = (
    Mutant(
        "dead before the dead letter topic has it",
        "delivery.stock",
        "        entry.status = status\n        self.dead.append(",
        "        entry.status = status\n        entry.offsets.settle((entry.offset,))\n"
        "        self.dead.append(",
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
        "numbers go on after a batch that failed for good",
        "schemas.kafka.numbering",
        "        self._epoch += 1\n        self._next = 0\n",
        "",
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
        "the limit of memory is ignored",
        "delivery.stock",
        "        self.forget(entries)\n        if entries",
        "        if entries",
    ),
    Mutant(
        "the span is ignored",
        "delivery.stock",
        "            and (offsets.is_full(span_max) or",
        "            and (offsets.span < 0 * span_max or",
    ),
    Mutant(
        "parked keys are forgotten after a crash",
        "delivery.intake",
        "            if letter is None:",
        "            if True:",
    ),
    Mutant(
        "others' parked records are taken for ours",
        "schemas.letters",
        '    if given.get("destination") != destination or not origin',
        "    if not origin",
    ),
    Mutant(
        "what was too large to be parked is taken without its bytes",
        "delivery.intake",
        "            is_whole = not is_reference(record)",
        "            is_whole = True",
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
        "what took the place of lost records is not read",
        "kafka.epochs",
        "        cut = await self._cut(place, found.position, found.last_epoch)",
        "        cut = None",
    ),
    Mutant(
        "a log that ends before our position is read from its beginning",
        "kafka.epochs",
        "        cut = await self._cut(place, *found[0]) if found else None",
        "        cut = None",
    ),
    Mutant(
        "what has the offset of a parked record now is sent in its place",
        "kafka.letter_forms",
        "    return accepted_at is None or found",
        "    return True or found",
    ),
)
