"""Whatever a polled system answers: a page with all its objects, or one of four errors."""

import json
import string
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.pulls.amplemarket_lists import fields_of
from gateway.pulls.pull import (
    Answer,
    CursorLostError,
    Lift,
    Pull,
    RefusedError,
    Suppress,
    TooLargeError,
    UnavailableError,
    UnreadableError,
    object_id_of,
)
from schemas.strictness import Defect
from tests.unit.gateway.pulls.systems import Answering, cohort, exclusions, profiles, tasks

EXPECTED = (CursorLostError, RefusedError, UnavailableError, UnreadableError)
DEEP = "[" * 3_000 + "]" * 3_000
ODD = [
    *("null", "true", "17", "-1", "1e999", "1" * 5_000, '""', '" "', '"a"', '"\\u0000"'),
    *('"\\ud800"', '"\\udc00x"', "[]", "{}", "[[]]", '[""]', DEEP, '"' + "x" * 5_000 + '"'),
    *('{"email":1e999}', '{"email":"a@b.c"}', '{"email":"\\ud800"}', '[{"name":7,"value":1}]'),
    *('[{"name":"email","value":"a"}]', '{"href":7}', '{"href":"/tasks?page[after]=x"}'),
    *('{"href":"http://["}', '{"next":{"href":"/x"}}', '{"next":"/x?page[after]=y"}'),
]
TEMPLATES = [
    '{"data":[{"id":$a,"attributes":$b}],"next_token":$c}',
    '{"data":$a,"next_token":$b}',
    '{"tasks":[{"id":$a,"status":"completed","contact_id":$b,"updated_at":$c}],"_links":{}}',
    '{"contacts":[{"id":$a,"email":$b}],"_links":$c}',
    '{"excluded_emails":[{"email":$a,"created_at":$b}],"_links":{"next":$c}}',
    '{"excluded_domains":[{"domain":$a}, $b],"_links":$c}',
    '{"request_id":$a,"cohort_id":$b,"async_status":$c}',
    '{"_errors":[{"code":$a}],"status":$b,"message":$c}',
    "$a",
]
odd = st.sampled_from(ODD)
bodies = st.builds(
    lambda template, a, b, c: string.Template(template).substitute(a=a, b=b, c=c).encode(),
    *(st.sampled_from(TEMPLATES), odd, odd, odd),
)
cut = st.builds(lambda body, size: body[:size], bodies, st.integers(0, 60))
any_body = bodies | st.binary(max_size=60) | cut
OTHERS = [201, 202, 204, 206, 302, 400, 402, 404, 409, 410, 414, 422]
statuses = st.just(200) | st.sampled_from(OTHERS)
answers = st.builds(lambda status, body: Answer(status, {}, body), statuses, any_body)
PULLS: dict[str, Callable[[Path], Pull]] = {
    "amperity": lambda _: profiles(),
    "amplemarket": lambda _: tasks(),
    "exclusions": lambda _: exclusions(),
    "cohort": cohort,
}
CURSORS = {
    "amperity": [None, "next", ""],
    "amplemarket": [None, '{"after":"x"}', '{"is_listening":true}', "QWx0ZXI", DEEP],
    "exclusions": [None, '{"list":"domains"}', '{"is_again":true}', "{}", "5"],
    "cohort": [None, '{"request":"r"}', '{"request":"r","row":0,"paid":1}', '{"row":"x"}', "x"],
}


@pytest.mark.parametrize("name", PULLS)
@given(data=st.data(), answer=answers, other=answers)
async def test_any_answer_is_a_page_or_an_error_that_says_what_follows(
    name: str,
    data: st.DataObject,
    answer: Answer,
    other: Answer,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    directory = tmp_path_factory.getbasetemp()
    api = Answering(answer, {"/contacts": other}, file=answer.body)
    pull = PULLS[name](directory)
    cursor = data.draw(st.sampled_from(CURSORS[name]))
    try:
        page = await pull.page(api, cursor)
    except EXPECTED:
        return
    for item in page.items:
        item.object_id.encode("utf-8", "surrogatepass")
        assert item.record is None or isinstance(item.record, bytes | Defect | Suppress | Lift)
    if is_a_page_of_the_body(name, cursor):
        assert len(page.items) >= fewest(answer)


def is_a_page_of_the_body(name: str, cursor: str | None) -> bool:
    return name in ("amperity", "exclusions") or (name == "amplemarket" and cursor is None)


def fewest(answer: Answer) -> int:
    """How many objects the body has at least."""
    arrays = [raw for raw in fields_of(answer.body).values() if bytes(raw).startswith(b"[")]
    return min(len(msgspec.json.decode(array, type=list[msgspec.Raw])) for array in arrays)


async def test_a_page_of_profiles_too_large_is_asked_for_in_halves_until_they_are_small() -> None:
    class Large(Answering):
        profile_bytes = 200_000

        async def get(self, path: str, query: object = ()) -> Answer:
            limit = int(dict(query)["limit"])  # type: ignore[call-overload]  # Pairs.
            self.asked.append((path, [("limit", str(limit))]))
            size = limit * self.profile_bytes
            if size > 32_000_000:
                raise TooLargeError("too large")
            return Answer(200, {}, b'{"data":[]}' + b" " * size)

    api, pull = Large(), profiles()
    for profile_bytes in (200_000, 200_000, 10, 10, 10, 10, 10):
        api.profile_bytes = profile_bytes
        await pull.page(api, None if not api.asked else "next")
    limits = [int(query[0][1]) for _, query in api.asked]
    assert limits == [1000, 500, 250, 125, 125, 125, 250, 500, 1000, 1000]


@pytest.mark.parametrize(
    "links",
    [
        *('{"next":{"href":7}}', '{"next":{"href":"/excluded-emails?page=2"}}', '{"next":7}'),
        *('{"next":"/excluded-emails"}', '{"next":{"href":"http://["}}', '"none"', "[]"),
    ],
)
async def test_a_next_page_that_cannot_be_followed_is_not_the_end_of_a_list(links: str) -> None:
    """Else all that it would have shown were taken for gone, and no longer suppressed."""
    body = '{"excluded_emails":[{"email":"a@b.c"}],"_links":' + links + "}"
    with pytest.raises(UnreadableError):
        await exclusions().page(Answering(Answer(200, {}, body.encode())), None)


async def test_a_full_page_without_links_is_not_the_end_of_a_list() -> None:
    body = json.dumps({"excluded_emails": [{"email": f"a{n}@b.c"} for n in range(100)]})
    with pytest.raises(UnreadableError):
        await exclusions().page(Answering(Answer(200, {}, body.encode())), None)


@pytest.mark.parametrize("name", ["amplemarket", "exclusions", "cohort"])
async def test_a_cursor_of_another_type_of_pull_starts_over(name: str, tmp_path: Path) -> None:
    with pytest.raises(CursorLostError):
        await PULLS[name](tmp_path).page(Answering(), "QWx0ZXI")


@pytest.mark.parametrize("body", ['{"_errors":[{"code":"x"}]}', '{"_errors":[]}'])
async def test_an_error_with_a_success_s_status_is_no_list(body: str) -> None:
    """Else all that is suppressed were taken for gone."""
    with pytest.raises(UnreadableError):
        await exclusions().page(Answering(Answer(200, {}, body.encode())), None)


async def test_an_id_too_long_for_an_address_is_not_asked_for_and_stops_nothing() -> None:
    long = "x" * 5_000
    named = [{"id": str(n), "status": "completed", "contact_id": one} for n, one in enumerate("ab")]
    odd = {"id": "odd", "status": "completed", "contact_id": long}
    page = Answer(200, {}, json.dumps({"tasks": [*named, odd], "_links": {}}).encode())
    api = Answering(page, {"/contacts": Answer(200, {}, b'{"contacts":[{"id":"a"},{"id":"b"}]}')})
    items = (await tasks().page(api, None)).items
    assert [query for path, query in api.asked if path == "/contacts"] == [
        [("ids[]", "a"), ("ids[]", "b")]
    ]
    assert [one.object_id for one in items if isinstance(one.record, Defect)] == [
        f"contact:{object_id_of(long)}"
    ]


@pytest.mark.parametrize("completed_at", ["soon", "0001-01-01T00:00:00Z", "27.11.2026", " "])
async def test_a_task_with_an_odd_time_of_completion_has_that_of_its_update(
    completed_at: str,
) -> None:
    task = {"id": "t", "status": "completed", "contact_id": "c", "completed_at": completed_at}
    body = json.dumps({"tasks": [task | {"updated_at": "2026-11-27T10:00:00Z"}], "_links": {}})
    api = Answering(Answer(200, {}, body.encode()), {"/contacts": Answer(200, {}, b'{"data":[]}')})
    [item, _] = (await tasks().page(api, None)).items
    assert isinstance(item.record, bytes)
    assert json.loads(item.record)["time"] == 1_795_773_600_000


async def test_a_profile_whose_id_is_a_number_is_the_same_as_one_whose_id_is_its_digits() -> None:
    body = b'{"data":[{"id":7,"attributes":{"email":"a@b.c","x":1}}]}'
    [item] = (await profiles().page(Answering(Answer(200, {}, body)), None)).items
    assert (item.object_id, isinstance(item.record, bytes)) == ("7", True)
