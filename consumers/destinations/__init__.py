"""One vendor, one file: its `destinations` is what the registry names (schemas/vendors)."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pkgutil import resolve_name

from consumers.delivery.destination import Destination
from consumers.destinations.filters import Filtered
from schemas.vendors import vendor_of
from schemas.vendors.vendor import ConfiguredDestination


def destinations_of(
    config: ConfiguredDestination, among: Sequence[ConfiguredDestination] = ()
) -> Sequence[Destination]:
    """The parts of one configured destination: one for each topic that it reads.

    `among` are all configured ones: a record that this one does not want may be another's.
    """
    build: Callable[[ConfiguredDestination], Sequence[Destination]]
    build = resolve_name(vendor_of(config).destinations)
    found = build(config)
    if config.concurrency is not None:
        for destination in found:
            destination.limits = replace(destination.limits, concurrency=config.concurrency)
    others = [other for other in among if other.type == config.type and other != config]
    return [Filtered(destination, config, others) for destination in found]
