"""`ampgate check` of the brokers' own settings, which only who runs them can change."""

from collections.abc import Iterator, Mapping

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from ampgate.check.finding import Finding

OFFSETS_RETENTION = "offsets.retention.minutes"
SESSION_MIN, SESSION_MAX = "group.min.session.timeout.ms", "group.max.session.timeout.ms"
SESSION_MS = 10_000  # What each of our members of a group asks for, as aiokafka does.


async def broker_settings(admin: AIOKafkaAdminClient, node: int) -> Mapping[str, int]:
    """Those that matter here, as far as a broker tells them."""
    names = dict.fromkeys((OFFSETS_RETENTION, SESSION_MIN, SESSION_MAX))
    resource = ConfigResource(ConfigResourceType.BROKER, str(node), names)
    return {
        entry[0]: int(entry[1])
        for answer in await admin.describe_configs([resource])
        for _code, _message, _type, _name, entries in answer.resources
        for entry in entries
        if entry[0] in names and entry[1] is not None
    }


def check_sessions(settings: Mapping[str, int]) -> Iterator[Finding]:
    """Outside of the brokers' limits no delivery and no pull may join its group."""
    least, most = settings.get(SESSION_MIN, 0), settings.get(SESSION_MAX, SESSION_MS)
    for name, value, is_well in (
        (SESSION_MIN, least, least <= SESSION_MS),
        (SESSION_MAX, most, most >= SESSION_MS),
    ):
        if not is_well:
            yield Finding(
                "groups",
                f"{name} is {value}: no delivery and no pull may join its group",
                fix=f"set {name}={SESSION_MS} in each broker's server.properties, and restart it",
            )
