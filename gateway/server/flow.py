"""Flow control: when a connection is read, and how slowly its client may read answers."""

from asyncio import AbstractEventLoop, Transport
from asyncio.events import TimerHandle
from functools import partial

from uvicorn.protocols.http.flow_control import FlowControl

READER_SECONDS = 30.0  # Time in which a client has to read some of its answers,
READER_BYTES_MIN = 262_144  # and how much of them, or all that is left.
# The transport's buffer; with TLS, the default is half a megabyte.
HIGH_WATER_BYTES = 65_536
LOW_WATER_BYTES = 16_384


class Flow(FlowControl):
    """uvicorn's flow control; it stops reading while unparsed bytes wait."""

    _is_held = False

    def hold_reading(self) -> None:
        self._is_held = True
        self.pause_reading()

    def release_reading(self) -> None:
        self._is_held = False
        self.resume_reading()

    def resume_reading(self) -> None:
        if self.read_paused and not self._is_held:
            super().resume_reading()


class Reader:
    """Watches a client read its answers; disconnects one that does not."""

    def __init__(self, transport: Transport, loop: AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._check: TimerHandle | None = None
        self._taken = 0  # Bytes read since the check was planned, at least.
        transport.set_write_buffer_limits(high=HIGH_WATER_BYTES, low=LOW_WATER_BYTES)

    def watch(self) -> None:
        """Check again later if something is left to be read."""
        if self._check is None and (unread := self._transport.get_write_buffer_size()):
            self._taken = 0
            self._check = self._loop.call_later(READER_SECONDS, partial(self._look, unread))

    def answered(self) -> None:
        """Another answer was written, so the unread bytes are different ones now."""
        self._taken += READER_BYTES_MIN
        self.watch()

    def resumed(self) -> None:
        """The client read from the buffer's high-water mark to the low one."""
        self._taken += HIGH_WATER_BYTES - LOW_WATER_BYTES

    def forget(self) -> None:
        if self._check is not None:
            self._check.cancel()
            self._check = None

    def _look(self, before: int) -> None:
        self._check = None
        unread = self._transport.get_write_buffer_size()
        taken = self._taken + max(0, before - unread)
        if unread and taken < READER_BYTES_MIN:
            self._transport.abort()
        else:
            self.watch()
