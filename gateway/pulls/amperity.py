"""Amperity's profiles (amperity.md#profiles): each becomes user properties."""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec
from msgspec import Raw

from gateway.pulls.pull import (
    Answer,
    Api,
    Item,
    Page,
    Pull,
    TooLargeError,
    decoded,
    failure,
    object_id_of,
)
from gateway.pulls.webhooks import Webhooks
from schemas.configuration.config import ConfigError
from schemas.decoding import NOT_DECODED
from schemas.events import ABSENT
from schemas.strictness import Defect
from schemas.topics import Kind
from schemas.vendors.amperity import AmperityPull
from schemas.vendors.pull import ConfiguredPull

PAGE = 1_000  # Profiles; no maximum is documented.
ROOMY_BYTES = 8_000_000  # Of an answer: with twice as many profiles it is read, too.
Attributes = Mapping[str, Raw]  # Values travel as they came.


class _Profile(msgspec.Struct):
    id: str | int
    attributes: Raw = Raw(b"null")


class _Envelope(msgspec.Struct):
    data: list[Raw]
    next_token: str | None = None


_envelope = msgspec.json.Decoder(_Envelope)
_profile = msgspec.json.Decoder(_Profile)
_attributes = msgspec.json.Decoder(dict[str, Raw] | list[dict[str, Raw]] | None)


def pull(configured: ConfiguredPull, _directory: Path, _webhooks: Webhooks) -> Pull:
    if not isinstance(configured, AmperityPull):
        raise ConfigError(f"pulls: {configured.name} is none of Amperity's")
    return Profiles(configured)


class Profiles:
    sees_gone = False  # A profile that is deleted says nothing about its user.

    def __init__(self, configured: AmperityPull) -> None:
        self._path = f"/indexes/{configured.index}/profiles"
        self._filters = [(f"filter[{name}]", value) for name, value in configured.filter.items()]
        self._user_id = configured.user_id
        self._page = PAGE
        chosen = configured.properties
        self._names = (
            None
            if chosen is None
            else dict(chosen)
            if isinstance(chosen, Mapping)
            else {name: name for name in chosen}
        )

    async def page(self, api: Api, cursor: str | None) -> Page:
        answer = await self._answer(api, cursor)
        if answer.status != 200:
            is_lost = cursor is not None and answer.status in (400, 410)
            raise failure(answer, "a page of profiles", is_lost=is_lost)
        envelope = decoded(_envelope, answer.body, "a page of profiles")
        return Page([self._item(bytes(raw)) for raw in envelope.data], envelope.next_token or None)

    def gone(self, object_id: str) -> None:
        return None

    async def _answer(self, api: Api, cursor: str | None) -> Answer:
        """Of profiles too large for a whole page, half of it, until they are small again."""
        after = [] if cursor is None else [("next_token", cursor)]
        while True:
            query = [("limit", str(self._page)), *self._filters, *after]
            try:
                answer = await api.get(self._path, query)
            except TooLargeError:
                if self._page == 1:
                    raise
                self._page //= 2
                continue
            if len(answer.body) <= ROOMY_BYTES:
                self._page = min(PAGE, self._page * 2)
            return answer

    def _item(self, raw: bytes) -> Item:
        try:
            profile = _profile.decode(raw)
            record = self._record(_by_name(_attributes.decode(profile.attributes)))
        except NOT_DECODED as error:
            defect = Defect("invalid_profile", "", f"no profile: {error}")
            known_by = hashlib.sha256(raw).hexdigest()  # It has no id.
            return Item(known_by, Kind.USER_PROPERTIES, raw, defect)
        return Item(object_id_of(str(profile.id)), Kind.USER_PROPERTIES, raw, record)

    def _record(self, attributes: Attributes) -> bytes | Defect | None:
        user_id = _id(attributes.get(self._user_id, ABSENT))
        if user_id is None:
            words = f"the profile has no attribute {self._user_id} that is an id"
            return Defect("missing_id", self._user_id, words)
        if self._names is None:
            properties = {name: v for name, v in attributes.items() if name != self._user_id}
        else:
            names = self._names.items()
            properties = {new: attributes[name] for name, new in names if name in attributes}
        if not properties:
            return None
        return msgspec.json.encode({"user_id": user_id, "user_properties": {"$set": properties}})


def _by_name(attributes: dict[str, Raw] | Sequence[dict[str, Raw]] | None) -> Attributes:
    """As an object, or as a list of objects: each one attribute, or `name` and `value`."""
    if isinstance(attributes, dict):
        return attributes
    found: dict[str, Raw] = {}
    for one in attributes or ():
        if "name" in one and "value" in one:
            found[msgspec.json.decode(one["name"], type=str)] = one["value"]
        else:
            found.update(one)
    return found


def _id(value: Raw) -> str | None:
    """A text, or an integer as its digits; blank or anything else is no id."""
    read = None if value is ABSENT else msgspec.json.decode(value)
    if isinstance(read, int) and not isinstance(read, bool):
        return str(read)
    return read.strip() or None if isinstance(read, str) else None
