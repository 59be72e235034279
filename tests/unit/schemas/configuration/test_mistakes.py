"""Each mistake in a configuration is one message that names its key."""

from typing import Any

import pytest

from schemas.configuration.config import ConfigError
from schemas.configuration.file import parse
from tests.unit.schemas.configuration.parsing import AAMPE, AMPLITUDE, MSK, OAUTH, SOURCE, refusal

TASKS = {"name": "p", "type": "amplemarket", "api_key": "k"}
WEB = {**SOURCE, "write_key": "very-secret"}


@pytest.mark.parametrize(
    ("tree", "said"),
    [
        ({"edge": 5}, "edge: must be a table"),
        ({"edge": {"port": "x"}}, "edge.port: must be a valid integer"),
        ({"edge": {"max_body_bytes": True}}, "edge.max_body_bytes: must not be true"),
        (
            {"sources": [{**WEB, "events_per_second": False}]},
            "sources.0.events_per_second: must no",
        ),
        ({"pulls": [{**TASKS, "every": True}]}, "pulls.0.every: must not be true"),
        ({"sources": {}}, "sources: must be tables, each with its own line [[sources]]"),
        ({"sources": [{**WEB, "dialects": []}]}, "sources.0.dialects: must not be empty"),
        ({"edge": {"scrub": {}}}, "edge.scrub: must be tables, each with its own line [[edge.sc"),
        (
            {"destinations": [{**AMPLITUDE, "sources": "web"}]},
            'destinations.0.sources: must be a list, as in ["…"]',
        ),
        ({"sources": [{**WEB, "name": "A b"}]}, "sources.0.name: must be lower-case letters"),
        ({"sources": [{**WEB, "kye": 1}]}, "sources.0.kye: unknown key; known"),
        ({"sources": [{"name": "web"}]}, "sources.0: needs either write_key or"),
        (
            {"destnations": []},
            "destnations: unknown key; known are console, delivery, destinations, edge",
        ),
        ({"destinations": [{"name": "a"}]}, "destinations.0: type is required: 'amplitude' or"),
        ({"destinations": [{"name": "a", "type": "x"}]}, "destinations.0: type must be 'amplitu"),
        ({"destinations": [{"type": "aampe"}]}, "destinations.0.name: is required"),
        ({"destinations": [{**AMPLITUDE, "api_key": ""}]}, "destinations.0.api_key: is empty"),
        ({"destinations": [{**AMPLITUDE, "x": 1}]}, "destinations.0.x: unknown key; known are api"),
        (
            {"destinations": [{**AAMPE, "where": {"country": "Germany"}}]},
            'destinations.0.where.country: must be a list, as in ["…"]',
        ),
        (
            {"destinations": [{**AMPLITUDE, "base_url": "x"}]},
            "destinations.0.base_url: must be",
        ),
        (
            {"destinations": [{**AMPLITUDE, "api_key": "very-${SECRET}"}]},
            "destinations.0.api_key: ${SECRET} can only be the whole value",
        ),
        (
            {"destinations": [{**AMPLITUDE, "api_key_file": "/key"}]},
            "destinations.0.api_key_file: api_key is there, too; only one can be",
        ),
        ({"kafka": {"bootstrap_servers": "kafka-1"}}, "kafka.bootstrap_servers: must be host"),
        ({"kafka": {"bootstrap_servers": ""}}, "kafka.bootstrap_servers: must be host"),
        ({"kafka": {"security_protocol": "SASL_SSL"}}, "kafka: SASL_SSL needs sasl_plain_username"),
        (
            {"kafka": {**OAUTH, "sasl_oauth_client_secret": ""}},
            'kafka: OAUTHBEARER, without sasl_oauth_provider = "aws-msk-iam", needs sasl_oauth',
        ),
        (
            {"kafka": {**OAUTH, "security_protocol": "SSL"}},
            'kafka: sasl_mechanism needs security_protocol = "SASL_SSL"',
        ),
        (
            {"kafka": {**OAUTH, "sasl_mechanism": "PLAIN"}},
            "kafka: SASL_SSL needs sasl_plain_username and sasl_plain_password; missing:",
        ),
        (
            {"kafka": {**OAUTH, "aws_region": "eu-west-1"}},
            'kafka: aws_region has no effect without sasl_oauth_provider = "aws-msk-iam"',
        ),
        (
            {"kafka": {**OAUTH, "sasl_oauth_token_url": "idp.example/token"}},
            "kafka.sasl_oauth_token_url: must be a URL, as in https://",
        ),
        (
            {"kafka": {**OAUTH, "sasl_oauth_extensions": ["logicalCluster"]}},
            "kafka.sasl_oauth_extensions.0: must be NAME=VALUE",
        ),
        (
            {"kafka": {"topic_settings": {"letters": {"retention.ms": 1}}}},
            "kafka.topic_settings.letters: must be 'all', 'events', 'user-properties'",
        ),
        (
            {"kafka": {"topic_settings": {"all": {"retention.ms": "a week"}}}},
            'kafka.topic_settings: all, "retention.ms": must be an integer, -1 or more',
        ),
        (
            {"kafka": {"topic_settings": {"all": {"Retention": 1}}}},
            'kafka.topic_settings: all, "Retention": must be one of Kafka\'s topic settings',
        ),
        ({"kafka": {**MSK, "aws_region": None}}, "kafka: aws-msk-iam needs aws_region; missing:"),
        (
            {"kafka": {**MSK, "aws_region": "Frankfurt"}},
            "kafka.aws_region: must be a region of AWS",
        ),
        (
            {"kafka": {**MSK, "security_protocol": "SASL_PLAINTEXT"}},
            'kafka: aws-msk-iam needs security_protocol = "SASL_SSL"',
        ),
        (
            {"kafka": {**MSK, "sasl_oauth_provider": "gcp"}},
            "kafka.sasl_oauth_provider: must be 'aws-msk-iam'",
        ),
        (
            {"kafka": {"sasl_oauth_client_id": "id"}},
            'kafka: sasl_oauth_client_id has no effect without security_protocol = "SASL_SSL"',
        ),
    ],
)
def test_a_mistake_is_told_with_what_may_be_there(tree: dict[str, Any], said: str) -> None:
    message = refusal(tree)
    assert message.startswith(f"ampgate.toml: {said}")
    assert "very-secret" not in message


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("AMPGATE_EDGE__PROT", "x", "AMPGATE_EDGE__PROT: edge.prot: unknown key; known are "),
        ("AMPGATE_EDGE__PORT", "x", "AMPGATE_EDGE__PORT: edge.port: must be a valid integer"),
        ("AMPGATE_SOURCES__0__NAME", "x", "AMPGATE_SOURCES__0__NAME: the file has no sources.0 to"),
        ("AMPGATE_KAFAK__X", "x", "AMPGATE_KAFAK__…: kafak: unknown key; known are console, "),
        (
            "AMPGATE_EDGE__TRUSTED_PROXIES",
            '["10.0.0.0/8", "lb"]',
            'AMPGATE_EDGE__TRUSTED_PROXIES: edge.trusted_proxies.1: must be a network, as in "10.',
        ),
        (
            "AMPGATE_KAFKA__SECURITY_PROTOCOL",
            "SASL_SSL",
            "AMPGATE_KAFKA__…: kafka: SASL_SSL needs sasl_plain_username",
        ),
    ],
)
def test_a_mistake_in_the_environment_is_told_by_its_variable(
    name: str, value: str, said: str
) -> None:
    assert refusal({}, {name: value}).startswith(said)


def test_a_mistake_of_the_file_is_told_by_the_file_though_a_variable_is_beside_it() -> None:
    lines = {"edge": 1, "edge.tls_keyfile": 2}
    with pytest.raises(ConfigError) as raised:
        parse({"edge": {"tls_keyfile": "/k"}}, {"AMPGATE_EDGE__PORT": "81"}, "a.toml", (), lines)

    assert str(raised.value).startswith("a.toml: edge: tls_keyfile needs tls_certfile (line 1)")
