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

    async def read(self, endpoint: Endpoint, opened: Opened, context: Context, size: int) -> Batch:
        """The batch of a body of so many bytes."""
        count = len(opened.values)
        if count <= TURN_RECORDS and size <= TURN_BYTES:
            return endpoint.read(opened, context)
        batch = Batch()
        turn = max(1, min(TURN_RECORDS, count * TURN_BYTES // size))
        async with self._one:
            for first in range(0, count, turn):
                await asyncio.sleep(0)
                values = opened.values[first : first + turn]
                batch.add(endpoint.read(opened._replace(values=values, first=first), context))
        return batch
