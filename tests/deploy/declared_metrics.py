"""Every metric that the code declares: its type, its labels, and what it says of itself."""

from dataclasses import dataclass

from prometheus_client import REGISTRY, CollectorRegistry, Counter, Gauge, Histogram

import consumers.metrics
import consumers.withheld
import gateway.pulls.metrics
from ampgate.reconcile.metrics import Metrics as Reconciliation
from gateway.edge.metrics import Metrics as Edge

assert consumers.metrics, "it declares its metrics when it is imported"
assert consumers.withheld, "as above"
assert gateway.pulls.metrics, "as above"


@dataclass(frozen=True, slots=True)
class Declared:
    name: str
    type: str
    labels: tuple[str, ...]
    says: str


def declared() -> dict[str, Declared]:
    """By the name that queries use."""
    registries = (Edge(lambda: 0).registry, REGISTRY, Reconciliation().registry)
    found = [one for registry in registries for one in _of(registry)]
    return {metric.name: metric for metric in found if metric.name.startswith("ampgate_")}


def queryable() -> set[str]:
    """All names that a query may use: a histogram has three."""
    names: set[str] = set()
    for metric in declared().values():
        suffixes = ("_bucket", "_sum", "_count") if metric.type == "histogram" else ("",)
        names |= {metric.name + suffix for suffix in suffixes}
    return names


def _of(registry: CollectorRegistry) -> list[Declared]:
    found = []
    for collector in registry._collector_to_names:
        if not isinstance(collector, Counter | Gauge | Histogram):
            continue
        [family] = collector.describe()
        name = family.name + "_total" if family.type == "counter" else family.name
        found.append(
            Declared(name, family.type, tuple(collector._labelnames), family.documentation)
        )
    return found
