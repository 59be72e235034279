"""The figures of all processes together: gauges summed, and by how much counters have grown. Pure.

A counter begins at 0 when its process starts again, so each process is compared with itself, and
the growth is added up: the sum never goes back.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ampgate.console.figures.exposition import Labels, Sample

Key = tuple[str, Labels]


@dataclass(slots=True)
class Totals:
    """`grown` is what counters have grown by since the console began to look."""

    grown: defaultdict[Key, float] = field(default_factory=lambda: defaultdict(float))
    counted: dict[Key, float] = field(default_factory=dict)  # Since the processes' own start.
    gauges: dict[Key, float] = field(default_factory=dict)
    _before: dict[str, dict[Key, float]] = field(default_factory=dict)

    def take(self, processes: Mapping[str, Sequence[Sample]]) -> None:
        """The newest samples of each process that answered, by its address."""
        counted: defaultdict[Key, float] = defaultdict(float)
        gauges: defaultdict[Key, list[float]] = defaultdict(list)
        for address, samples in processes.items():
            before, now = self._before.get(address), dict[Key, float]()
            for one in samples:
                key = (one.name, one.labels)
                if not is_counter(one.name):
                    gauges[key].append(one.value)
                    continue
                now[key] = one.value
                counted[key] += one.value
                if before is not None:
                    self.grown[key] += growth(before.get(key, 0.0), one.value)
            self._before[address] = now
        self.counted = dict(counted)
        self.gauges = {key: joined(key[0], values) for key, values in gauges.items()}
        for gone in self._before.keys() - processes.keys():
            del self._before[gone]


def growth(before: float, now: float) -> float:
    """A smaller value is of a process that has started again."""
    return now - before if now >= before else now


def joined(name: str, values: Sequence[float]) -> float:
    """Ages and flags of several processes: the greatest; times since which: the earliest."""
    if name.endswith("_since_timestamp_seconds"):
        return min((one for one in values if one), default=0.0)
    if name.endswith(("_seconds", "_paused", "_failing")):
        return max(values)
    return sum(values)


def is_counter(name: str) -> bool:
    return name.endswith(("_total", "_count", "_sum"))
