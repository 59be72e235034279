"""One vendor, one file: its `destinations` is what the registry names (schemas/vendors)."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pkgutil import resolve_name
from typing import TypeAlias

from consumers.delivery.destination import Destination
from consumers.destinations.filters import Filtered
from consumers.destinations.planned import OnViolation, Planned
from consumers.destinations.shaping.functions import Function, function_of
from consumers.destinations.shaping.shaped import shaped
from schemas.configuration.config import Config, ConfigError
from schemas.plans.checking import classified, held
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
    dropped: Sequence[str] = (),
) -> Sequence[Destination]:
    """The parts of one configured destination; `ConfigError` if its function cannot be used.

    `among` are all configured ones: a record that this one does not want may be another's.
    """
    function = function_of(config)
    if function is not None:
        function = watch(config.name, function)
    others = others_of(config, among)
    return [
        Filtered(part, config, others, shaped(part, config, function, dropped))
        for part in parts_of(config)
    ]


def others_of(
    config: ConfiguredDestination, among: Sequence[ConfiguredDestination]
) -> Sequence[ConfiguredDestination]:
    """Those that may want what this one does not; none, where it wants everything."""
    if config.sources is None and not config.where:
        return ()
    return [other for other in among if other.type == config.type and other != config]


def destinations_in(
    config: Config,
    configured: ConfiguredDestination,
    watch: Watch = lambda _name, function: function,
    on_violation: OnViolation = lambda _record, _violation: None,
) -> Sequence[Destination]:
    """As `destinations_of`, with the plans of the configuration."""
    dropped = dropped_of(config, configured)
    parts = destinations_of(configured, config.destinations, watch, dropped)
    if (plan := held(config.delivery)) is None:
        return parts
    return [Planned(part, plan, on_violation) for part in parts]


def dropped_of(config: Config, configured: ConfiguredDestination) -> Sequence[str]:
    """What `drop_classified` means by the plans; `ConfigError` without one."""
    if not configured.drop_classified:
        return ()
    if not any(one.plan for one in (config.delivery, *config.sources)):
        raise ConfigError(
            f"destination {configured.name}: drop_classified needs a plan, which has the classes:"
            " that of a source, or of [delivery]"
        )
    return tuple(classified(config, configured.drop_classified))
