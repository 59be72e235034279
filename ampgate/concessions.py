"""What is asked for when a cluster refuses a topic as planned: rented ones have limits. Pure.

Fixed replication, settings that may not be set, and limits on messages: 8 MB at Confluent Cloud's
smaller clusters, 1 MB at Azure Event Hubs. A refusal mostly names the setting; one that names none
is answered by giving up the largest wish first.
"""

import re
from dataclasses import dataclass, field, replace

from aiokafka.errors import (
    InvalidConfigurationError,
    InvalidReplicationFactorError,
    InvalidRequestError,
    PolicyViolationError,
)

from ampgate.topic_plan import IN_SYNC, MESSAGE, REPLICATION, RETENTION, TopicPlan

MESSAGE_LIMITS = (8_388_608, 1_048_588)  # In bytes; the second is Kafka's default.
MESSAGE_BYTES_MIN = 100_000  # A smaller number in a refusal is no limit on messages.
REPLICATIONS = (3, 2, 1)
NEGOTIABLE = (InvalidConfigurationError, InvalidRequestError, PolicyViolationError)
NUMBER = re.compile(r"[0-9]{6,10}")


@dataclass(slots=True)
class Concessions:
    """The topic as it is asked for next, after each refusal less."""

    wanted: TopicPlan
    asked: TopicPlan = field(init=False)
    _replications: list[int] = field(init=False)

    def __post_init__(self) -> None:
        self.asked = self.wanted
        self._replications = [one for one in REPLICATIONS if one != self.wanted.replication]

    def refused(self, error: type[Exception], says: str) -> bool:
        """Ask for less; False if that does not help, or nothing is left to give up."""
        if issubclass(error, InvalidReplicationFactorError) or "replication factor" in says.lower():
            return self._other_replication()
        if not issubclass(error, NEGOTIABLE):
            return False
        named = [name for name in self.asked.settings if name in says]
        own = [name for name in self.asked.settings if name not in (MESSAGE, IN_SYNC, RETENTION)]
        for name in named or [MESSAGE, *own, IN_SYNC, RETENTION]:
            if name in self.asked.settings:
                self._lower(name, says)
                return True
        return self._other_replication()

    @property
    def given_up(self) -> dict[str, str | None]:
        """Settings that differ from what was wanted; None where the cluster decides."""
        asked, wanted = self.asked, self.wanted
        found: dict[str, str | None] = {
            name: asked.settings.get(name)
            for name, value in wanted.settings.items()
            if asked.settings.get(name) != value
        }
        if asked.replication != wanted.replication:
            found[REPLICATION] = str(asked.replication)
        return found

    def _other_replication(self) -> bool:
        if not self._replications:
            return False
        replication = self._replications.pop(0)
        settings = dict(self.asked.settings)
        if IN_SYNC in settings and int(settings[IN_SYNC]) > replication:
            settings[IN_SYNC] = str(max(1, replication - 1))
        self.asked = replace(self.asked, replication=replication, settings=settings)
        return True

    def _lower(self, name: str, says: str) -> None:
        settings = dict(self.asked.settings)
        value = settings.pop(name)
        if name == MESSAGE:
            told = [int(number) for number in NUMBER.findall(says)]
            for limits in (told, MESSAGE_LIMITS):
                if lower := [one for one in limits if MESSAGE_BYTES_MIN <= one < int(value)]:
                    settings[name] = str(max(lower))
                    break
        self.asked = replace(self.asked, settings=settings)
