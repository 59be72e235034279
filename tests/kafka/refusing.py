"""A Kafka that refuses some codecs, as hosted ones do: a proxy in front of a real one refuses."""

import asyncio
import io
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from aiokafka.protocol.api import RequestHeader_v1
from aiokafka.protocol.produce import ProduceRequest_v7, ProduceResponse_v7

from ampgate.lab.kafka.kafka import EmbeddedKafka
from ampgate.lab.kafka.ports import free_ports
from ampgate.lab.kafka.settings import HOST
from schemas.kafka.compression import CODECS

PRODUCE = (0).to_bytes(2)
LENGTH_BYTES = 4


class RefusingKafka:
    """Requests go to Kafka one by one; those that write with a refused codec are answered here."""

    def __init__(self, embedded: EmbeddedKafka, servers: str) -> None:
        self.bootstrap_servers = servers
        self._embedded = embedded
        self.connections: list[asyncio.Task[None]] = []
        self.refused: Collection[str] = ()
        self.error_code = 0
        self.refusals: list[str] = []

    def refuse(self, *codecs: str, error_code: int) -> None:
        self.refused, self.error_code, self.refusals = codecs, error_code, []

    def connected(self, client: asyncio.StreamReader, answers: asyncio.StreamWriter) -> None:
        self.connections.append(asyncio.create_task(self._serve(client, answers)))

    async def _serve(self, client: asyncio.StreamReader, answers: asyncio.StreamWriter) -> None:
        host, port = self._embedded.bootstrap_servers.split(":")
        broker, requests = await asyncio.open_connection(host, int(port))
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                request = await frame(client)
                answer = self._refusal(request) if request[:2] == PRODUCE else None
                if answer is None:
                    requests.write(len(request).to_bytes(LENGTH_BYTES) + request)
                    answer = await frame(broker)
                answers.write(len(answer).to_bytes(LENGTH_BYTES) + answer)
        for end in (requests, answers):
            end.close()
            with suppress(ConnectionError):
                await end.wait_closed()

    def _refusal(self, request: bytes) -> bytes | None:
        read = io.BytesIO(request)
        _, version, correlation_id, _ = RequestHeader_v1.SCHEMA.decode(read)
        assert version == ProduceRequest_v7.API_VERSION
        topics = ProduceRequest_v7.decode(read).topics
        numbers = {CODECS[name]: name for name in self.refused}
        found = {batch[22] & 0b111 for _, batches in topics for _, batch in batches}
        if not found & numbers.keys():
            return None
        self.refusals += [numbers[codec] for codec in found if codec in numbers]
        failed = [
            (topic, [(partition, self.error_code, -1, -1, -1) for partition, _ in batches])
            for topic, batches in topics
        ]
        answer: bytes = ProduceResponse_v7(failed, 0).encode()
        return int(correlation_id).to_bytes(4) + answer


async def frame(reader: asyncio.StreamReader) -> bytes:
    size = await reader.readexactly(LENGTH_BYTES)
    return await reader.readexactly(int.from_bytes(size))


@asynccontextmanager
async def refusing_kafka(folder: Path) -> AsyncIterator[RefusingKafka]:
    [port] = free_ports(1)
    settings = {"advertised.listeners": f"CLIENTS://{HOST}:{port}"}  # Clients come to the proxy.
    with EmbeddedKafka(folder, settings=settings) as embedded:
        kafka = RefusingKafka(embedded, f"{HOST}:{port}")
        server = await asyncio.start_server(kafka.connected, HOST, port)
        try:
            yield kafka
        finally:
            server.close()
            await asyncio.gather(*kafka.connections)  # Their clients have closed them.
