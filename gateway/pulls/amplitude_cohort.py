"""The members of one of Amplitude's cohorts (amplitude-read.md#cohorts).

A run asks for the cohort, waits until Amplitude has made the file, downloads it once, and reads it
some rows at a time. Who is in it gets the property `true`; who was and is not any more, `false`.
"""

import asyncio
import csv
import gzip
import re
import zlib
from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import IO

import msgspec
from msgspec.structs import replace

from gateway.pulls.pull import (
    Api,
    CursorLostError,
    Item,
    Page,
    Pull,
    UnreadableError,
    cursor_of,
    decoded,
    failure,
    place_of,
)
from gateway.pulls.webhooks import Webhooks
from schemas.configuration.config import ConfigError
from schemas.strictness import Defect
from schemas.topics import Kind
from schemas.vendors.amplitude import AmplitudeCohortPull
from schemas.vendors.pull import ConfiguredPull

ROWS = 5_000  # A page.
POLL_SECONDS = 10.0  # 60 requests in 10 minutes are all there are.
POLLS_MAX = 360  # An hour; then the cohort is asked for anew.
# Before what was paid for is paid for again: 500 a month are one in 90 minutes.
REPEAT_FIRST_SECONDS, REPEAT_LAST_SECONDS = 60.0, 5_400.0
LINE_CHARACTERS_MAX = 1_000_000
GZIP = b"\x1f\x8b"
IN_PROGRESS = re.compile("IN.?PROGRESS")
csv.field_size_limit(LINE_CHARACTERS_MAX)  # Of the whole process; without it, 131,072.


class Place(msgspec.Struct, frozen=True):
    """Where a run is: the request that it made, and the next row of its file."""

    request: str
    row: int = -1  # Below 0 until the file is there.
    paid: int = 0  # Downloads that were counted for it: 500 a month are allowed.
    polls: int = 0


class _Requested(msgspec.Struct):
    request_id: str | int


class _Status(msgspec.Struct):
    async_status: str = ""


_place = msgspec.json.Decoder(Place)
_requested = msgspec.json.Decoder(_Requested)
_status = msgspec.json.Decoder(_Status)


def pull(configured: ConfiguredPull, directory: Path, _webhooks: Webhooks) -> Pull:
    if not isinstance(configured, AmplitudeCohortPull):
        raise ConfigError(f"pulls: {configured.name} is no cohort of Amplitude's")
    return Cohort(configured, directory)


class Cohort:
    sees_gone = True

    def __init__(self, configured: AmplitudeCohortPull, directory: Path) -> None:
        self._cohort = configured.cohort
        self._property = configured.property
        self._file = directory / "members"
        self._used = 0  # Of what was paid for the request.
        self._has_file = False  # Of that request.
        self._rows: tuple[Place, Iterator[Mapping[str, str]]] | None = None

    async def page(self, api: Api, cursor: str | None) -> Page:
        if cursor is None:
            return await self._request(api)
        place = place_of(_place, cursor)
        if place.row < 0:
            return await self._poll(api, place)
        return await self._read(api, place)

    def gone(self, object_id: str) -> Item:
        return self._item(object_id, is_member=False)

    async def _request(self, api: Api) -> Page:
        answer = await api.get(f"/api/5/cohorts/request/{self._cohort}")
        if answer.status not in (200, 202):
            raise failure(answer, "a cohort's request", is_lost=False)
        requested = decoded(_requested, answer.body, "the answer to a cohort's request")
        return Page([], cursor_of(Place(str(requested.request_id))))

    async def _poll(self, api: Api, place: Place) -> Page:
        answer = await api.get(f"/api/5/cohorts/request-status/{place.request}")
        if answer.status not in (200, 202):
            raise failure(answer, "a cohort's status", is_lost=True)
        status = decoded(_status, answer.body, "a cohort's status").async_status
        if answer.status == 202 or IN_PROGRESS.search(status):
            if place.polls >= POLLS_MAX:
                raise CursorLostError(f"the cohort's file does not come: {status}")
            return Page([], cursor_of(replace(place, polls=place.polls + 1)), POLL_SECONDS)
        if status != "JOB COMPLETED":
            raise CursorLostError(f"the cohort's file does not come: {status}")
        self._used, self._has_file = 0, False
        return Page([], cursor_of(Place(place.request, 0, paid=1)), spends=1)

    async def _read(self, api: Api, place: Place) -> Page:
        if not self._has_file:
            if self._used >= place.paid:
                paid_again = replace(place, paid=place.paid + 1)
                return Page([], cursor_of(paid_again), _wait_seconds(place.paid), spends=1)
            self._used = place.paid
            answer = await api.download(f"/api/5/cohorts/request/{place.request}/file", self._file)
            if answer.status != 200:
                raise failure(answer, "a cohort's file", is_lost=True)
            self._has_file, self._rows = True, None
        if self._rows is None or self._rows[0] != place:  # A page that Kafka did not take.
            self._rows = place, islice(_members(self._file), place.row, None)
        rows = self._rows[1]
        try:
            read = await asyncio.to_thread(lambda: list(islice(rows, ROWS)))
        except (csv.Error, EOFError, OSError, ValueError, zlib.error) as error:
            self._has_file = False
            raise UnreadableError(f"the cohort's file: {error!r}") from error
        following = replace(place, row=place.row + len(read))
        self._rows = following, rows
        items = [self._item(row["user_id"], is_member=True) for row in read]
        return Page(items, cursor_of(following) if len(read) == ROWS else None)

    def _item(self, user_id: str, *, is_member: bool) -> Item:
        said = {"user_id": user_id, "user_properties": {"$set": {self._property: is_member}}}
        try:
            record = msgspec.json.encode(said)
        except UnicodeEncodeError:
            raw = user_id.encode("utf-8", "surrogateescape")
            defect = Defect("not_utf8", "user_id", "the user id is not UTF-8")
            return Item(user_id, Kind.USER_PROPERTIES, raw, defect)
        # Amplitude knows some only by its own id, which means nothing to others.
        return Item(user_id, Kind.USER_PROPERTIES, record, record if user_id else None)


def _wait_seconds(paid: int) -> float:
    """Until the next download, after so many that were of no use; the first one is at once."""
    if paid == 1:
        return 0.0
    return min(REPEAT_LAST_SECONDS, REPEAT_FIRST_SECONDS * 2.0 ** min(paid, 10))


def _members(file: Path) -> Iterator[Mapping[str, str]]:
    """`ValueError` and what `csv` and `gzip` raise: it is no such file, or was cut off."""
    with file.open("rb") as raw:
        is_packed = raw.read(2) == GZIP
    opened = gzip.open if is_packed else open
    text: IO[str]
    with opened(file, "rt", encoding="utf-8-sig", errors="surrogateescape", newline="") as text:
        # A packed file tells itself whether it is whole; another one by the end of its last line.
        rows = csv.DictReader(_lines(text, may_end_anywhere=is_packed), restval="", strict=True)
        if "user_id" not in (rows.fieldnames or ()):
            raise ValueError("it has no column user_id")
        yield from rows


def _lines(text: IO[str], *, may_end_anywhere: bool) -> Iterator[str]:
    while line := text.readline(LINE_CHARACTERS_MAX):
        if not line.endswith(("\n", "\r")):
            if len(line) == LINE_CHARACTERS_MAX:
                raise ValueError(f"a line of more than {LINE_CHARACTERS_MAX} characters")
            if not may_end_anywhere:
                raise ValueError("it was cut off")
        yield line
