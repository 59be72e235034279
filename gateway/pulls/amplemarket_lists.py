"""What all lists of Amplemarket have in common: read tolerantly (amplemarket.md#rest-api)."""

from collections.abc import Mapping
from urllib.parse import parse_qs, urlsplit

import msgspec
from msgspec import Raw

from gateway.pulls.pull import Answer, Api, UnreadableError, decoded, failure
from schemas.decoding import NOT_DECODED

PAGE = 100
LOST = (400, 404, 410, 422)  # Of a page with a cursor: it is not known any more.
Fields = Mapping[str, Raw]

_object = msgspec.json.Decoder(dict[str, Raw])
_list = msgspec.json.Decoder(list[Raw])
_text = msgspec.json.Decoder(str)


class _Next(msgspec.Struct):
    href: str | None = None


class _Links(msgspec.Struct):
    next: _Next | str | None = None


class _Linked(msgspec.Struct):
    links: _Links | None = msgspec.field(name="_links", default=None)


_linked = msgspec.json.Decoder(_Linked)


async def page_of(
    api: Api, path: str, cursor: str | None, what: str
) -> tuple[list[bytes], str | None]:
    """The elements of a page, and where the next one begins."""
    query = [("page[size]", str(PAGE))]
    if cursor is not None:
        query.append(("page[after]", cursor))
    answer = await api.get(path, query)
    if answer.status != 200:
        is_lost = cursor is not None and answer.status in LOST
        raise failure(answer, what, is_lost=is_lost)
    found = read_list(answer, path.strip("/").replace("-", "_"))
    return found, _next_cursor(answer, len(found))


def is_own_error(answer: Answer) -> bool:
    """Whether Amplemarket itself says so, and not a proxy (amplemarket.md#rest-api)."""
    return not {"_errors", "validation_errors"}.isdisjoint(fields_of(answer.body))


def fields_of(raw: bytes) -> Fields:
    try:
        return _object.decode(raw)
    except NOT_DECODED:
        return {}


def text_of(raw: bytes | Raw) -> str | None:
    """A text that is not blank; a number as its digits."""
    plain = bytes(raw)
    if plain.isdigit():
        return plain.decode()
    try:
        return _text.decode(plain).strip() or None
    except NOT_DECODED:
        return None


def member(fields: Fields, name: str) -> str | None:
    return text_of(fields.get(name, b""))


def read_list(answer: Answer, name: str) -> list[bytes]:
    """It stands under the resource's name, or under `data`; or it is the body's one array."""
    if is_own_error(answer):  # Its list of errors is none of objects.
        raise UnreadableError(f"an error of Amplemarket's with status {answer.status}")
    members = decoded(_object, answer.body, "a page of Amplemarket's")
    arrays = {key: raw for key, raw in members.items() if bytes(raw).startswith(b"[")}
    found = arrays.get(name, arrays.get("data"))
    if found is None and len(arrays) == 1:
        [found] = arrays.values()
    if found is None:
        raise UnreadableError(f"a page of Amplemarket's with {len(arrays)} lists")
    return [bytes(raw) for raw in decoded(_list, bytes(found), "a list of Amplemarket's")]


def _next_cursor(answer: Answer, count: int) -> str | None:
    """None only where the list ends: who is not shown any more counts as gone."""
    links = decoded(_linked, answer.body, "the links of a page of Amplemarket's").links
    if links is None and count >= PAGE:
        raise UnreadableError("a full page of Amplemarket's without links")
    following = None if links is None else links.next
    href = following.href if isinstance(following, _Next) else following
    if not href:
        return None
    try:
        found = parse_qs(urlsplit(href).query).get("page[after]")
    except ValueError as error:
        raise UnreadableError(f"a link to the next page: {error}") from error
    if not found:
        raise UnreadableError("a link to the next page without `page[after]`")
    return found[0]
