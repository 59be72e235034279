"""Amplemarket's excluded emails and domains become suppressions (amplemarket.md#rest-api).

A run reads both lists to their ends. Who is in none of them any more is lifted; but before, both
are read once more: where an entry is deleted while they are read, another one may move from a page
that comes to one that was read.
"""

import hashlib
import re
from pathlib import Path

import msgspec
from msgspec.structs import replace

from gateway.dialects.moments import milliseconds_of
from gateway.pulls.amplemarket_lists import fields_of, member, page_of, text_of
from gateway.pulls.pull import (
    SUPPRESSION,
    Api,
    Item,
    Lift,
    Page,
    Pull,
    Suppress,
    cursor_of,
    place_of,
)
from gateway.pulls.webhooks import Webhooks
from schemas.configuration.config import ConfigError
from schemas.letters import timestamp
from schemas.strictness import Defect
from schemas.suppressions import AT, compared
from schemas.vendors.amplemarket import AmplemarketExclusionsPull
from schemas.vendors.pull import ConfiguredPull

REASON = "excluded in Amplemarket"
EMAIL = re.compile(r"[^\s@]+(@[^\s@]+)")
DOMAIN = re.compile(r"@?([^\s@/:]+)")
CHARACTERS_MAX = 320  # Of an address (RFC 5321 §4.5.3.1: 64, an `@` and 255).


class Place(msgspec.Struct, frozen=True):
    """Where a run is: in the list of emails, then in that of domains."""

    list: str = "emails"
    after: str | None = None
    is_again: bool = False


_place = msgspec.json.Decoder(Place)


def pull(configured: ConfiguredPull, _directory: Path, _webhooks: Webhooks) -> Pull:
    if not isinstance(configured, AmplemarketExclusionsPull):
        raise ConfigError(f"pulls: {configured.name} is none of Amplemarket's exclusions")
    return Exclusions()


class Exclusions:
    sees_gone = True

    async def page(self, api: Api, cursor: str | None) -> Page:
        at = Place() if cursor is None else place_of(_place, cursor)
        what = "a page of exclusions"
        found, after = await page_of(api, f"/excluded-{at.list}", at.after, what)
        named = _email if at.list == "emails" else _domain
        items = [_item(raw, named(raw)) for raw in found]
        if after is not None:
            return Page(items, cursor_of(replace(at, after=after)))
        if at.list == "emails":
            return Page(items, cursor_of(replace(at, list="domains", after=None)))
        return Page(items, None, again=None if at.is_again else cursor_of(Place(is_again=True)))

    def gone(self, object_id: str) -> Item | None:
        is_named = AT in object_id  # Else it was none.
        return Item(object_id, SUPPRESSION, b"", Lift(object_id)) if is_named else None


def _item(raw: bytes, name: str | None) -> Item:
    if name is None:
        defect = Defect("invalid_exclusion", "", "it names neither an address nor a domain")
        return Item(f"?{hashlib.sha256(raw).hexdigest()}", SUPPRESSION, raw, defect)
    created_ms = milliseconds_of(member(fields_of(raw), "created_at"))
    since = None if created_ms is None else timestamp(created_ms / 1000)
    # It is the same exclusion, whatever else is written into it.
    return Item(name, SUPPRESSION, raw, Suppress(name, REASON, since), version=b"excluded")


def _email(raw: bytes) -> str | None:
    text = member(fields_of(raw), "email") or text_of(raw) or ""
    is_address = len(text) <= CHARACTERS_MAX and EMAIL.fullmatch(text)
    return compared(text) if is_address else None


def _domain(raw: bytes) -> str | None:
    text = member(fields_of(raw), "domain") or text_of(raw) or ""
    found = None if len(text) > CHARACTERS_MAX else DOMAIN.fullmatch(text)
    return None if found is None else compared(AT + found[1])
