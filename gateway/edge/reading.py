"""Reading the records of a request: a large one in turns, so that others are served in between."""

import asyncio

from gateway.dialects.shapes import Batch, Context, Endpoint, Opened
from gateway.edge.turns import TURN_BYTES, Turns

SMALL_BYTES = 8_192  # Such bodies do not wait: all that come at once take less than a turn.
TURN_RECORDS = 200  # Of small ones; read in 2 to 5 ms, as `TURN_BYTES` are.


class Reading:
    """Of all large requests one is read at a time, a turn of it between two looks at sockets."""

    def __init__(self) -> None:
        self._turns = Turns()
        self._one = asyncio.Lock()

    async def turn(self, size: int = TURN_BYTES) -> None:
        """Returns when so many bytes may be worked on; by default as many as take 2 to 5 ms."""
        await self._turns.take(size)

    @staticmethod
    def takes_turns(opened: Opened, size: int) -> bool:
        """Whether it is large, of a body of so many bytes; else it is read at once."""
        return len(opened.values) > TURN_RECORDS or size > TURN_BYTES

    async def read(self, endpoint: Endpoint, opened: Opened, context: Context, size: int) -> Batch:
        """The batch of a large body of so many bytes."""
        count = len(opened.values)
        batch = Batch()
        # Records of a query have no body.
        turn = max(1, min(TURN_RECORDS, count * TURN_BYTES // max(1, size)))
        async with self._one:
            for first in range(0, count, turn):
                await self.turn()
                values = opened.values[first : first + turn]
                batch.add(endpoint.read(opened._replace(values=values, first=first), context))
        return batch
