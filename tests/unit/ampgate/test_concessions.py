"""Topics on a cluster that allows less than what is wanted."""

from collections.abc import Mapping
from dataclasses import dataclass

import pytest
from aiokafka.errors import (
    InvalidConfigurationError,
    InvalidPartitionsError,
    InvalidReplicationFactorError,
    PolicyViolationError,
    TopicAuthorizationFailedError,
)
from hypothesis import given
from hypothesis import strategies as st

from ampgate.concessions import Concessions
from ampgate.topic_plan import TopicPlan, plan
from schemas.configuration.config import Kafka

WANTED = plan(Kafka(), brokers=3)[0]


@dataclass(frozen=True)
class Cluster:
    """What it allows, and whether its refusals name the setting, and its limit."""

    message_limit: int | None = None
    replication: int | None = None
    forbidden: frozenset[str] = frozenset()
    names: bool = True
    tells: bool = True

    def refusal(self, topic: TopicPlan) -> tuple[type[Exception], str] | None:
        if self.replication not in (None, topic.replication):
            return InvalidReplicationFactorError, f"Replication factor must be {self.replication}"
        for name, value in topic.settings.items():
            said = f"Config property '{name}'" if self.names else "policy"
            if name in self.forbidden:
                return PolicyViolationError, f"{said} may not be set"
            limit = self.message_limit
            if name == "max.message.bytes" and limit is not None and int(value) > limit:
                told = f" exceeded max limit of {limit}" if self.tells else " is too large"
                return InvalidConfigurationError, f"{said} with value '{value}'{told}"
        return None


def settled(cluster: Cluster, wanted: TopicPlan = WANTED) -> Concessions:
    topic = Concessions(wanted)
    for _ in range(20):
        refusal = cluster.refusal(topic.asked)
        if refusal is None:
            return topic
        assert topic.refused(*refusal)
    raise AssertionError("it never ends")


@pytest.mark.parametrize(
    ("cluster", "given_up"),
    [
        (Cluster(), {}),
        (Cluster(message_limit=8_388_608), {"max.message.bytes": "8388608"}),
        (Cluster(message_limit=5_000_000), {"max.message.bytes": "5000000"}),
        (Cluster(message_limit=8_388_608, tells=False), {"max.message.bytes": "8388608"}),
        (Cluster(message_limit=1_048_588, tells=False), {"max.message.bytes": "1048588"}),
        (Cluster(replication=2), {"replication.factor": "2"}),
        (
            Cluster(replication=1),
            {"replication.factor": "1", "min.insync.replicas": "1"},
        ),
        (
            Cluster(forbidden=frozenset({"min.insync.replicas"})),
            {"min.insync.replicas": None},
        ),
    ],
)
def test_only_what_is_refused_is_given_up(
    cluster: Cluster, given_up: Mapping[str, str | None]
) -> None:
    assert settled(cluster).given_up == given_up


def test_a_cluster_that_wants_more_replicas_than_it_shows_brokers_gets_them() -> None:
    alone = plan(Kafka(), brokers=1)[0]
    assert settled(Cluster(replication=3), alone).asked.replication == 3


@given(
    st.builds(
        Cluster,
        message_limit=st.none() | st.integers(min_value=100_000, max_value=30_000_000),
        replication=st.sampled_from([None, 1, 2, 3]),
        forbidden=st.frozensets(st.sampled_from([*WANTED.settings, "segment.ms"])),
        names=st.booleans(),
        tells=st.booleans(),
    )
)
def test_every_cluster_gets_a_topic_that_it_allows(cluster: Cluster) -> None:
    wanted = TopicPlan(
        WANTED.name, 12, WANTED.replication, {**WANTED.settings, "segment.ms": "600000"}
    )
    topic = settled(cluster, wanted)
    assert topic.asked.partitions == 12
    if cluster.names:
        assert set(topic.asked.settings) >= set(wanted.settings) - cluster.forbidden - {
            "max.message.bytes"
        }


@pytest.mark.parametrize("error", [InvalidPartitionsError, TopicAuthorizationFailedError])
def test_what_less_would_not_help_is_not_tried(error: type[Exception]) -> None:
    topic = Concessions(WANTED)
    assert not topic.refused(error, "no")
    assert topic.given_up == {}


def test_the_configuration_of_a_topic_stands_over_that_of_all_and_over_our_own() -> None:
    kafka = Kafka(
        topic_settings={
            "all": {"retention.ms": 86_400_000, "replication.factor": 2, "segment.ms": 60_000},
            "dead-letters": {"retention.ms": -1, "unclean.leader.election.enable": False},
        }
    )
    planned = {topic.name: topic for topic in plan(kafka, brokers=3)}
    events, dead = planned["ampgate.events"], planned["ampgate.dead-letters"]
    assert (events.replication, events.settings["min.insync.replicas"]) == (2, "1")
    assert events.settings["retention.ms"] == "86400000"
    assert dead.settings["retention.ms"] == "-1"
    assert dead.settings["segment.ms"] == "60000"
    assert dead.settings["unclean.leader.election.enable"] == "false"
