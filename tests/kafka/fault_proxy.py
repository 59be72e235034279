"""A proxy before one broker that knows Kafka's frames: it refuses, delays, breaks and cuts off
answers by their kind of request.
"""

import asyncio
import importlib
import io
import pkgutil
import ssl
import struct
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import aiokafka.protocol
from aiokafka.protocol.api import RequestStruct
from aiokafka.protocol.types import Array, Schema

HOST = "127.0.0.1"
# kafka.apache.org/protocol#protocol_api_keys
PRODUCE, FETCH, LIST_OFFSETS, METADATA, OFFSET_COMMIT, OFFSET_FETCH = 0, 1, 2, 3, 8, 9
FIND_COORDINATOR, JOIN_GROUP, HEARTBEAT, LEAVE_GROUP, SYNC_GROUP = 10, 11, 12, 13, 14
API_VERSIONS, INIT_PRODUCER_ID = 18, 22
TOPIC_FIELDS = ("topic", "topics", "name")

Answer = Callable[[bytes], bytes | None]  # None cuts the connection.


@dataclass(frozen=True, slots=True)
class Behind:
    """A broker that tells its clients to come through a proxy, which listens at `port`."""

    port: int
    broker_port: int

    @property
    def bootstrap_servers(self) -> str:
        return f"{HOST}:{self.port}"


@dataclass
class Faults:
    """What happens to the answers of these kinds of requests."""

    codes: dict[int, int] = field(default_factory=dict)  # The error that each of them says.
    topics: frozenset[str] = frozenset()  # Errors of topics concern these only, if there are any.
    delays: dict[int, float] = field(default_factory=dict)  # Seconds.
    broken: dict[int, Answer] = field(default_factory=dict)
    struck: Counter[int] = field(default_factory=Counter)  # How many of each were changed.


class FaultProxy:
    def __init__(self, broker_port: int) -> None:
        self._broker_port = broker_port
        self.faults = Faults()
        self._connections: set[asyncio.Task[None]] = set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        sent: asyncio.Queue[tuple[int, int]] = asyncio.Queue()
        try:
            async with AsyncExitStack() as stack:
                stack.push_async_callback(_closed, writer)
                to_read, to_write = await asyncio.open_connection(HOST, self._broker_port)
                stack.push_async_callback(_closed, to_write)
                ways = [
                    asyncio.create_task(self._requests(reader, to_write, sent)),
                    asyncio.create_task(self._answers(to_read, writer, sent)),
                ]
                try:
                    await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
                finally:
                    for way in ways:
                        way.cancel()
                    await asyncio.gather(*ways, return_exceptions=True)
        except OSError:
            pass  # The broker is away.
        finally:
            self._connections.discard(task)

    def cut(self) -> None:
        """End all connections."""
        for task in list(self._connections):
            task.cancel()

    async def ended(self) -> None:
        self.cut()
        await asyncio.gather(*self._connections, return_exceptions=True)

    async def _requests(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        sent: asyncio.Queue[tuple[int, int]],
    ) -> None:
        async for frame in _frames(reader):
            api, version = struct.unpack_from(">hh", frame)
            sent.put_nowait((api, version))
            writer.write(_framed(frame))
            await writer.drain()

    async def _answers(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        sent: asyncio.Queue[tuple[int, int]],
    ) -> None:
        async for frame in _frames(reader):
            api, version = await sent.get()
            faults = self.faults
            if (seconds := faults.delays.get(api)) is not None:
                faults.struck[api] += 1
                await asyncio.sleep(seconds)
            answer = _framed(frame)
            if (code := faults.codes.get(api)) is not None:
                found = refused(frame, api, version, code, faults.topics)
                faults.struck[api] += found != frame
                answer = _framed(found)
            if (broken := faults.broken.get(api)) is not None:
                faults.struck[api] += 1
                changed = broken(answer)
                if changed is None:
                    return
                answer = changed
            writer.write(answer)
            await writer.drain()


@asynccontextmanager
async def fault_proxy(
    port: int, broker_port: int, tls: ssl.SSLContext | None = None
) -> AsyncIterator[FaultProxy]:
    """Listens on this port, which the broker has to advertise."""
    proxy = FaultProxy(broker_port)
    server = await asyncio.start_server(proxy.serve, HOST, port, ssl=tls)
    try:
        yield proxy
    finally:
        server.close()
        await proxy.ended()
        await server.wait_closed()


def refused(frame: bytes, api: int, version: int, code: int, topics: Iterable[str]) -> bytes:
    """The answer with this error in all places where it has one."""
    request = _REQUESTS[api, version]
    buffer = io.BytesIO(frame)
    if request.FLEXIBLE_VERSION:
        header = frame[:5]
        buffer.seek(5)
    else:
        header = frame[:4]
        buffer.seek(4)
    kind = request.RESPONSE_TYPE
    answer = kind.decode(buffer)
    values = tuple(answer.get_item(name) for name in kind.SCHEMA.names)
    return header + bytes(kind.SCHEMA.encode(_with_error(kind.SCHEMA, values, code, set(topics))))


def _with_error(schema: Schema, values: Any, code: int, topics: set[str]) -> Any:  # noqa: ANN401
    """Of whatever Kafka's structures hold."""
    found = []
    for name, value in zip(schema.names, values, strict=False):
        if name in TOPIC_FIELDS and isinstance(value, str) and topics and value not in topics:
            return values
    for name, kind, value in zip(schema.names, schema.fields, values, strict=False):
        if name == "error_code":
            found.append(value if topics and "topics" in schema.names else code)
        elif isinstance(kind, Array) and isinstance(kind.array_of, Schema) and value is not None:
            found.append([_with_error(kind.array_of, one, code, topics) for one in value])
        elif isinstance(kind, Schema):
            found.append(_with_error(kind, value, code, topics))
        else:
            found.append(value)
    return tuple(found)


def _requests() -> Mapping[tuple[int, int], type[RequestStruct]]:
    for module in pkgutil.iter_modules(aiokafka.protocol.__path__, "aiokafka.protocol."):
        importlib.import_module(module.name)
    return {(one.API_KEY, one.API_VERSION): one for one in RequestStruct.__subclasses__()}


_REQUESTS = _requests()


async def _frames(reader: asyncio.StreamReader) -> AsyncIterator[bytes]:
    with suppress(OSError, asyncio.IncompleteReadError):
        while True:
            (size,) = struct.unpack(">i", await reader.readexactly(4))
            yield await reader.readexactly(size)


def _framed(frame: bytes) -> bytes:
    return struct.pack(">i", len(frame)) + frame


async def _closed(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with suppress(OSError):
        await writer.wait_closed()
