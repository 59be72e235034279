"""A request that is there in full: taken and answered without ASGI's messages.

uvicorn writes an answer's head and its body one after the other, each a packet of its own, and
looks each header through. One write of what we know to be right costs 20 µs less a request.
"""

from collections.abc import Sequence

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, RequestResponseCycle

from gateway.http.bodies import ClientGone


class Whole:
    __slots__ = ("_cycle",)

    def __init__(self, cycle: RequestResponseCycle) -> None:
        self._cycle = cycle

    def take(self) -> bytes:
        """Its body, once."""
        cycle = self._cycle
        if cycle.disconnected:
            raise ClientGone
        cycle.flow.resume_reading()
        body = bytes(cycle.body)
        cycle.body = bytearray()
        return body

    def answer(self, status: int, headers: Sequence[tuple[bytes, bytes]], body: bytes) -> bool:
        """Whether it could be written at once, as nearly always; if not, ASGI waits for that."""
        cycle = self._cycle
        if cycle.flow.write_paused or cycle.response_started:
            return False
        if cycle.disconnected:
            return True
        pieces = [STATUS_LINE[status]]
        for name, value in (*cycle.default_headers, *headers):
            pieces += (name, b": ", value, b"\r\n")
        pieces.append(b"\r\n" if cycle.keep_alive else b"connection: close\r\n\r\n")
        pieces.append(body)
        cycle.response_started = cycle.response_complete = True
        cycle.waiting_for_100_continue = False
        cycle.transport.write(b"".join(pieces))
        cycle.message_event.set()
        if not cycle.keep_alive:
            cycle.transport.close()
        cycle.on_response()
        del self._cycle  # It has us in its scope: garbage that only the collector would find.
        return True
