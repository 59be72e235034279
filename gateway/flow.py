"""How fast a connection is read, and how slowly its client may take what it is sent."""

from asyncio import AbstractEventLoop, Transport
from asyncio.events import TimerHandle
from functools import partial

from uvicorn.protocols.http.flow_control import FlowControl

READER_SECONDS = 30.0  # In which a client has to take some of its answers,
READER_BYTES_MIN = 65_536  # and so much of them, or all.


class Flow(FlowControl):
    """uvicorn's, that reads no more while something that was read waits to be parsed."""

    _is_held = False

    def hold_reading(self) -> None:
        self._is_held = True
        self.pause_reading()

    def release_reading(self) -> None:
        self._is_held = False
        self.resume_reading()

    def resume_reading(self) -> None:
        if not self._is_held:
            super().resume_reading()


class Reader:
    """The client as it takes its answers: one that does not is cut off."""

    def __init__(self, transport: Transport, loop: AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._check: TimerHandle | None = None

    def watch(self) -> None:
        """Look again in a while if something is left to be taken."""
        if self._check is None and (unread := self._transport.get_write_buffer_size()):
            self._check = self._loop.call_later(READER_SECONDS, partial(self._look, unread))

    def forget(self) -> None:
        if self._check is not None:
            self._check.cancel()
            self._check = None

    def _look(self, before: int) -> None:
        self._check = None
        unread = self._transport.get_write_buffer_size()
        if unread and unread > before - READER_BYTES_MIN:
            self._transport.abort()
        else:
            self.watch()
