"""Secrets: from the environment or a file, never repeated, and needed only where they are used."""

from pathlib import Path
from typing import Any

import pytest

from schemas.configuration.config import ConfigError
from schemas.configuration.file import is_here, load, parse
from tests.unit.schemas.configuration.parsing import AAMPE, AMPLITUDE, parsed, refusal


def test_a_secret_is_never_repeated() -> None:
    tree = {"destinations": [{**AMPLITUDE, "api_key": ["very-secret"], "type": "amplitude"}]}
    assert "very-secret" not in refusal(tree)
    assert "a1" not in repr(parsed({"destinations": [AMPLITUDE]}))


def test_names_in_braces_come_from_the_environment() -> None:
    tree = {"destinations": [{**AMPLITUDE, "api_key": "${KEY}"}]}
    (destination,) = parsed(tree, {"KEY": "secret"}).destinations
    assert destination.api_key.get_secret_value() == "secret"


@pytest.mark.parametrize("key", ["${WEB-KEY}", "${ KEY }", "${}", "${KEY", "${KEY:-x}"])
def test_what_looks_like_a_name_and_is_none_is_no_secret(key: str) -> None:
    """As it stands anybody could guess it."""
    said = refusal({"sources": [{"name": "web", "write_key": key}]}, {"KEY": "k"})
    assert said == (
        "ampgate.toml: sources.0.write_key: must be ${NAME}, of letters, digits and underscores"
    )


def test_a_line_end_behind_a_secret_of_the_environment_is_none_of_it() -> None:
    """As of `echo key | base64` in Kubernetes."""
    tree = {"sources": [{"name": "web", "write_key": "${KEY}"}]}
    key = parsed(tree, {"KEY": "secret\n"}).sources[0].write_key
    assert key is not None
    assert key.get_secret_value() == "secret"


@pytest.mark.parametrize("secret", ["a\nb", " a", "a\r", "a\x00", "\n"])
def test_a_secret_that_nobody_could_send_is_refused(secret: str) -> None:
    source = refusal({"sources": [{"name": "web", "write_key": secret}]})
    token = refusal({"console": {"token": secret}})
    assert source.startswith("ampgate.toml: sources.0.write_key: ")
    assert token.startswith("ampgate.toml: console.token: ")


def test_what_is_no_text_in_the_environment_is_named_by_its_key() -> None:
    said = refusal({"sources": [{"name": "web", "write_key": "${KEY}"}]}, {"KEY": "a\udcff"})
    assert said == "ampgate.toml: sources.0.write_key: is no Unicode text"


@pytest.mark.parametrize("path", [7, True, ["/key"], {"at": "/key"}])
def test_a_secret_file_that_is_no_path_is_told_as_such(path: object) -> None:
    said = refusal({"sources": [{"name": "web", "write_key_file": path}]})
    assert said == (
        "ampgate.toml: sources.0.write_key_file: "
        'must be the path of a file, as in "/run/secrets/key"'
    )


def test_an_absent_name_is_an_error_with_the_path() -> None:
    message = refusal({"destinations": [{**AMPLITUDE, "api_key": "${KEY}"}]})
    assert message == "ampgate.toml: destinations.0.api_key: the environment has no KEY"


def test_a_secret_comes_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_text("secret\n")
    tree = {"destinations": [{"name": "us", "type": "amplitude", "api_key_file": str(path)}]}
    (destination,) = parsed(tree).destinations
    assert destination.api_key.get_secret_value() == "secret"


def test_an_absent_secret_file_is_an_error_with_the_path(tmp_path: Path) -> None:
    file = str(tmp_path / "absent")
    tree = {"destinations": [{"name": "us", "type": "amplitude", "api_key_file": file}]}
    assert refusal(tree).startswith("ampgate.toml: destinations.0.api_key_file: ")


def test_kafkas_own_file_settings_stay_paths(tmp_path: Path) -> None:
    assert parsed({"kafka": {"ssl_cafile": str(tmp_path)}}).kafka.ssl_cafile == tmp_path


def test_a_certificate_that_is_not_there_is_an_error_with_the_path(tmp_path: Path) -> None:
    file = tmp_path / "ampgate.toml"
    file.write_text('[kafka]\nssl_cafile = "/no/ca.pem"')
    with pytest.raises(ConfigError, match=r"kafka\.ssl_cafile: there is no file /no/ca\.pem"):
        load(file, {})


def test_a_filter_may_name_a_field_that_ends_like_a_secret_file() -> None:
    where = {"event_properties.log_file": ["x"]}
    (destination,) = parsed({"destinations": [{**AMPLITUDE, "where": where}]}).destinations
    assert destination.where == {"event_properties.log_file": ("x",)}


def test_an_event_type_to_rename_may_end_like_a_secret_file() -> None:
    rename = {"open_file": "Open File"}
    (destination,) = parsed({"destinations": [{**AMPLITUDE, "rename": rename}]}).destinations
    assert destination.rename == rename


ROLES: dict[str, Any] = {
    "sources": [
        {"name": "web", "write_key": "${WEB}"},
        {"name": "app", "write_key_file": "/no/app"},
    ],
    "destinations": [{**AMPLITUDE, "api_key": "${US}"}, {**AAMPE, "api_key": "${EU}"}],
}


def copied(tree: dict[str, Any]) -> dict[str, Any]:
    return {name: [dict(table) for table in tables] for name, tables in tree.items()}


def test_a_process_needs_only_the_secrets_that_it_uses() -> None:
    for_delivery = parse(copied(ROLES), {"US": "a", "EU": "b"}, "x", unused_secrets=["sources"])
    keys = [destination.api_key.get_secret_value() for destination in for_delivery.destinations]

    assert keys == ["a", "b"]
    assert [source.name for source in for_delivery.sources] == ["web", "app"]
    with pytest.raises(ConfigError, match=r"destinations\.1\.api_key: the environment has no EU"):
        parse(copied(ROLES), {"US": "a"}, "x", unused_secrets=["sources"])


def test_a_secret_that_is_absent_is_known_to_be() -> None:
    config = parse(copied(ROLES), {"US": "a"}, "x", unused_secrets=["sources", "destinations"])

    assert [is_here(destination.api_key) for destination in config.destinations] == [True, False]


def test_only_secrets_may_be_absent() -> None:
    tree = {"destinations": [{**AMPLITUDE, "base_url": "${PROXY}"}]}

    with pytest.raises(
        ConfigError, match=r"destinations\.0\.base_url: the environment has no PROXY"
    ):
        parse(tree, {}, "x", unused_secrets=["destinations"])
