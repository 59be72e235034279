"""One vendor, one file; this is the table of them."""

from collections.abc import Sequence
from dataclasses import replace

from consumers.delivery.destination import Destination
from consumers.destinations.aampe import AampeEvents, AampeProperties
from consumers.destinations.amplitude import (
    AmplitudeEvents,
    AmplitudeGroupIdentifyAsEvents,
    AmplitudeIdentifyAsEvents,
)
from consumers.destinations.amplitude_forms import AmplitudeGroupIdentify, AmplitudeIdentify
from consumers.destinations.filters import Filtered
from schemas.configuration.config import AampeDestination, AmplitudeDestination


def destinations_of(
    config: AmplitudeDestination | AampeDestination,
    among: Sequence[AmplitudeDestination | AampeDestination] = (),
) -> Sequence[Destination]:
    """What one configured destination amounts to: one for each topic that it reads.

    `among` are all that are configured: what this one does not want, another may.
    """
    found: Sequence[Destination]
    match config:
        case AmplitudeDestination(user_properties_via="batch"):
            found = (
                AmplitudeEvents(config),
                AmplitudeIdentifyAsEvents(config),
                AmplitudeGroupIdentifyAsEvents(config),
            )
        case AmplitudeDestination():
            found = (
                AmplitudeEvents(config),
                AmplitudeIdentify(config),
                AmplitudeGroupIdentify(config),
            )
        case AampeDestination():
            found = (AampeEvents(config), AampeProperties(config))
    if config.concurrency is not None:
        for destination in found:
            destination.limits = replace(destination.limits, concurrency=config.concurrency)
    others = [other for other in among if other.type == config.type and other != config]
    return [Filtered(destination, config, others) for destination in found]
