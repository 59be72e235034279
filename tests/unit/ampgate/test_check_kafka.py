"""What `ampgate check` says of the brokers, and how it calls Kafka's own tools."""

import pytest
from pydantic import SecretStr

from ampgate.check import check_brokers
from ampgate.check_topics import Tools
from schemas.config import Kafka


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
