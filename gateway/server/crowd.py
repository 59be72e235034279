"""All connections of a process: which of them are idle, and the room for what they hold."""

from asyncio import Transport
from dataclasses import dataclass, field
from typing import Protocol

from gateway.edge.admission import Budget


class Idle(Protocol):
    @property
    def transport(self) -> Transport: ...


@dataclass(frozen=True, slots=True)
class Crowd:
    budget: Budget
    idle: dict[Idle, None] = field(default_factory=dict)  # The one that is idle longest first.

    def close_longest_idle(self) -> bool:
        """Make room for a new connection, as nginx does; returns whether one was idle."""
        for connection in self.idle:
            del self.idle[connection]
            connection.transport.close()
            return True
        return False
