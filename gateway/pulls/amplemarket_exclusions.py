"""Amplemarket's excluded emails and domains become suppressions (amplemarket.md#rest-api).

A run reads both lists to their ends. Who is in none of them any more is lifted.
"""

import hashlib
import re
from pathlib import Path

import msgspec

from gateway.pulls.amplemarket_lists import fields_of, member, page_of, text_of
from gateway.pulls.pull import SUPPRESSION, Api, Item, Lift, Page, Pull, Suppress
from schemas.configuration.config import ConfigError
from schemas.strictness import Defect
from schemas.suppressions import AT, compared
from schemas.vendors.amplemarket import AmplemarketExclusionsPull
from schemas.vendors.pull import ConfiguredPull

REASON = "excluded in Amplemarket"
EMAIL = re.compile(r"[^\s@]+(@[^\s@]+)")
DOMAIN = re.compile(r"@?([^\s@/:]+)")


class Place(msgspec.Struct, frozen=True):
    """Where a run is: in the list of emails, then in that of domains."""

    list: str = "emails"
    after: str | None = None


_place = msgspec.json.Decoder(Place)


def pull(configured: ConfiguredPull, _directory: Path) -> Pull:
    if not isinstance(configured, AmplemarketExclusionsPull):
        raise ConfigError(f"pulls: {configured.name} is none of Amplemarket's exclusions")
    return Exclusions()


class Exclusions:
    sees_gone = True

    async def page(self, api: Api, cursor: str | None) -> Page:
        at = Place() if cursor is None else _place.decode(cursor)
        what = "a page of exclusions"
        found, after = await page_of(api, f"/excluded-{at.list}", at.after, what)
        named = _email if at.list == "emails" else _domain
        items = [_item(raw, named(raw)) for raw in found]
        if after is not None:
            return Page(items, _cursor(Place(at.list, after)))
        return Page(items, _cursor(Place("domains")) if at.list == "emails" else None)

    def gone(self, object_id: str) -> Item:
        return Item(object_id, SUPPRESSION, b"", Lift(object_id))


def _item(raw: bytes, name: str | None) -> Item:
    if name is None:
        defect = Defect("invalid_exclusion", "", "it names neither an address nor a domain")
        return Item(f"?{hashlib.sha256(raw).hexdigest()}", SUPPRESSION, raw, defect)
    since = member(fields_of(raw), "created_at")
    # It is the same exclusion, whatever else is written into it.
    return Item(name, SUPPRESSION, raw, Suppress(name, REASON, since), version=b"excluded")


def _email(raw: bytes) -> str | None:
    text = member(fields_of(raw), "email") or text_of(raw) or ""
    return compared(text) if EMAIL.fullmatch(text) else None


def _domain(raw: bytes) -> str | None:
    text = member(fields_of(raw), "domain") or text_of(raw) or ""
    found = DOMAIN.fullmatch(text)
    return None if found is None else compared(AT + found[1])


def _cursor(place: Place) -> str:
    return msgspec.json.encode(place).decode()
