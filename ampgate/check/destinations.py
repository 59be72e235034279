"""`ampgate check` of destinations: a request that stores nothing, and tests the key."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from pyreqwest.exceptions import PyreqwestError

from ampgate.check.finding import Finding
from ampgate.send.posting import cause_of
from consumers.delivery.border import judge
from consumers.delivery.destination import Destination, Encoded, Reply, Response, Unreachable
from consumers.delivery.outcomes import Pause, Retry
from consumers.destinations import dropped_of, parts_of
from consumers.destinations.shaping.functions import function_of
from consumers.http.replies import BODY_BYTES_MAX
from schemas.configuration.config import Config, ConfigError, Delivery, Source
from schemas.configuration.file import is_here
from schemas.http.client import client_builder, header, read_body
from schemas.http.proxies import proxy_for
from schemas.http.retry_after import moment
from schemas.plans.checking import held
from schemas.vendors import vendor_of
from schemas.vendors.vendor import ConfiguredDestination, Vendor

PROBE_SECONDS = 10.0
CLOCK_SECONDS_MAX = 60.0  # With a larger difference, `time` and the dedupe windows are wrong.


@dataclass(frozen=True, slots=True)
class Probed:
    """The answer, and the time on the destination's clock."""

    reply: Reply
    detail: str
    date: datetime | None


def check_plans(config: Config) -> Iterator[Finding]:
    """Whether each tracking plan can be read here, and used."""
    sections: list[Source | Delivery] = [config.delivery, *config.sources]
    for section in sections:
        if section.plan is None or section.plan_mode == "off":
            continue
        try:
            held(section)
        except ConfigError as error:
            for line in str(error).splitlines():
                subject, _, says = line.partition(": ")
                yield Finding(subject, says, "correct the plan: docs/plan.md has its format")
        else:
            subject = f"source {section.name}" if isinstance(section, Source) else "delivery"
            yield Finding(subject, f"plan {section.plan}, mode {section.plan_mode}")


def check_changes(config: Config, destination: ConfiguredDestination) -> Iterator[Finding]:
    """Whether its `transform` can be imported here, and its classes are known."""
    if destination.transform is None and not destination.drop_classified:
        return
    try:
        function_of(destination)
        dropped = dropped_of(config, destination)
    except ConfigError as error:
        said = str(error).removeprefix(f"destination {destination.name}: ")
        says, _, fix = said.rpartition("; ") if "; " in said else (said, "", "correct it")
        yield Finding(destination.name, says, fix)
        return
    if destination.transform is not None:
        yield Finding(destination.name, f"transform {destination.transform} can be used")
    if destination.drop_classified:
        yield Finding(destination.name, f"drop_classified drops {len(dropped)} properties")


async def check_destination(config: ConfiguredDestination) -> list[Finding]:
    """Whether it accepts our key, and agrees with our clock."""
    if not is_here(config.api_key):
        says = "its api_key cannot be read here: it was not tried"
        return [Finding(config.name, says, advice="run check where the delivery's secrets are")]
    vendor, part = vendor_of(config), parts_of(config)[0]
    batch = [Encoded(one.body, "", path=one.path) for one in vendor.probe]
    probed = await _send(config.url, part, batch)
    now = datetime.now(UTC)
    key = judge_key(config.name, vendor, part, batch, probed)
    return [*key, *judge_clock(config.name, probed, now)]


def judge_key(
    name: str, vendor: Vendor, part: Destination, batch: Sequence[Encoded], probed: Probed
) -> Iterator[Finding]:
    reply = probed.reply
    if isinstance(reply, Unreachable):
        yield Finding(name, f"cannot be reached: {probed.detail}", vendor.address_fix)
        return
    match judge(part, reply, batch).rest:
        case Pause(reason) if reason in vendor.key_refusals:
            yield Finding(name, f"refuses the key ({reason})", vendor.key_fix)
        case Pause(reason):
            yield Finding(name, f"does not serve its API there ({reason})", vendor.address_fix)
        case Retry(reason):
            yield Finding(name, f"is in trouble ({reason})", "retry later: nothing is lost")
        case _:
            yield Finding(name, "accepts the key")


def judge_clock(name: str, probed: Probed, now: datetime) -> Iterator[Finding]:
    """Nothing can be said about a destination that sends no `Date`."""
    if probed.date is None:
        return
    ahead = (now - probed.date).total_seconds()
    if abs(ahead) > CLOCK_SECONDS_MAX:
        direction = "ahead of" if ahead > 0 else "behind"
        says = f"this machine's clock is {abs(ahead):.0f} s {direction} the destination's"
        yield Finding(name, says, "synchronise this machine's clock: NTP")


async def _send(url: str, part: Destination, batch: Sequence[Encoded]) -> Probed:
    request = part.request(batch)
    proxy = proxy_for(url, os.environ)
    async with client_builder(timeout_seconds=PROBE_SECONDS, proxy=proxy).build() as client:
        try:
            asked = (
                client.post(url + request.path)
                .headers(dict(request.headers))
                .body_bytes(request.body)
                .build_streamed()
            )
            async with asked as response:
                reply = Response(response.status, await read_body(response, BODY_BYTES_MAX))
                return Probed(reply, "", moment(header(response, "date")))
        except PyreqwestError as error:
            return Probed(Unreachable("unreachable"), cause_of(error), None)
