"""Amplitude as its readers see it: with so many members in its cohort, and all that it accepts."""

from ampgate.lab.simulators.amplitude import Amplitude
from ampgate.lab.simulators.amplitude_project import AmplitudeOptions
from ampgate.lab.simulators.reads.cohorts import SIZE
from ampgate.lab.simulators.reads.side import AmplitudeReadOptions


def simulated(accepted_keys: frozenset[str] | None, size: int | None = None) -> Amplitude:
    members = SIZE if size is None else size
    return Amplitude(
        AmplitudeOptions(accepted_keys=accepted_keys),
        AmplitudeReadOptions(accepted_keys=accepted_keys, members=members),
        kind="amplitude-read",
    )
