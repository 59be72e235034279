"""Bytes that are parsed later, or in pieces: parsed, requests take 100 times as much."""

from collections.abc import Iterable

from gateway.edge.admission import Budget

AT_ONCE_BYTES = 12_288  # With few requests in it: the head and body of one that needs no task.
PIECE_BYTES = 4_096
CROWDED_PIECE_BYTES = 256  # Of many requests in a piece: each takes 10 kB.
REQUESTS_MAX = 8  # In a piece that is not crowded.


class Unparsed:
    """Bytes read while the requests before them wait for answers, counted in the budget."""

    def __init__(self, budget: Budget) -> None:
        self.is_behind = False  # Bytes were read that are not parsed yet.
        self._bytes = b""  # None, if there was no room for them.
        self._share = budget.share()

    def __bool__(self) -> bool:
        return bool(self._bytes)

    def hold(self, data: bytes) -> bool:
        """Keep the bytes; returns whether there was room for all that is unparsed."""
        has_room = bool(self._bytes) or not self.is_behind
        self.is_behind = True
        if has_room and self._share.take(len(data)):
            self._bytes += data
            return True
        self.take()
        return False

    def take(self) -> bytes:
        unparsed, self._bytes = self._bytes, b""
        self._share.give_back(len(unparsed))
        return unparsed


def body_left(headers: Iterable[tuple[bytes, bytes]], came: int) -> int:
    """How much of a body is still to come, if it has a length."""
    length = dict(headers).get(b"content-length", b"")
    return int(length) - came if length.isdigit() else 0


def piece_size(data: memoryview, body_left: int) -> int:
    """How much to parse at once: the rest of a body, or a piece with few requests."""
    if body_left >= PIECE_BYTES:
        return body_left
    is_full = is_crowded(bytes(data[:PIECE_BYTES]))
    return max(body_left, CROWDED_PIECE_BYTES if is_full else PIECE_BYTES)


def is_simple(data: bytes) -> bool:
    """Whether it may be parsed at once."""
    return len(data) <= AT_ONCE_BYTES and not is_crowded(data)


def is_crowded(data: bytes) -> bool:
    """Whether there may be many requests in it."""
    return data.count(b" HTTP/") > REQUESTS_MAX
