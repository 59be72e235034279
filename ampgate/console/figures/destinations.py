"""What all processes and Kafka say of each destination, brought together. Pure."""

from collections import defaultdict
from collections.abc import Mapping

from ampgate.console.figures import series
from ampgate.console.figures.figures import Figures
from ampgate.console.figures.forecast import SLOPE_SECONDS, forecast
from ampgate.console.figures.names import LOST, OLDEST, PAUSED, PAUSED_SINCE, WAITING
from ampgate.console.words import OF_A_KEY, Destination
from schemas.vendors import vendor_of

RATE_LOOKS = 6  # Half a minute: a batch comes in one look, and none in the next.
Gauges = Mapping[str, Mapping[str, Mapping[str, float]]]  # By destination and metric, by a label.


def destinations_of(figures: Figures, now: float) -> list[Destination]:
    """All that are configured, in the file's order."""
    gauges = _by_destination(figures)
    history, stored = figures.history, figures.stored
    found: list[Destination] = []
    for configured in figures.config.destinations:
        name = configured.name
        own = gauges.get(name, {})
        waiting = {reason: int(count) for reason, count in own.get(WAITING, {}).items()}
        oldest = max(own.get(OLDEST, {}).values(), default=0.0)
        waits = series.of(series.WAITS, name)
        paused = sorted(
            (reason for reason, flag in own.get(PAUSED, {}).items() if flag),
            key=lambda reason: (reason not in OF_A_KEY, reason),  # The first is to be mended.
        )
        found.append(
            Destination(
                name,
                vendor_of(configured).title,
                WAITING in own,
                paused=paused[0] if paused else None,
                paused_since=next(iter(own.get(PAUSED_SINCE, {}).values()), 0.0) or None,
                waiting=waiting,
                unread=stored.unread.get(name, 0),
                oldest_seconds=oldest,
                retention_seconds=stored.retention_seconds,
                delivered_rate=history.mean(series.of(series.DELIVERED, name), RATE_LOOKS),
                dead_rate=history.mean(series.of(series.DEAD, name), RATE_LOOKS) or 0.0,
                lost=int(sum(own.get(LOST, {}).values())),
                forecast=forecast(
                    sum(waiting.values()),
                    None if paused else history.slope(waits, SLOPE_SECONDS),
                    oldest,
                    stored.retention_seconds,
                    now,
                ),
            )
        )
    return found


def _by_destination(figures: Figures) -> Gauges:
    """The gauges' values by the label beside the destination's, and the lost by topic."""
    found: defaultdict[str, defaultdict[str, dict[str, float]]]
    found = defaultdict(lambda: defaultdict(dict))
    totals = figures.totals
    for (name, labels), value in [*totals.gauges.items(), *totals.counted.items()]:
        named = dict(labels)
        if "destination" in named and name in (WAITING, OLDEST, PAUSED, PAUSED_SINCE, LOST):
            rest = named.get("reason") or named.get("topic") or ""
            found[named["destination"]][name][rest] = value
    return found
