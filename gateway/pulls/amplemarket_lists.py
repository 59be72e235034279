"""What all lists of Amplemarket have in common: read tolerantly (amplemarket.md#rest-api)."""

from collections.abc import Mapping
from urllib.parse import parse_qs, urlsplit

import msgspec
from msgspec import Raw

from gateway.pulls.pull import Answer, Api, UnreadableError, failure

PAGE = 100
LOST = (400, 404, 410, 422)  # Of a page with a cursor: it is not known any more.
Fields = Mapping[str, Raw]

_object = msgspec.json.Decoder(dict[str, Raw])
_list = msgspec.json.Decoder(list[Raw])
_text = msgspec.json.Decoder(str)


class _Next(msgspec.Struct):
    href: str | None = None


class _Links(msgspec.Struct):
    next: _Next | None = None


class _Linked(msgspec.Struct):
    links: _Links = msgspec.field(name="_links", default_factory=_Links)


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
    return read_list(answer), _next_cursor(answer)


def fields_of(raw: bytes) -> Fields:
    try:
        return _object.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return {}


def text_of(raw: bytes | Raw) -> str | None:
    """A text that is not blank; a number as its digits."""
    plain = bytes(raw)
    if plain.isdigit():
        return plain.decode()
    try:
        return _text.decode(plain).strip() or None
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def member(fields: Fields, name: str) -> str | None:
    return text_of(fields.get(name, b""))


def read_list(answer: Answer) -> list[bytes]:
    """The one array of the body: it stands under the resource's name, or under `data`."""
    try:
        members = _object.decode(answer.body)
        arrays = [raw for raw in members.values() if bytes(raw).startswith(b"[")]
        if len(arrays) == 1:
            return [bytes(raw) for raw in _list.decode(arrays[0])]
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise UnreadableError(f"a page of Amplemarket's: {error}") from error
    raise UnreadableError(f"a page of Amplemarket's with {len(arrays)} lists")


def _next_cursor(answer: Answer) -> str | None:
    try:
        found = _linked.decode(answer.body).links.next
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    href = None if found is None else found.href
    return None if not href else parse_qs(urlsplit(href).query).get("page[after]", [None])[0]
