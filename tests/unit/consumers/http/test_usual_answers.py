"""An answer with the bytes of the last one is not parsed: yet each request gets its own."""

import asyncio

from hypothesis import example, given
from hypothesis import strategies as st

from consumers.delivery.destination import Reply, Response, Unreachable
from consumers.http.connection import Connection
from consumers.http.replies import NO_USUAL, Usual


def answer(status: int, body: bytes, more: bytes = b"") -> bytes:
    return b"HTTP/1.1 %d OK\r\n%bcontent-length: %d\r\n\r\n%b" % (status, more, len(body), body)


TAKEN = answer(202, b"null")
QUOTING = answer(202, TAKEN)  # Cut behind its head, what follows has the bytes of another answer.
ANSWERS = {
    TAKEN: Response(202, b"null"),
    QUOTING: Response(202, TAKEN),
    answer(202, b""): Response(202, b""),
    answer(202, b"null", b"keep-alive: timeout=3\r\n"): Response(202, b"null"),
    answer(200, b"null", b"connection: close\r\n"): Response(200, b"null"),
    answer(202, b"null", b"retry-after: 7\r\n"): Response(202, b"null", 7.0),
    answer(429, b"null", b"retry-after: 7\r\n"): Response(429, b"null", 7.0),
    answer(503, b"null"): Response(503, b"null"),
    b"HTTP/1.1 103 Early Hints\r\n\r\n" + TAKEN: Response(202, b"null"),
    TAKEN + b"H": Response(202, b"null"),  # What begins behind it is of no request.
    b"null and more": Unreachable("invalid_reply"),
}
HEAD_BYTES = len(QUOTING) - len(TAKEN)


class Far(asyncio.Transport):
    def __init__(self) -> None:
        self.is_aborted = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        pass

    def get_write_buffer_size(self) -> int:
        return 0

    def is_closing(self) -> bool:
        return self.is_aborted

    def abort(self) -> None:
        self.is_aborted = True


class Near:
    """A pool of one connection, and what came of its requests."""

    def __init__(self) -> None:
        self.usual: Usual = NO_USUAL
        self.replies: list[Reply] = []
        self._open()

    def _open(self) -> None:
        self._far = Far()
        self._connection = Connection(self)
        self._connection.connection_made(self._far)

    def opened(self, _connection: Connection) -> float:
        return 0.0

    def free(self, _connection: Connection) -> float:
        return 0.0

    def closed(self, _connection: Connection) -> None:
        pass

    def exchange(self, received: bytes, cuts: list[int]) -> bool:
        """Whether the connection is used by the next request, too."""
        if self._far.is_aborted:
            self._open()
        self._connection.exchange(b"", 1.0, self.replies.append)
        for first, last in zip([0, *cuts], [*cuts, len(received)], strict=True):
            if first < last and not self._far.is_aborted:
                self._connection.data_received(received[first:last])
        return not self._far.is_aborted


@given(
    st.lists(
        st.tuples(
            st.sampled_from(list(ANSWERS)),
            st.lists(st.integers(0, len(QUOTING)), max_size=2).map(sorted),
        ),
        max_size=6,
    )
)
@example([(TAKEN, []), (QUOTING, [HEAD_BYTES])])
@example([(TAKEN, []), (TAKEN, []), (TAKEN + b"H", []), (TAKEN + b"H", [])])
def test_each_request_gets_its_own_answer_whatever_came_before(
    exchanges: list[tuple[bytes, list[int]]],
) -> None:
    near = Near()

    kept = [near.exchange(received, cuts) for received, cuts in exchanges]

    assert near.replies == [ANSWERS[received] for received, _ in exchanges]
    alone = [Near().exchange(received, cuts) for received, cuts in exchanges]
    assert kept == alone, "a connection is kept as after the first of all answers"


def test_an_answer_with_the_bytes_of_the_last_one_is_not_parsed() -> None:
    near = Near()
    near.exchange(TAKEN, [])
    near.exchange(TAKEN, [])

    first, second = near.replies
    assert first is second
