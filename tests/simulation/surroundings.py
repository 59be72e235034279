"""What a simulated process needs of its world."""

from collections.abc import Callable
from random import Random
from typing import TYPE_CHECKING, Protocol

from consumers.delivery.destination import (
    Limits,
    Reply,
    Request,
)
from consumers.delivery.lanes import Letter
from schemas.records import TopicPartition
from tests.simulation.far_end import Origin
from tests.simulation.faults import Faults
from tests.simulation.log import Log
from tests.simulation.poison import Poisoned
from tests.simulation.subjects import Subject
from tests.simulation.suppressing import Suppressing

if TYPE_CHECKING:
    from tests.simulation.process import Process


class Written(Protocol):
    """What a process writes into other topics."""

    def write_dead(self, letter: Letter, on_ended: Callable[[], None]) -> None: ...
    def dead_lettered(self, letter: Letter) -> None: ...
    def has_parked(self, process: "Process", letter: Letter) -> None: ...


class Surroundings(Protocol):
    """What a process needs to know of its world."""

    now: float
    wall_ahead: float
    random: Random
    faults: Faults
    log: Log
    subject: Subject
    lost: set[str]
    origins: dict[str, Origin]
    destination: Poisoned
    limits: Limits
    memory: int
    parks: bool

    @property
    def shell(self) -> object: ...
    @property
    def suppressing(self) -> Suppressing: ...
    @property
    def letters(self) -> "Written": ...

    def later(self, seconds: float, action: Callable[[], None]) -> None: ...
    def carry(
        self, process: "Process", request: Request, settle: Callable[[Reply], None]
    ) -> None: ...
    def failed(self, process: "Process", error: BaseException) -> None: ...
    def reads_anew(self, place: TopicPartition, offset: int) -> None: ...
