"""All connections of a process: which of them may give way, and the room for what they hold."""

from asyncio import Transport
from dataclasses import dataclass, field
from typing import Protocol

from gateway.edge.admission import Budget
from gateway.server.refusal import CROWDED

UNFINISHED_SECONDS = 1.0  # Time that a client has for a request, however many others come.


class Guest(Protocol):
    @property
    def transport(self) -> Transport: ...
    def refuse(self, status: int, words: str) -> None: ...


@dataclass(frozen=True, slots=True)
class Crowd:
    budget: Budget
    idle: dict[Guest, None] = field(default_factory=dict)  # The one that is idle longest first.
    # Whose request has not come whole, by when it began: else slow ones keep all others out.
    unfinished: dict[Guest, float] = field(default_factory=dict)

    def make_room(self, now: float) -> bool:
        """An idle connection is closed for a new one, as nginx does, or a slow one refused."""
        for guest in self.idle:
            self.leaves(guest)
            guest.transport.close()
            return True
        for guest, began in self.unfinished.items():
            if now - began < UNFINISHED_SECONDS:
                return False
            self.leaves(guest)
            guest.refuse(*CROWDED)
            return True
        return False

    def leaves(self, guest: Guest) -> None:
        self.idle.pop(guest, None)
        self.unfinished.pop(guest, None)
