"""The exported documents say what the code does, and are the ones in the repository."""

import gzip
import json
from itertools import islice
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from schemas.documents import DIRECTORY, documents
from schemas.events import read_event, read_group_identification, read_identification
from schemas.ids import INVALID_IDS
from schemas.strictness import Defect
from tests.shared_data import DATA

EVENTS = DATA / "real_events.ndjson.gz"
META = Draft202012Validator.META_SCHEMA  # What a schema has to be like.
SCHEMAS = [name for name in documents() if name.endswith(".schema.json")]


def validator(name: str) -> Draft202012Validator:
    return Draft202012Validator(json.loads(documents()[name]))


def test_the_generated_files_are_up_to_date() -> None:
    found = {path.name: path.read_text(encoding="utf-8") for path in DIRECTORY.glob("*.json")}
    ours = {name: found.get(name) for name in documents()}
    assert ours == dict(documents()), "run: python -m schemas.documents"


@pytest.mark.parametrize("name", SCHEMAS)
def test_each_schema_is_valid(name: str) -> None:
    mistakes = Draft202012Validator(META).iter_errors(json.loads(documents()[name]))
    assert list(mistakes) == []


def test_every_reference_of_the_asyncapi_document_leads_somewhere() -> None:
    tree = json.loads(documents()["asyncapi.json"])
    files = {f"./{name}" for name in documents()}
    found = references(tree)
    assert found
    assert [one for one in found if one not in files and not leads_somewhere(one, tree)] == []


def leads_somewhere(reference: str, tree: Any) -> bool:  # noqa: ANN401  Any JSON.
    node = tree
    for part in reference.removeprefix("#/").split("/"):
        node = node.get(part, {})
    return bool(node)


def references(node: Any) -> list[str]:  # noqa: ANN401  Any JSON.
    if isinstance(node, list):
        return [reference for item in node for reference in references(item)]
    if not isinstance(node, dict):
        return []
    own = [node["$ref"]] if "$ref" in node else []
    return own + references(list(node.values()))


@pytest.mark.skipif(not EVENTS.exists(), reason=f"there is no {EVENTS.name} beside the repository")
def test_real_events_are_valid() -> None:
    event = validator("event.schema.json")
    with gzip.open(EVENTS, "rb") as lines:
        for line in islice(lines, 500):
            event.validate(json.loads(line))
            assert not isinstance(read_event(line), Defect)


NO_TIMES: list[object] = ["1", 1.5, True, "2026-01-01"]
NO_OBJECTS: list[object] = [[], "x", 1, False]
SOMEONE = {"event_type": "a", "user_id": "u1"}


@pytest.mark.parametrize(
    ("event", "is_good"),
    [
        (SOMEONE, True),
        ({"event_type": "a", "device_id": "d1"}, True),
        ({"event_type": "a", "user_id": None, "device_id": "d1"}, True),
        ({**SOMEONE, "what_we_never_heard_of": [1]}, True),
        ({**SOMEONE, "event_properties": {}}, True),
        ({**SOMEONE, "event_properties": {"a": [1]}}, True),
        ({**SOMEONE, "event_properties": None}, True),
        *(({**SOMEONE, "time": value}, True) for value in (0, -1, 10**15, None)),
        *(({**SOMEONE, "insert_id": value}, True) for value in ("", "x", None)),
        ({**SOMEONE, "session_id": -1, "event_id": 3, "ip": "$remote"}, True),
        ({"event_type": "$groupidentify", "groups": {"company": "acme"}}, True),
        ({"event_type": "$groupidentify", "groups": {"company": ["a", "b"]}}, True),
        ({"event_type": "$groupidentify", "user_id": "u1"}, True),
        ({}, False),
        ([], False),
        (None, False),
        ({"user_id": "u1"}, False),
        ({"event_type": "a"}, False),
        ({"event_type": None, "user_id": "u1"}, False),
        ({"event_type": "", "user_id": "u1"}, False),
        ({"event_type": " \t", "user_id": "u1"}, False),
        ({"event_type": 1, "user_id": "u1"}, False),
        ({"event_type": "a", "user_id": None, "device_id": None}, False),
        ({"event_type": "a", "groups": {"company": "acme"}}, False),
        ({"event_type": "$groupidentify"}, False),
        ({"event_type": "$groupidentify", "groups": {}}, False),
        ({"event_type": "$groupidentify", "groups": None}, False),
        ({"event_type": "a", "user_id": 17850}, False),
        *(({"event_type": "a", "user_id": word}, False) for word in sorted(INVALID_IDS)),
        *(({"event_type": "a", "device_id": f" {w.upper()}\n"}, False) for w in INVALID_IDS),
        ({**SOMEONE, "device_id": "unknown"}, False),
        *(({**SOMEONE, "time": wrong}, False) for wrong in NO_TIMES),
        ({**SOMEONE, "session_id": "1"}, False),
        ({**SOMEONE, "session_id": 1.5}, False),
        ({**SOMEONE, "insert_id": 5}, False),
        *(
            ({**SOMEONE, field: wrong}, False)
            for field in ("event_properties", "user_properties", "groups", "group_properties")
            for wrong in NO_OBJECTS
        ),
    ],
)
def test_the_event_schema_and_the_check_agree(event: object, is_good: bool) -> None:
    assert isinstance(read_event(json.dumps(event).encode()), Defect) is not is_good
    assert validator("event.schema.json").is_valid(event) is is_good


@pytest.mark.parametrize(
    ("update", "is_good"),
    [
        ({"user_id": "u1", "user_properties": {"$set": {"a": 1}}}, True),
        ({"device_id": "d1", "user_properties": {}}, True),
        ({"user_id": "u1", "groups": {"company": "acme"}}, True),
        ({"user_id": "u1", "device_id": "d1"}, True),
        ({"user_properties": {"a": 1}}, False),
        ({"user_id": "null", "user_properties": {"a": 1}}, False),
        ({"user_id": "u1", "user_properties": []}, False),
        ({"user_id": "u1", "user_properties": {}, "groups": 5}, False),
    ],
)
def test_the_user_properties_schema_and_the_check_agree(update: object, is_good: bool) -> None:
    assert isinstance(read_identification(json.dumps(update).encode()), Defect) is not is_good
    assert validator("user-properties.schema.json").is_valid(update) is is_good


@pytest.mark.parametrize(
    ("update", "is_good"),
    [
        ({"group_type": "company", "group_value": "acme", "group_properties": {"a": 1}}, True),
        ({"group_type": "company", "group_value": 5, "group_properties": {}}, True),
        ({"group_type": "company", "group_value": 1.5, "group_properties": {}}, True),
        ({"group_type": "", "group_value": "acme", "group_properties": {}}, False),
        ({"group_type": "company", "group_value": "", "group_properties": {}}, False),
        ({"group_type": "company", "group_value": ["a"], "group_properties": {}}, False),
        ({"group_type": "company", "group_value": True, "group_properties": {}}, False),
        ({"group_type": "company", "group_value": None, "group_properties": {}}, False),
        ({"group_value": "acme", "group_properties": {}}, False),
        ({"group_type": "company", "group_value": "acme"}, True),
        ({"group_type": "company", "group_value": "acme", "group_properties": []}, False),
    ],
)
def test_the_group_properties_schema_and_the_check_agree(update: object, is_good: bool) -> None:
    defect = isinstance(read_group_identification(json.dumps(update).encode()), Defect)
    assert defect is not is_good
    assert validator("group-properties.schema.json").is_valid(update) is is_good
