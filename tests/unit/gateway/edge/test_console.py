"""The console may do what it must, and nothing that a link to it asks for."""

import httpx
import pytest

from gateway.edge.console import origin_of
from tests.unit.gateway.memory import Edge


async def policy_of(path: str) -> dict[str, str]:
    """The directives of the page's Content-Security-Policy."""
    async with Edge(path_prefix="/events").client as client:
        answer: httpx.Response = await client.get(path)
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/html")
    directives = answer.headers["content-security-policy"].split("; ")
    return dict(one.split(" ", 1) for one in directives)


@pytest.mark.parametrize("path", ["/console", "/events/console"])
async def test_it_runs_its_own_script_alone_and_talks_to_its_edge_alone(path: str) -> None:
    policy = await policy_of(path)
    assert policy["default-src"] == "'none'"
    assert policy["connect-src"] == "'self'"
    assert policy["frame-ancestors"] == "'none'"
    for element in ("script-src", "style-src"):
        (only,) = policy[element].split()
        assert only.startswith("'sha256-")


async def test_it_talks_to_the_delivery_that_it_was_told_of() -> None:
    policy = await policy_of("/console?delivery=http://127.0.0.1:9090/admin/")
    assert policy["connect-src"] == "'self' http://127.0.0.1:9090"


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("https://ops.example", "https://ops.example"),
        ("https://ops.example:9443/x?y#z", "https://ops.example:9443"),
        ("http://[::1]:9090/", "http://[::1]:9090"),
        ("http://who:what@ops.example:1", "http://ops.example:1"),
        ("", None),
        ("ops.example:9090", None),
        ("javascript:alert(1)", None),
        ("data:text/html,x", None),
        ("http://*", None),
        ("http://a; script-src *", None),
        ("http://a b/", None),
        ("http://a\r\nset-cookie: x=y", None),
        ("http://a:99999", None),
        ("http://[", None),
    ],
)
def test_a_link_cannot_change_the_policy_but_for_one_origin(url: str, origin: str | None) -> None:
    assert origin_of(url) == origin
