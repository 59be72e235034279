"""What the OpenAPI document says is so, whatever is sent: Schemathesis against a running edge.

The requests are the same each time: `AMPGATE_FUZZ_SEED=2` draws others.
"""

import json
import os
import re
import uuid
from base64 import b64encode
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest
import pytest_asyncio
import requests
import schemathesis
from hypothesis import Phase, seed, settings
from schemathesis import Case, CheckContext, Response, SerializationContext
from schemathesis.checks import not_a_server_error
from schemathesis.openapi.checks import IgnoredAuth
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    ignored_auth,
    positive_data_acceptance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
    unsupported_method,
)

from gateway.openapi.export import FILE
from schemas.events import EventFacts, IdentificationFacts
from schemas.models import Event, Identification
from tests.conftest import Broker
from tests.eventually import DEADLINE_SECONDS
from tests.kafka.edge_process import EdgeProcess, create_topics, running

SHORT = re.compile("/segment/v1/(.|import)")
KEY = "secret"
AUTHORIZATIONS = {
    "bearer": f"Bearer {KEY}",
    "basic": "Basic " + b64encode(f"{KEY}:".encode()).decode(),
}
EXAMPLES = int(os.environ.get("AMPGATE_FUZZ_EXAMPLES", "20"))  # Of each path; 200 take ten minutes.


def keys_are_asked_for(context: CheckContext, response: Response, case: Case[Any]) -> bool | None:
    """As `ignored_auth`; after 100 wrong keys of one address the answer is 429."""
    try:
        return ignored_auth(context, response, case)
    except IgnoredAuth as failure:
        if "429 Too Many Requests" in str(failure):
            return None
        raise


CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    positive_data_acceptance,
    unsupported_method,
    keys_are_asked_for,
]
Json = Any


def easy(node: Json) -> Json:
    """The same document where Schemathesis finds no values, or takes long to: of the right ids only
    some, and what is JSON inside a text as itself."""
    if isinstance(node, list):
        return [easy(child) for child in node]
    if not isinstance(node, dict):
        return node
    if "contentSchema" in node:
        return easy(node["contentSchema"])
    children = {name: easy(child) for name, child in node.items()}
    if str(node.get("pattern")).startswith("^(?!"):
        children["pattern"] = "^user-[a-z0-9]{1,9}$"
    return children


def condensed() -> Json:
    """The document without what would only repeat: fields that nobody looks at, shorter paths."""
    document = easy(json.loads(FILE.read_text(encoding="utf-8")))
    schemas = document["components"]["schemas"]
    for model, facts in ((Event, EventFacts), (Identification, IdentificationFacts)):
        properties = schemas[model.__name__]["properties"]
        kept = facts.__struct_fields__
        schemas[model.__name__]["properties"] = {name: properties[name] for name in kept}
    paths = document["paths"]
    document["paths"] = {path: paths[path] for path in paths if not SHORT.fullmatch(path)}
    return document


SEED = int(os.environ.get("AMPGATE_FUZZ_SEED", "1"))
schema = schemathesis.openapi.from_dict(condensed(), config=schemathesis.Config(seed=SEED))


@schemathesis.serializer("text/plain")
def json_as_text(_: SerializationContext, value: Any) -> bytes:  # noqa: ANN401  Any JSON.
    return value if isinstance(value, bytes) else json.dumps(value).encode()


@schemathesis.serializer("application/x-ndjson")
def lines(_: SerializationContext, value: Any) -> bytes:  # noqa: ANN401  Any JSON.
    if isinstance(value, bytes):
        return value
    values = value if isinstance(value, list) else [value]
    return b"\n".join(json.dumps(line).encode() for line in values)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def edge(
    kafka: Broker,
    tmp_path_factory: pytest.TempPathFactory,
    unused_tcp_port_factory: Callable[[], int],
) -> AsyncIterator[EdgeProcess]:
    prefix = f"fuzz-{uuid.uuid4().hex[:12]}."
    await create_topics(kafka.bootstrap_servers, prefix)
    directory = tmp_path_factory.mktemp("fuzz")
    port = unused_tcp_port_factory()
    async with running(directory, kafka.bootstrap_servers, prefix, port) as edge:
        yield edge
        _, unexpected, traceback = edge.said.read_text().partition("unexpected")
        assert not unexpected, traceback


@pytest.fixture(scope="module")
def session() -> Iterator[requests.Session]:
    with requests.Session() as session:
        session.trust_env = False  # The edge is here, not behind a proxy.
        yield session


@schema.parametrize()
@seed(SEED)
@settings(max_examples=EXAMPLES, database=None, phases=[Phase.explicit, Phase.generate])
def test_the_edge_is_as_described(
    case: Case[Any], edge: EdgeProcess, session: requests.Session
) -> None:
    """What is not, raises: schemathesis asserts each of its checks."""
    checks = [check for check in CHECKS if check is not positive_data_acceptance]
    case.call_and_validate(
        edge.url,
        session=session,
        headers=with_key(case),
        timeout=DEADLINE_SECONDS,
        checks=checks if case.method == "GET" else CHECKS,  # In a query JSON would get lost.
    )


def with_key(case: Case[Any]) -> dict[str, str]:
    """Puts the right key where the dialect has it, and takes ids of any length."""
    for fields in (case.body, case.query):
        if isinstance(fields, dict) and fields.get("api_key"):
            fields["api_key"] = KEY
            fields["options"] = {"min_id_length": 1}
            if in_a_form := {"identification", "event"} & fields.keys():
                fields |= {name: json.dumps(fields[name]) for name in (*in_a_form, "options")}
        if isinstance(fields, dict) and fields.get("client") and "e" in fields:
            fields |= {"client": KEY, "e": json.dumps(fields["e"])}
    if case.path_parameters.get("key"):
        case.path_parameters["key"] = KEY
    schemes = {name for one in case.operation.definition.raw.get("security", []) for name in one}
    for scheme in schemes & AUTHORIZATIONS.keys():
        return {"Authorization": AUTHORIZATIONS[scheme]}
    return {}
