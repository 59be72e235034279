"""One vendor, one file: its `destinations` is what the registry names (schemas/vendors)."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pkgutil import resolve_name
from typing import TypeAlias

from consumers.delivery.destination import Destination
from consumers.destinations.filters import Filtered
from consumers.destinations.shaping.functions import Function, function_of
from consumers.destinations.shaping.shaped import shaped
from schemas.vendors import vendor_of
from schemas.vendors.vendor import ConfiguredDestination

Watch: TypeAlias = Callable[[str, Function], Function]  # Of a destination's name.


def parts_of(config: ConfiguredDestination) -> Sequence[Destination]:
    """One for each topic that it reads; what it wants and changes of the records is left out."""
    build: Callable[[ConfiguredDestination], Sequence[Destination]]
    build = resolve_name(vendor_of(config).destinations)
    found = build(config)
    if config.concurrency is not None:
        for destination in found:
            destination.limits = replace(destination.limits, concurrency=config.concurrency)
    return found


def destinations_of(
    config: ConfiguredDestination,
    among: Sequence[ConfiguredDestination] = (),
    watch: Watch = lambda _name, function: function,
) -> Sequence[Destination]:
    """The parts of one configured destination; `ConfigError` if its function cannot be used.

    `among` are all configured ones: a record that this one does not want may be another's.
    """
    function = function_of(config)
    if function is not None:
        function = watch(config.name, function)
    others = [other for other in among if other.type == config.type and other != config]
    return [
        Filtered(part, config, others, shaped(part, config, function)) for part in parts_of(config)
    ]
