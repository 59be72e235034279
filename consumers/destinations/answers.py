"""What a status means for every destination, and whether an answer is the destination's own.

A proxy, a firewall or a sign-in page may answer in its place. Such an answer says nothing about the
records: none is delivered, none is rejected. The destination is paused; only a record that fails
alone while others succeed is rejected (contract.md#delivery).
"""

from collections.abc import Mapping, Sequence
from typing import TypeAlias

import msgspec

from consumers.delivery.destination import Encoded, Response
from consumers.delivery.outcomes import Pause, Retry, Verdict
from schemas.decoding import NOT_DECODED

DETAIL_MAX = 1000
LARGE_BYTES = 10_000  # Nobody's limit is lower: of a smaller record a 413 says nothing.
# A body that is JSON.
Json: TypeAlias = Mapping[str, object] | list[object] | str | float | bool | None
NotJson = msgspec.UnsetType
NOT_JSON = msgspec.UNSET


def by_status(response: Response) -> Verdict:
    """For a status that says nothing about single records.

    408, 425 and most 5xx never get here (`consumers/delivery/border.py`).
    """
    status = response.status
    if 300 <= status < 500:
        return Verdict(Pause(f"status_{status}", may_be_content=True))
    return Verdict(Retry(f"status_{status}", response.retry_after_seconds))


def not_the_destination() -> Verdict:
    """A success that is not the destination's, such as a sign-in page."""
    return Verdict(Pause("not_the_destination", may_be_content=True))


def is_about_size(batch: Sequence[Encoded], *, is_own: bool) -> bool:
    """Whether a 413 may be meant for what was sent: a proxy may answer so to everything."""
    return is_own or len(batch) > 1 or any(len(one.body) > LARGE_BYTES for one in batch)


def text_of(response: Response) -> str:
    """The destination's own words, for people."""
    return response.body[:DETAIL_MAX].decode(errors="replace")


def json_of(response: Response) -> Json | NotJson:
    try:
        found: Json = msgspec.json.decode(response.body)
    except NOT_DECODED:
        return NOT_JSON
    return found
