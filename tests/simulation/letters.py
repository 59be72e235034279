"""What the processes of a world write of its records into other topics."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from consumers.delivery.entry import Entry
from consumers.delivery.lanes import Letter
from consumers.kafka.letter_forms import reference, whole
from schemas.records import RawRecord, TopicPartition
from tests.simulation.log import TOPIC
from tests.simulation.outcome import check_dead_letter, check_form
from tests.simulation.process import Process
from tests.simulation.subjects import NAME

if TYPE_CHECKING:
    from tests.simulation.world import World

LARGE_EVERY = 5  # Of so many records one is too large to be parked as it is.


class Letters:
    def __init__(self, world: "World") -> None:
        self._world = world

    def name_of(self, entry: Entry) -> str:
        record = entry.record
        assert record.topic == TOPIC, "a letter tells where the original was"
        return self._world.log.names[record.partition, record.offset, record.timestamp]

    def write_dead(self, letter: Letter, on_ended: Callable[[], None]) -> None:
        """By the product's own code, into a topic that does not take everything."""

        def ended(form: RawRecord | None) -> None:
            if form is None:
                assert not letter.entry.offsets.is_ours, "a dead letter was not written"
            else:
                check_form(form, letter)
                self.dead_lettered(letter)
            on_ended()

        assert self._world.shell is not None
        self._world.shell.dead_letters.write(letter, ended)

    def dead_lettered(self, letter: Letter) -> None:
        world, name = self._world, self.name_of(letter.entry)
        world.dead[name] = letter.reason
        if name not in world.lost:
            check_dead_letter(world, name, letter)

    def has_parked(self, process: Process, letter: Letter) -> None:
        """Another owner may have sent the record meanwhile, and will read it here again."""
        world = self._world
        record, name = letter.entry.record, self.name_of(letter.entry)
        form = reference(letter, NAME) if record.offset % LARGE_EVERY == 0 else whole(letter, NAME)
        wall = world.now + world.wall_ahead
        world.log.park(record.partition, form.key, form.value, name, form.headers, wall)
        may_commit = world.group.may_commit(process, TopicPartition(TOPIC, record.partition))
        # It may also have lost the partition in between, and have it again.
        if not (may_commit and letter.entry.offsets.is_ours):
            world.far_end.may_repeat[name] += 1
