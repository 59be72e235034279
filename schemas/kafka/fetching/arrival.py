"""Reading Kafka's answers from a connection: a long one waits until there is room for it.

aiokafka's own reads each answer as it comes, however long, and keeps it until the next one.
"""

import asyncio
import struct
from asyncio import StreamReader
from contextlib import nullcontext
from functools import partial
from weakref import ReferenceType

from aiokafka.conn import AIOKafkaConnection
from aiokafka.protocol.fetch import FetchRequest

from schemas.kafka.fetching.budget import BUDGET

_LENGTH = struct.Struct(">i")
SHORT_BYTES = 100_000  # It need not wait: a connection has one answer at a time.
LONG_BYTES_MAX = 200_000_000  # More than Kafka takes in a request, or gives for any of ours.


async def _read(connection: ReferenceType[AIOKafkaConnection]) -> None:
    """Takes the place of aiokafka's: refers to the connection only while it is used, as that does.

    Whatever this raises, its caller closes the connection.
    """
    if (found := connection()) is None:
        return
    reader: StreamReader = found._reader  # noqa: SLF001
    del found
    while True:
        (size,) = _LENGTH.unpack(await reader.readexactly(_LENGTH.size))
        if not 0 <= size <= LONG_BYTES_MAX:
            raise ConnectionError(f"an answer of Kafka would have {size} bytes")
        is_long = size > SHORT_BYTES and _is_fetch(connection())
        async with BUDGET.room(size, partial(_received, reader)) if is_long else nullcontext():
            frame = await reader.readexactly(size)
            if (found := connection()) is None:
                return
            found._handle_frame(frame)  # noqa: SLF001
            del found, frame
            if is_long:
                await asyncio.sleep(0)  # By then the fetcher has it, and counts it.


def _received(reader: StreamReader) -> int:
    return len(reader._buffer)  # type: ignore[attr-defined]  # noqa: SLF001


def _is_fetch(connection: AIOKafkaConnection | None) -> bool:
    if connection is None or not connection._requests:  # noqa: SLF001
        return False
    _, request, _ = connection._requests[0]  # noqa: SLF001  The one that is answered.
    return request is not None and request.API_KEY == FetchRequest.API_KEY


AIOKafkaConnection._read = staticmethod(_read)  # noqa: SLF001
