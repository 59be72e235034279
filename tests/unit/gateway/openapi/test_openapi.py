"""The OpenAPI document covers the edge, and is the one in the repository."""

import json
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from gateway.dialects import ENDPOINTS
from gateway.openapi.export import FILE, text
from tests.kafka.dialect_contracts import CONTRACTS, Contract
from tests.unit.gateway.memory import Edge

TREE: Any = json.loads(text())
META = Draft202012Validator.META_SCHEMA  # What a schema has to be like.
OPERATIONS = [
    (path, method, described)
    for path, item in TREE["paths"].items()
    for method, described in item.items()
]


def test_the_generated_file_is_up_to_date() -> None:
    assert FILE.read_text(encoding="utf-8") == text(), "run: python -m gateway.openapi"


async def test_it_is_what_the_edge_serves() -> None:
    async with Edge().client as client:
        assert (await client.get("/openapi.json")).json() == TREE


def test_every_path_is_in_it() -> None:
    expected = {path: {m.lower() for m in ENDPOINTS[path].methods} for path in ENDPOINTS}
    expected |= {path: {"get"} for path in ("/healthz", "/readyz", "/metrics")}
    assert {path: set(TREE["paths"].get(path, {})) for path in expected} == expected


def test_every_reference_leads_somewhere() -> None:
    names = set()
    nodes = [TREE]
    while nodes:
        node = nodes.pop()
        if isinstance(node, dict) and isinstance(node.get("$ref"), str):
            names.add(node["$ref"].removeprefix("#/components/schemas/"))
        nodes += node.values() if isinstance(node, dict) else node if isinstance(node, list) else []
    assert names <= set(TREE["components"]["schemas"])


def test_operations_have_names_of_their_own() -> None:
    names = [described["operationId"] for _, _, described in OPERATIONS]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("schema", TREE["components"]["schemas"])
def test_each_schema_is_valid(schema: str) -> None:
    mistakes = Draft202012Validator(META).iter_errors(TREE["components"]["schemas"][schema])
    assert list(mistakes) == []


@pytest.mark.parametrize(
    ("path", "status"), [(path, status) for path in ENDPOINTS for status in ("429", "503")]
)
def test_an_answer_to_retry_says_when(path: str, status: str) -> None:
    header = TREE["paths"][path]["post"]["responses"][status]["headers"]["Retry-After"]
    assert header["required"]


@pytest.mark.parametrize("contract", CONTRACTS, ids=lambda contract: contract.name)
@pytest.mark.parametrize(("key", "body"), [("secret", None), ("wrong", None), ("secret", b"{")])
async def test_requests_and_answers_are_as_described(
    contract: Contract, key: str, body: bytes | None
) -> None:
    sent = contract.send(key, "user-1", ["Bought"])
    async with Edge().client as client:
        content = sent.body if body is None else body
        answer = await client.post(sent.path, content=content, headers=sent.headers)
    described = described_path(sent.path)["post"]
    if sent.headers["content-type"].endswith("json") and body is None:
        request = described["requestBody"]["content"][sent.headers["content-type"]]["schema"]
        assert_valid(json.loads(content), request)
    media = answer.headers["content-type"].partition(";")[0]
    said = described["responses"][str(answer.status_code)]["content"][media]["schema"]
    assert_valid(answer.text if media == "text/plain" else answer.json(), said)


def described_path(path: str) -> Any:  # noqa: ANN401  Any JSON.
    return TREE["paths"].get(path) or TREE["paths"][path.rpartition("/")[0] + "/{key}"]


def assert_valid(value: object, schema: Any) -> None:  # noqa: ANN401  Any JSON.
    Draft202012Validator(schema | {"components": TREE["components"]}).validate(value)
