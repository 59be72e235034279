"""`ampgate check` of committed offsets: whose they are, and how long Kafka keeps them."""

from collections.abc import Iterator, Mapping, Sequence

from ampgate.archive.archive import archive
from ampgate.check.broker_settings import OFFSETS_RETENTION
from ampgate.check.finding import Finding
from ampgate.check.topics import FOR_EVER, Missing, Tools, TopicState
from ampgate.destinations.groups import groups_of
from ampgate.destinations.left_behind import Standing, Survey
from ampgate.errors import CommandError
from ampgate.topic_plan import RETENTION_MS
from schemas.configuration.config import Config
from schemas.topics import Kind, Topics

MINUTE_MS = 60_000


async def check_left_behind(config: Config) -> list[Finding]:
    """Offsets and parked records of destinations that are not configured any more."""
    try:
        async with archive(config.kafka) as kafka, groups_of(config.kafka) as groups:
            survey = Survey(config, kafka, groups)
            await survey.look()
            return list(judge_left_behind(await survey.standings()))
    except CommandError as error:  # Other checks report missing topics and permissions.
        return [Finding("destinations", f"what is left of others cannot be seen: {error}")]


def judge_left_behind(standings: Sequence[Standing]) -> Iterator[Finding]:
    for one in standings:
        if one.is_left_behind:
            yield Finding(
                one.destination,
                f"is not configured, and has {one.unread} unread and {one.parked} parked records",
                advice=f"ampgate destinations rename {one.destination} NEW, or forget it",
            )


def check_offsets_retention(
    topics: Topics,
    states: Mapping[str, TopicState | Missing],
    minutes: int | None,
    tools: Tools,
) -> Iterator[Finding]:
    """A group without its offsets begins anew, and sends what it has sent before."""
    if minutes is None:
        advice = tools.allow("--cluster", "DescribeConfigs")
        yield Finding(
            "offsets", f"{OFFSETS_RETENTION} may not be read with these credentials", advice=advice
        )
        return
    longest = _longest_retention(topics, states)
    if minutes * MINUTE_MS >= longest:
        return
    wanted = "2147483647" if longest == float("inf") else str(-int(-longest // MINUTE_MS))
    says = (
        f"{OFFSETS_RETENTION} is {minutes}, and records are kept for longer:"
        " a destination whose delivery is off for so long is sent them again"
    )
    fix = f"set {OFFSETS_RETENTION}={wanted} in each broker's server.properties, and restart it"
    if minutes * MINUTE_MS < RETENTION_MS:
        yield Finding("offsets", says, fix)
    else:
        yield Finding("offsets", says, advice=fix)


def _longest_retention(topics: Topics, states: Mapping[str, TopicState | Missing]) -> float:
    found = [0.0]
    for name in (*map(topics.of, Kind), topics.parked):
        if isinstance(state := states.get(name), TopicState):
            kept = int(state.settings.get("retention.ms", "0"))
            found.append(float("inf") if kept == FOR_EVER else float(kept))
    return max(found)
