"""`ampgate check`: whether Kafka takes batches with the configured compression."""

from ampgate.check.finding import Finding
from schemas.configuration.config import Kafka
from schemas.kafka.batches import NotStored
from schemas.kafka.log import Log
from schemas.records import NewRecord

ACK_SECONDS = 5.0


async def check_compression(kafka: Kafka) -> list[Finding]:
    """As edge and delivery do: write a record, here to the topic of the edge's probes."""
    topic = kafka.topics.probe
    log = Log(kafka, [topic], ack_timeout_seconds=ACK_SECONDS, on_outage="the check goes on")
    try:
        await log.start()
        await log.append(topic, [NewRecord(None, b"check")])
    except NotStored:
        return []  # It is not the codec: that would have been answered with another.
    finally:
        await log.stop()
    if (using := log.compression.name) == kafka.compression:
        return [Finding("compression", using)]
    says = f"Kafka refuses {kafka.compression}, {using} is used"
    return [Finding("compression", says, advice=f'set compression = "{using}" in [kafka]')]
