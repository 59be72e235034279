"""Calls to a destination's functions; an exception in one of them never reaches the engine.

An exception in `encode` rejects the one record (`unprocessable`). An exception in `request` is
about a record of the batch: the batch is halved until it is found. An exception in `verdict`, or a
verdict about records that were not sent, is about one answer: the batch is sent again. After an
exception in `merge`, the records are sent without being merged.
"""

from collections.abc import Sequence

from consumers.delivery.destination import (
    Destination,
    Encoded,
    EncodesMany,
    Merge,
    Reply,
    Request,
    Response,
    Unreachable,
    Unsendable,
)
from consumers.delivery.encoded_run import EncodesRuns, RunEncoded
from consumers.delivery.outcomes import Reject, Retry, Skip, Split, Verdict
from schemas.columns import Columns
from schemas.records import Record

UNPROCESSABLE = "unprocessable"
DETAIL_MAX = 1000
_MAY_PASS = frozenset({408, 425, 500, 502, 503, 504})  # The same for all destinations.


def encode(destination: Destination, record: Record) -> Encoded | Reject | Skip:
    try:
        return destination.encode(record)
    except Exception as error:  # noqa: BLE001  See above.
        return unprocessable(error)


def encode_all(
    destination: Destination, records: Sequence[Record]
) -> Sequence[Encoded | Reject | Skip]:
    """All at once where the destination can, and one by one where that fails."""
    if isinstance(destination, EncodesMany) and len(records) > 1:
        try:
            encoded = destination.encode_all(records)
        except Exception:  # noqa: BLE001  One of them: below is seen which.
            encoded = ()
        if len(encoded) == len(records):
            return encoded
    return [encode(destination, record) for record in records]


def encode_run(destination: Destination, records: Columns) -> RunEncoded | None:
    """All of them as a run, where the destination can; else None, as where it fails for one."""
    if not isinstance(destination, EncodesRuns):
        return None
    try:
        found = destination.encode_run(records)
    except Exception:  # noqa: BLE001  One of them: it is seen which when each is encoded alone.
        return None
    if found is None:
        return None
    sent = len(records) if found.are_sent is None else sum(found.are_sent)
    return found if len(found.run) == sent else None


def merged(merge: Merge, first: Encoded, later: Encoded) -> Encoded | None:
    try:
        return merge(first, later)
    except Exception:  # noqa: BLE001  See above.
        return None


def request(destination: Destination, batch: Sequence[Encoded]) -> Request | Unsendable:
    try:
        return destination.request(batch)
    except Exception as error:  # noqa: BLE001  See above.
        return Unsendable(words(error))


def judge(destination: Destination, reply: Reply | Unsendable, batch: Sequence[Encoded]) -> Verdict:
    """What a reply means: the same for all destinations here, else the destination's `verdict`."""
    match reply:
        case Response() if reply.status not in _MAY_PASS:
            try:
                verdict = destination.verdict(reply, batch)
            except Exception:  # noqa: BLE001  See above.
                return Verdict(Retry("unreadable_answer"))
            is_possible = not verdict.but or all(0 <= i < len(batch) for i in verdict.but)
            return verdict if is_possible else Verdict(Retry("impossible_answer"))
        case Response(status=status):
            return Verdict(Retry(f"status_{status}", reply.retry_after_seconds))
        case Unsendable(detail):
            return Verdict(Split(UNPROCESSABLE, detail))
        case Unreachable(reason):
            return Verdict(Retry(reason))


def unprocessable(error: Exception) -> Reject:
    return Reject(UNPROCESSABLE, words(error))


def words(error: BaseException) -> str:
    """The exception's type and its text; for some exceptions `str` fails too."""
    name = type(error).__name__
    try:
        return f"{name}: {error}"[:DETAIL_MAX]
    except BaseException:  # noqa: BLE001  It may even exit.
        return name[:DETAIL_MAX]
