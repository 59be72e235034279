"""A destination's function: what it may change, how it may fail, and when it is read again."""

import os
from pathlib import Path
from typing import Any

import pytest

from consumers.delivery.outcomes import Reject, Skip
from consumers.destinations import destinations_of
from consumers.destinations.shaping.functions import digest_of, renewed
from schemas.configuration.config import ConfigError
from schemas.topics import Kind
from schemas.vendors.amplitude import AmplitudeDestination
from tests.unit.consumers.destinations.shaping.shaping import EVENT, destination, outcome

HERE = "tests.unit.consumers.destinations.shaping.functions_of_users"


def with_function(name: str) -> AmplitudeDestination:
    return destination(transform=f"{HERE}:{name}")


def test_what_a_function_returns_is_sent() -> None:
    assert outcome(with_function("same"), EVENT) == EVENT
    assert outcome(with_function("Mapping.inside"), EVENT) == {**EVENT, "event_type": "Inside"}


def test_an_event_for_which_it_returns_none_is_skipped() -> None:
    assert outcome(with_function("nothing"), EVENT) == Skip("transform")


@pytest.mark.parametrize("kind", Kind)
def test_a_function_that_takes_the_kind_gets_it(kind: Kind) -> None:
    values: dict[Kind, dict[str, Any]] = {
        Kind.EVENT: EVENT,
        Kind.USER_PROPERTIES: {"user_id": "ann", "user_properties": {}},
        Kind.GROUP_PROPERTIES: {"group_type": "g", "group_value": "v", "group_properties": {}},
    }
    value, config = values[kind], with_function("kinds")
    assert outcome(config, value, kind) == {**value, "kind": kind.value}


def test_ids_insert_id_and_time_stay_whatever_a_function_returns() -> None:
    changed = outcome(with_function("takes_everything"), EVENT)
    assert changed == {**EVENT, "event_type": "New", "event_properties": {"n": 1}}
    assert outcome(with_function("drops_ids"), EVENT) == EVENT


def test_a_function_gets_what_delivery_fills_in() -> None:
    bare = {"event_type": "Bought", "user_id": "ann", "insert_id": None}
    found = outcome(with_function("drops_ids"), bare)
    assert found == {**bare, "insert_id": "ampgate.event/0/7", "time": 5}


@pytest.mark.parametrize(
    ("name", "detail"),
    [
        ("raises", "KeyError: 'price'"),
        ("exits", "SystemExit: 3"),
        ("exits_as_text", "ExitsAsTextError"),
        ("exits_as_dict", "SystemExit: 5"),
        ("exits_as_key", "SystemExit: 6"),
        ("recurses", "RecursionError: maximum recursion depth exceeded"),
        ("cancels", "CancelledError"),
        ("is_promised", "it returned a generator, not a dict or None"),
        ("of_many_digits", "ValueError: Exceeds the limit (4300 digits)"),
        ("grows", "what it returned has 1000095 bytes, over 1000000"),
        ("a_list", "it returned a list, not a dict or None"),
        ("cyclic", "what it returned is no JSON: event_properties is nested over 40 levels"),
        ("blank", "what it returned is no record: event_type is blank"),
        ("with_a_number_as_key", "what it returned is no JSON: a key of event_properties is no"),
    ],
)
def test_a_function_that_fails_makes_a_dead_letter(name: str, detail: str) -> None:
    found = outcome(with_function(name), EVENT)
    assert isinstance(found, Reject)
    assert found.reason == "transform_failed"
    assert found.detail.startswith(detail)


@pytest.mark.parametrize(
    ("of", "what"),
    [
        ("decimal", "is a Decimal"),
        ("nan", "is nan"),
        ("moment", "is a datetime"),
        ("set", "is a set"),
        ("bytes", "is a bytes"),
        ("surrogate", "is no Unicode text"),
    ],
)
def test_a_value_that_json_does_not_have_makes_a_dead_letter(of: str, what: str) -> None:
    found = outcome(with_function("with_value"), {**EVENT, "event_properties": {"of": of}})
    said = f"what it returned is no JSON: event_properties.at.x.0 {what}"
    assert found == Reject("transform_failed", said)


@pytest.mark.parametrize(("of", "value"), [("huge", 2**70), ("none", None), ("tuple", [1, 2])])
def test_every_value_that_json_has_is_sent(of: str, value: object) -> None:
    found = outcome(with_function("with_value"), {**EVENT, "event_properties": {"of": of}})
    assert isinstance(found, dict)
    (sent,) = found["event_properties"]["at"]["x"]
    assert sent == (float(2**70) if of == "huge" else value)  # orjson reads it as a float.


@pytest.mark.parametrize(
    ("path", "fault"),
    [
        ("shop_that_is_not.mapping:f", "No module named 'shop_that_is_not'; install it"),
        (f"{HERE}:no_such", "has no no_such; correct the name"),
        (f"{HERE}:NOT_CALLABLE", "is a int, no function; write it as"),
        (f"{HERE}:slowly", "is async; write it as"),
        (f"{HERE}:yields", "is a generator: it yields; write it as"),
        (f"{HERE}:takes_none", "cannot be called with one event"),
        (f"{HERE}:takes_two", "cannot be called with one event"),
    ],
)
def test_a_function_that_cannot_be_used_is_told_in_one_sentence(path: str, fault: str) -> None:
    with pytest.raises(ConfigError) as refused:
        destinations_of(destination(transform=path))
    said = str(refused.value)
    assert said.startswith(f'destination us: transform "{path}": ')
    assert fault in said
    assert "\n" not in said


@pytest.mark.parametrize("source", ["raise SystemExit(3)", "1/0", "def f(:", "import no_such_one"])
def test_a_module_that_cannot_be_imported_is_told_in_one_sentence(
    source: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "module_of_a_user.py").write_text(source)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ConfigError, match="module_of_a_user cannot be imported"):
        destinations_of(destination(transform="module_of_a_user:f"))


def test_a_changed_module_is_imported_again_and_a_bad_one_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (package := tmp_path / "package_of_a_user").mkdir()
    monkeypatch.syspath_prepend(tmp_path)
    (package / "names.py").write_text("NAME = 'one'")
    (package / "mapping.py").write_text(
        "from package_of_a_user.names import NAME\ndef f(event): return {**event, 'name': NAME}"
    )
    config = destination(transform="package_of_a_user.mapping:f")
    assert outcome(config, EVENT) == {**EVENT, "name": "one"}
    first = digest_of(config)
    renewed([config])
    assert digest_of(config) == first

    (package / "names.py").write_text("NAME = 'two'")  # Of the same length, in the same second.
    renewed([config])
    assert outcome(config, EVENT) == {**EVENT, "name": "two"}
    assert digest_of(config) != first

    (package / "names.py").write_text("NAME = ")
    with pytest.raises(ConfigError, match="SyntaxError"):
        renewed([config])
    assert outcome(config, EVENT) == {**EVENT, "name": "two"}

    (package / "names.py").unlink()
    os.mkfifo(package / "names.py")  # Nobody ever writes into it.
    try:
        with pytest.raises(ConfigError, match="cannot be imported"):
            renewed([config])
    finally:
        (package / "names.py").unlink()  # Hypothesis reads the sources of all modules.
    assert outcome(config, EVENT) == {**EVENT, "name": "two"}
