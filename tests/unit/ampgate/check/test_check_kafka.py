"""What `ampgate check` says of the brokers, and how it calls Kafka's own tools."""

import inspect

import pytest
from aiokafka import AIOKafkaConsumer
from pydantic import SecretStr

from ampgate.check.broker_settings import (
    SESSION_MAX,
    SESSION_MIN,
    SESSION_MS,
    check_sessions,
)
from ampgate.check.check import check_brokers
from ampgate.check.offsets import check_offsets_retention
from ampgate.check.topics import Tools, TopicState, check_replays
from schemas.configuration.config import Kafka


def test_one_broker_is_a_warning_and_no_failure() -> None:
    finding = check_brokers("kafka:9092", ["kafka"])
    assert finding.ok
    assert finding.says == "kafka:9092, one broker: its loss is a loss of events"
    assert finding.advice.startswith("run three or more")


@pytest.mark.parametrize("hosts", [["127.0.0.1"], ["localhost"], ["::1"], ["one", "two", "three"]])
def test_a_broker_of_ones_own_machine_and_several_are_plainly_well(hosts: list[str]) -> None:
    finding = check_brokers("kafka:9092", hosts)
    assert finding.ok
    assert not finding.advice


def test_a_fix_for_a_kafka_with_logins_names_the_file_that_the_tool_needs() -> None:
    kafka = Kafka(
        bootstrap_servers="kafka-1:9093",
        security_protocol="SASL_SSL",
        sasl_plain_username="ampgate",
        sasl_plain_password=SecretStr("secret"),
    )
    assert Tools(kafka).alter("t", "retention.ms", "-1") == (
        "kafka-configs --bootstrap-server kafka-1:9093 --command-config FILE"
        " --alter --topic t --add-config retention.ms=-1"
    )


@pytest.mark.parametrize(
    ("minutes", "retention_ms", "is_ok", "wanted"),
    [
        (10_080, 604_800_000, True, None),
        (1_440, 604_800_000, False, "=10080 "),
        (1_440, 600_000, True, None),
        (10_080, 604_800_001, True, "=10081 "),
        (10_080, -1, True, "=2147483647 "),
    ],
)
def test_offsets_are_kept_for_as_long_as_the_records(
    minutes: int, retention_ms: int, is_ok: bool, wanted: str | None
) -> None:
    kafka = Kafka()
    state = TopicState(1, 1, 1, 0, {"retention.ms": str(retention_ms)})
    states = {kafka.topics.events: state}
    found = list(check_offsets_retention(kafka.topics, states, minutes, Tools(kafka)))
    assert [one.ok for one in found] == ([] if wanted is None else [is_ok])
    assert all(wanted is not None and wanted in one.fix + one.advice + " " for one in found)


def test_a_broker_that_does_not_say_how_long_it_keeps_offsets_is_a_warning() -> None:
    (found,) = check_offsets_retention(Kafka().topics, {}, None, Tools(Kafka()))
    assert found.ok
    assert "kafka-acls" in found.advice


@pytest.mark.parametrize(
    ("parked", "letters", "is_told"),
    [
        ("7", "7", False),
        ("7", "30", True),
        ("7", "-1", True),
        ("-1", "-1", False),
        (None, "7", False),
    ],
)
def test_parked_records_are_kept_for_as_long_as_the_letters_that_they_show_as_replayed(
    parked: str | None, letters: str, is_told: bool
) -> None:
    topics = Kafka().topics
    states = {
        topics.dead_letters: TopicState(1, 1, 1, 0, {"retention.ms": letters}),
        topics.parked: TopicState(1, 1, 1, 0, {} if parked is None else {"retention.ms": parked}),
    }
    found = list(check_replays(topics, states, Tools(Kafka())))

    assert [f"retention.ms={letters}" in one.advice for one in found] == [True] * is_told
    assert all(one.ok for one in found)


def test_brokers_that_allow_no_session_of_ours_are_found() -> None:
    ours = inspect.signature(AIOKafkaConsumer).parameters["session_timeout_ms"].default
    assert ours == SESSION_MS
    found = [
        *check_sessions({SESSION_MIN: SESSION_MS + 1, SESSION_MAX: 1_800_000}),
        *check_sessions({SESSION_MIN: 6_000, SESSION_MAX: SESSION_MS - 1}),
    ]
    assert [one.fix.split()[1] for one in found] == [f"{SESSION_MIN}=10000", f"{SESSION_MAX}=10000"]
    assert not [*check_sessions({SESSION_MIN: 6_000, SESSION_MAX: 1_800_000}), *check_sessions({})]
