"""An Amplitude project with both of its sides: what the one accepts, the other shows.

In reality they are at different hosts; here one process, at one address, is both.
"""

from collections.abc import Mapping

from ampgate.lab.simulators.amplitude_ingestion import Ingestion
from ampgate.lab.simulators.amplitude_project import AmplitudeOptions
from ampgate.lab.simulators.model import FAIR, Answer, Conditions, Received, Request, Violations
from ampgate.lab.simulators.reads.side import AmplitudeRead, AmplitudeReadOptions
from ampgate.lab.simulators.spool import Spool


def simulated(accepted_keys: frozenset[str] | None) -> "Amplitude":
    return Amplitude(
        AmplitudeOptions(accepted_keys=accepted_keys),
        AmplitudeReadOptions(accepted_keys=accepted_keys),
    )


class Amplitude:
    effects = frozenset(
        {
            *("throttle", "daily_quota", "silence", "reject", "max_body_bytes"),
            *("drop", "double", "late", "cut", "expire"),
        }
    )

    def __init__(
        self,
        options: AmplitudeOptions | None = None,
        read_options: AmplitudeReadOptions | None = None,
        kind: str = "amplitude",
    ) -> None:
        self.kind = kind
        self.accepted = Spool()  # Who calls `answer` puts there what was received.
        self._ingestion = Ingestion(options or AmplitudeOptions())
        self.read = AmplitudeRead(read_options, self.accepted, self._ingestion.properties)

    def reset(self) -> None:
        """A new project: nothing stored, nobody held."""
        self._ingestion.reset()
        self.accepted.clear()
        self.read.reset()

    @property
    def received(self) -> list[Received]:
        return self._ingestion.received

    @property
    def violations(self) -> Violations:
        return self._ingestion.violations

    def answer(self, request: Request, now: float, conditions: Conditions = FAIR) -> Answer:
        if self.read.reads(request.path):
            return self.read.answer(request, now, conditions)
        return self._ingestion.answer(request, now, conditions)

    def records(self, request: Request) -> list[dict[str, object]]:
        return self._ingestion.records(request)

    def properties(self, owner: Mapping[str, str]) -> dict[str, object] | None:
        """Of `user_id`, `device_id`, or `group_type` and `group_value`."""
        return self._ingestion.properties(owner)

    def stats(self) -> dict[str, object]:
        return {**self.read.stats(), **self._ingestion.stats()}
