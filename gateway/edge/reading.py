"""Reading the records of a request: a large one in turns, so that others are served in between."""

import asyncio

from gateway.dialects.shapes import Batch, Context, Endpoint, Opened

# What is read at once, in 2 to 5 ms.
TURN_RECORDS = 200
TURN_BYTES = 200_000


class Reading:
    """Of all large requests one is read at a time, a turn of it between two looks at sockets."""

    def __init__(self) -> None:
        self._one = asyncio.Lock()

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
                await asyncio.sleep(0)
                values = opened.values[first : first + turn]
                batch.add(endpoint.read(opened._replace(values=values, first=first), context))
        return batch
