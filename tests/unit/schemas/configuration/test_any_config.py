"""Whatever stands in the file: a configuration that can be applied, or what is wrong and where."""

import json
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyreqwest.http import Url

from consumers.destinations import destinations_in
from consumers.http.client import sender_to
from gateway.edge.sources import Sources
from schemas.configuration.config import Config, ConfigError
from schemas.configuration.file import load, parse
from schemas.configuration.urls import usable_url
from schemas.http.proxies import PORTS
from tests.examples import examples

SHAPE: dict[str, Any] = Config.model_json_schema()
EDGES: list[Any] = [
    *(0, -1, 1, 10**30, -(10**30), 1e-320, 1e308, float("nan"), float("inf"), -0.0, True, ""),
    *("\x00", "\n", "é", "\ud800", "a" * 300, "nan", "1e999", "0", "::", "[", "*", "(", "(a+)+$"),
    *("http://127.0.0.1:99999", "http://a..b", "http://[::1", "http://1.2.3.999", "http://a:0"),
    *("http://u:p@a", "http://a?b", "http://a/../b", "https://xn--", "http://é.de", "http://a b"),
    *("http://127.0.0.1:9101", "https://[::1]:80/x/", "a:99999", "a:0", "10.0.0.1/8", "k\nk"),
    *("edge", "kafka", "events", "user_properties.a", 'a"b', "a\\b", "(?P<a", "a{99999999999}"),
]
ANY = st.recursive(
    st.sampled_from(EDGES) | st.text(max_size=8) | st.integers() | st.floats(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=4,
)
GOOD: dict[str, Any] = {
    "sources": [{"name": "web", "write_key": "k"}],
    "destinations": [
        {"name": "us", "type": "amplitude", "api_key": "a"},
        {"name": "eu", "type": "aampe", "region": "europe-west3", "api_key": "b"},
    ],
    "pulls": [
        {
            "name": "vip",
            "type": "amperity",
            "every": "1h",
            "tenant": "acme",
            "token": "t",
            "index": "idx",
            "user_id": "email",
        },
        {
            "name": "members",
            "type": "amplitude-cohort",
            "every": "2h",
            "api_key": "a",
            "secret_key": "s",
            "cohort": "c",
            "property": "is_member",
        },
        {"name": "tasks", "type": "amplemarket", "every": "15m", "api_key": "a"},
    ],
}
PLACES: list[tuple[str | int, ...]] = [
    *((name,) for name in Config.model_fields),
    *(("kafka", name) for name in SHAPE["$defs"]["Kafka"]["properties"]),
    *(("edge", name) for name in SHAPE["$defs"]["Edge"]["properties"]),
    *(("delivery", name) for name in SHAPE["$defs"]["Delivery"]["properties"]),
    *(("sources", 0, name) for name in SHAPE["$defs"]["Source"]["properties"]),
    *(("destinations", 0, name) for name in SHAPE["$defs"]["AmplitudeDestination"]["properties"]),
    *(("destinations", 1, name) for name in SHAPE["$defs"]["AampeDestination"]["properties"]),
    *(("pull", name) for name in SHAPE["$defs"]["Pulling"]["properties"]),
    *(("pulls", 0, name) for name in SHAPE["$defs"]["AmperityPull"]["properties"]),
    *(("pulls", 1, name) for name in SHAPE["$defs"]["AmplitudeCohortPull"]["properties"]),
    *(("pulls", 2, name) for name in SHAPE["$defs"]["AmplemarketPull"]["properties"]),
    *(("destinations", 1, "where", name) for name in ("country", 'a"b', "event_properties.x")),
    *(("edge", "scrub", 0, "pattern"), ("sources", 0, "scrub", 0, "field")),
]


def with_value(place: tuple[str | int, ...], value: Any) -> dict[str, Any]:  # noqa: ANN401  As in TOML.
    tree: Any = json.loads(json.dumps(GOOD))
    node = tree
    for part, following in pairwise(place):
        if isinstance(node, dict):
            node = node.setdefault(part, [{}] if following == 0 else {})
        else:
            node = node[part]
    node[place[-1]] = value
    return dict(tree)


def apply(config: Config) -> None:
    """All that a process builds of it."""
    Sources(config)
    for destination in config.destinations:
        sender_to(destination)
        assert destinations_in(config, destination)


@settings(examples(600), suppress_health_check=list(HealthCheck))
@given(place=st.sampled_from(PLACES), value=ANY, suffix=st.sampled_from(["", "", "_file"]))
def test_any_value_is_applied_or_named_by_its_path(
    place: tuple[str | int, ...],
    value: Any,  # noqa: ANN401  As in TOML.
    suffix: str,
) -> None:
    *parents, last = place
    said = f"ampgate.toml: {place[0]}"
    try:
        config = parse(with_value((*parents, f"{last}{suffix}"), value), {}, "ampgate.toml")
    except ConfigError as error:
        said = str(error)
    else:
        with suppress(ConfigError):  # What a key leads to, a file or a function, may be no good.
            apply(config)
    assert said.startswith(f"ampgate.toml: {place[0]}")


@examples(300)
@given(
    name=st.sampled_from(
        [f"AMPGATE_{'__'.join(map(str, place))}".upper() for place in PLACES if len(place) > 1]
    )
    | st.text(max_size=12).map(lambda text: f"AMPGATE_EDGE__{text}__²__X"),
    value=ANY.filter(lambda value: "\\ud" not in json.dumps(value)).map(str),
)
def test_any_override_is_applied_or_named(name: str, value: str) -> None:
    said = name
    try:
        config = parse(json.loads(json.dumps(GOOD)), {name: value}, "ampgate.toml")
    except ConfigError as error:
        said = str(error)
    else:
        with suppress(ConfigError):  # As above.
            apply(config)
    named, _, more = said.partition("…: ")  # Or the variables that begin so.
    assert said.startswith((name, "ampgate.toml: ")) or (more and name.startswith(named))


@examples(500)
@given(
    st.from_regex(r"https?://[a-z0-9.:\[\]@%_~/?#é-]{1,20}", fullmatch=True)
    | st.sampled_from([value for value in EDGES if isinstance(value, str)])
)
def test_a_url_that_is_taken_means_the_same_to_both_clients(text: str) -> None:
    try:
        url = usable_url(text)
    except ValueError:
        return
    ours, theirs = urlsplit(url), Url(url)
    assert theirs.host_str is not None
    assert (ours.scheme, ours.path or "/") == (theirs.scheme, theirs.path)
    assert (ours.hostname or "") == theirs.host_str.strip("[]") or ":" in theirs.host_str
    assert (ours.port or PORTS[ours.scheme]) == theirs.port_or_known_default


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a = " + "[" * 5000, "nested"),
        ("a = " + "9" * 5000, "digits"),
        ("a = 1\n\x00", "ampgate.toml"),
        ("[kafka]\nssl_cafile = 'ampgate.toml'", "kafka.ssl_cafile"),
        ("[kafka]\nssl_cafile = '/'", "there is no file"),
        ("[kafka]\nssl_cafile = 'a\\u0000b'", "kafka.ssl_cafile"),
        ("[kafka]\nssl_certfile = 'ampgate.toml'", "kafka.ssl_certfile"),
        ("[kafka]\nssl_keyfile = 'ampgate.toml'", "ssl_keyfile needs ssl_certfile"),
    ],
)
def test_a_file_that_cannot_be_used_is_a_configuration_error(
    text: str, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("ampgate.toml").write_text(text)
    with pytest.raises(ConfigError) as caught:
        load(Path("ampgate.toml"), {})
    assert words in str(caught.value)
