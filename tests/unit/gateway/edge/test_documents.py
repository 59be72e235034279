"""`/docs` and `/openapi.json`: nothing from elsewhere, and examples that succeed as they stand."""

import json
import re
from typing import Any
from urllib.parse import quote

import pytest

from gateway.edge.documents import PAGE
from gateway.openapi.export import text
from tests.unit.gateway.memory import Edge

TREE: Any = json.loads(text())
DEV = {"name": "dev", "write_key": "dev"}
EXAMPLES = [
    (path, media_type, content["example"], described)
    for path, item in TREE["paths"].items()
    if "post" in item
    for described in [item["post"]]
    for media_type, content in described["requestBody"]["content"].items()
    if media_type != "multipart/form-data"
]


@pytest.mark.parametrize(
    ("path", "media_type", "example", "described"),
    EXAMPLES,
    ids=[f"{path} {media_type}" for path, media_type, _, _ in EXAMPLES],
)
async def test_every_example_is_stored_as_it_stands(
    path: str, media_type: str, example: dict[str, str] | str, described: dict[str, Any]
) -> None:
    edge = Edge(DEV)
    headers = {"content-type": media_type}
    if any("bearer" in one for one in described.get("security", [])):
        headers["authorization"] = "Bearer dev"
    async with edge.client as client:
        if isinstance(example, dict) and "form" in media_type:
            answer = await client.post(path, data=example, headers=headers)
        else:
            body = example if isinstance(example, str) else json.dumps(example)
            answer = await client.post(path.format(key="dev"), content=body, headers=headers)

    assert answer.status_code == min(int(status) for status in described["responses"])
    is_alias = "alias" in path or path.endswith("/a")  # Kept as a dead letter; it has no use yet.
    assert ("dead-letters" in edge.store.topics) == is_alias
    assert any(edge.store.topics.values())


@pytest.mark.parametrize("path", ["/identify", "/groupidentify"])
async def test_the_examples_of_a_query_are_stored_as_they_stand(path: str) -> None:
    edge = Edge(DEV)
    parameters = TREE["paths"][path]["get"]["parameters"]
    query = "&".join(
        f"{one['name']}={quote(one['example'])}" for one in parameters if "example" in one
    )
    async with edge.client as client:
        answer = await client.get(f"{path}?{query}")

    assert (answer.status_code, answer.text) == (200, "success")
    assert sum(len(records) for records in edge.store.topics.values()) == 1


@pytest.mark.parametrize("prefix", ["", "/collect"])
async def test_the_document_is_made_once_and_need_not_be_sent_again(prefix: str) -> None:
    async with Edge(path_prefix="/collect").client as client:
        first = await client.get(f"{prefix}/openapi.json")
        again = await client.get(
            f"{prefix}/openapi.json", headers={"if-none-match": first.headers["etag"]}
        )
        other = await client.get(f"{prefix}/openapi.json", headers={"if-none-match": '"other"'})
    assert first.json().get("servers") == ([{"url": prefix}] if prefix else None)
    assert (again.status_code, again.content) == (304, b"")
    assert (other.status_code, other.content) == (200, first.content)


async def test_the_page_loads_nothing_from_another_host() -> None:
    async with Edge().client as client:
        answer = await client.get("/docs")
    assert answer.headers["content-type"].startswith("text/html")
    policy = dict(
        one.split(" ", 1) for one in answer.headers["content-security-policy"].split("; ")
    )
    assert policy["default-src"] == "'none'"
    assert policy["connect-src"] == "'self'"
    assert "unsafe" not in answer.headers["content-security-policy"]
    assert re.findall(r"""(?:https?:)?//[a-z0-9-]+\.""", PAGE) == []


PRIVATE = ["/metrics", "/docs", "/openapi.json", "/console", "/docs/oauth2-redirect", "/redoc"]


@pytest.mark.parametrize("path", PRIVATE)
async def test_with_an_admin_port_the_public_one_has_probes_and_ingest_only(path: str) -> None:
    edge = Edge(admin_port=0, path_prefix="/collect")
    async with edge.client as public, edge.admin_client as admin:
        for prefix in ("", "/collect"):
            assert (await public.get(f"{prefix}{path}")).json() == {
                "code": 404,
                "error": "Not Found",
            }
            assert (await public.get(f"{prefix}/healthz")).status_code == 200
            assert (await public.get(f"{prefix}/readyz")).status_code == 200
            if path in PRIVATE[:4]:
                assert (await admin.get(f"{prefix}{path}")).status_code == 200
        assert (await admin.get("/healthz")).status_code == 200
        for client in (public, admin):  # An example of `/docs` goes where the page came from.
            answer = await client.post(
                "/v1/events",
                json={"event_type": "a", "user_id": "user-1"},
                headers={"authorization": "Bearer secret"},
            )
            assert answer.status_code == 202
