"""The configuration: where its values come from, and what is said of a wrong one."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from schemas.configuration import kafka_login
from schemas.configuration.config import Config, ConfigError
from schemas.configuration.file import load
from schemas.vendors.aampe import AampeDestination
from schemas.vendors.amplitude import AmplitudeDestination
from tests.unit.schemas.configuration.parsing import (
    AAMPE,
    AMPLITUDE,
    MSK,
    OAUTH,
    SOURCE,
    parsed,
    refusal,
)


def test_an_empty_file_is_a_whole_configuration() -> None:
    assert parsed({}) == Config()


def test_both_ways_to_log_in_with_tokens_are_taken() -> None:
    assert parsed({"kafka": OAUTH}).kafka.sasl_mechanism == "OAUTHBEARER"
    assert parsed({"kafka": MSK}).kafka.aws_region == "eu-central-1"


def test_the_signer_of_aws_is_an_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kafka_login, "find_spec", lambda _name: None)
    said = "ampgate.toml: kafka.sasl_oauth_provider: aws-msk-iam needs the extra 'aws'"
    assert refusal({"kafka": MSK}).startswith(said)


@pytest.mark.parametrize(
    ("tree", "path"),
    [
        ({"kafka": {"compression": "zip"}}, "kafka.compression"),
        ({"kafka": {"topic_prefix": "a b"}}, "kafka.topic_prefix"),
        ({"kafka": 5}, "kafka"),
        ({"edge": {"port": 70_000}}, "edge.port"),
        ({"edge": {"trusted_proxies": ["10.0.0.0/8", "x"]}}, "edge.trusted_proxies.1"),
        ({"edge": {"path_prefix": "collect/"}}, "edge.path_prefix"),
        (
            {"sources": [{**SOURCE, "allowed_origins": ["https://a.b/"]}]},
            "sources.0.allowed_origins.0",
        ),
        ({"sources": [SOURCE, {**SOURCE, "name": "Web Shop"}]}, "sources.1.name"),
        ({"sources": [{"name": "web"}]}, "sources.0"),
        ({"sources": [{"name": "web", "write_key": ""}]}, "sources.0.write_key"),
        ({"sources": [{**SOURCE, "write_key_sha256": "0" * 64}]}, "sources.0"),
        ({"destinations": [{"name": "x", "type": "amplitude"}]}, "destinations.0.api_key"),
        ({"destinations": [{**AMPLITUDE, "type": "segment"}]}, "destinations.0"),
        ({"destinations": [AMPLITUDE, {**AAMPE, "region": "us"}]}, "destinations.1.region"),
        ({"destinations": [{**AAMPE, "base_url": "localhost"}]}, "destinations.0.base_url"),
        ({"destinations": [{**AAMPE, "where": {"a": [[]]}}]}, "destinations.0.where.a.0"),
        ({"destinations": [{**AAMPE, "where": {"a.b.c": ["x"]}}]}, "destinations.0.where"),
    ],
)
def test_a_wrong_value_is_named_by_its_path(tree: dict[str, Any], path: str) -> None:
    assert refusal(tree).startswith(f"ampgate.toml: {path}: ")


@pytest.mark.parametrize(
    ("tree", "path"),
    [
        ({"kafak": {}}, "kafak"),
        ({"kafka": {"bootstrap_server": "x"}}, "kafka.bootstrap_server"),
        ({"sources": [{**SOURCE, "key": "x"}]}, "sources.0.key"),
        ({"destinations": [{**AMPLITUDE, "regoin": "us"}]}, "destinations.0.regoin"),
    ],
)
def test_an_unknown_key_is_an_error(tree: dict[str, Any], path: str) -> None:
    assert refusal(tree).startswith(f"ampgate.toml: {path}: ")


@pytest.mark.parametrize("servers", ["k:1", "k-1.example:9092,k-2:9092", "[::1]:9092", "a:1, b:2"])
def test_kafkas_addresses_are_taken_with_their_ports(servers: str) -> None:
    assert parsed({"kafka": {"bootstrap_servers": servers}}).kafka.bootstrap_servers == servers


@pytest.mark.parametrize(
    ("tree", "words"),
    [
        ({"sources": [SOURCE, {**SOURCE, "write_key": "k2"}]}, "two are called web"),
        ({"sources": [SOURCE, {**SOURCE, "name": "app"}]}, "web and app have the same write key"),
        ({"destinations": [AMPLITUDE, AMPLITUDE]}, "destinations: two are called"),
        ({"destinations": [{**AMPLITUDE, "sources": ["app"]}]}, "names no source: app"),
    ],
)
def test_what_clashes_is_named(tree: dict[str, Any], words: str) -> None:
    assert words in refusal(tree)


def test_the_environment_overrides_the_file() -> None:
    environment = {
        "AMPGATE_KAFKA__BOOTSTRAP_SERVERS": "k:1",
        "AMPGATE_EDGE__PORT": "81",
        "AMPGATE_EDGE__TRUSTED_PROXIES": '["10.0.0.0/8"]',
        "AMPGATE_SOURCES__0__WRITE_KEY": "[k2",
        "AMPGATE_CONFIG": "elsewhere.toml",
        "OTHER__PORT": "82",
    }
    config = parsed({"edge": {"port": 80}, "sources": [SOURCE]}, environment)
    assert SOURCE["write_key"] == "k1"
    assert config.kafka.bootstrap_servers == "k:1"
    assert config.edge.port == 81
    assert [str(network) for network in config.edge.trusted_proxies] == ["10.0.0.0/8"]
    key = config.sources[0].write_key
    assert key is not None
    assert key.get_secret_value() == "[k2"


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("AMPGATE_EDGE__PORT", "edge.port"),
        ("AMPGATE_EDGE__PROT", "edge.prot"),
        ("AMPGATE_SOURCES__1__NAME", "AMPGATE_SOURCES__1__NAME"),
        ("AMPGATE_SOURCES__X__NAME", "AMPGATE_SOURCES__X__NAME"),
        ("AMPGATE_SOURCES__0__NAME__X", "AMPGATE_SOURCES__0__NAME__X"),
    ],
)
def test_a_wrong_override_is_an_error(name: str, words: str) -> None:
    assert words in refusal({"sources": [dict(SOURCE)]}, {name: "x"})


@pytest.mark.parametrize(
    ("text", "words"), [(None, "no such file"), ("[kafka", "end of document"), ("[x]", ": x: ")]
)
def test_a_file_that_cannot_be_used_is_one_message(
    tmp_path: Path, text: str | None, words: str
) -> None:
    path = tmp_path / "ampgate.toml"
    if text is not None:
        path.write_text(text)
    with pytest.raises(ConfigError, match=r"ampgate\.toml: ") as caught:
        load(path, {})
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("tree", "url"),
    [
        (AMPLITUDE, "https://api2.amplitude.com"),
        ({**AMPLITUDE, "region": "eu"}, "https://api.eu.amplitude.com"),
        ({**AMPLITUDE, "base_url": "http://127.0.0.1:9101/"}, "http://127.0.0.1:9101"),
        (AAMPE, "https://ingestion.europe-west3.api.aampe.com"),
    ],
)
def test_a_region_leads_to_its_host(tree: dict[str, Any], url: str) -> None:
    (destination,) = parsed({"destinations": [tree]}).destinations
    assert isinstance(destination, AmplitudeDestination | AampeDestination)
    assert destination.url == url


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-8"])
def test_a_byte_order_mark_of_an_editor_is_no_mistake(encoding: str, tmp_path: Path) -> None:
    path = tmp_path / "ampgate.toml"
    path.write_text("[edge]\r\nport = 81\r\n", encoding=encoding)
    assert load(path, {}).edge.port == 81


@pytest.mark.parametrize("encoding", ["utf-16", "latin-1"])
def test_a_file_in_another_encoding_is_told_so(encoding: str, tmp_path: Path) -> None:
    path = tmp_path / "ampgate.toml"
    path.write_text("# ü\n[edge]\n", encoding=encoding)
    with pytest.raises(ConfigError, match="it is no UTF-8 text"):
        load(path, {})


def test_suppressed_ids_come_from_a_file_of_one_a_line(tmp_path: Path) -> None:
    file = tmp_path / "forgotten.txt"
    file.write_text("ann@example.org\n\n  user 7 \r\n")
    config = parsed({"edge": {"suppressed_user_ids_file": str(file)}})
    assert config.edge.suppressed_user_ids == ("ann@example.org", "user 7")


@pytest.mark.parametrize("start", ["2026-01-31T00:00:00Z", "2026-01-31T02:00:00+02:00"])
def test_a_destination_may_start_at_a_time(start: str) -> None:
    moment = datetime(2026, 1, 31, tzinfo=UTC)
    for given in (start, moment):
        (destination,) = parsed({"destinations": [{**AMPLITUDE, "start": given}]}).destinations
        assert destination.start == moment


@pytest.mark.parametrize("start", ["oldest", "", "2026-01-31T00:00:00", "1969-12-31T00:00:00Z", 5])
def test_a_start_that_is_nowhere_is_refused(start: object) -> None:
    said = refusal({"destinations": [{**AMPLITUDE, "start": start}]})

    assert 'destinations.0.start: must be "earliest", "latest" or a time, as in 2026' in said
