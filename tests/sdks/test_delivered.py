"""The whole way: what SDKs send through the edge, and delivery, is what Amplitude takes."""

from schemas.configuration.config import Config
from tests.conftest import Broker
from tests.kafka.delivery_world import opened_world
from tests.kafka.test_edge import serving
from tests.sdks.senders import ALL


async def test_what_every_sdk_sends_the_strict_simulator_takes(
    kafka: Broker, topic_prefix: str
) -> None:
    async with opened_world(kafka, topic_prefix) as world:
        settings = Config.model_validate(
            {
                "kafka": world.config.kafka.model_dump(exclude_unset=True),
                "sources": [{"name": "shop", "write_key": "secret"}],
            }
        )
        sent: list[str] = []
        async with serving(settings) as edge:
            for send in ALL:
                sent += await send(str(edge.base_url).rstrip("/"), "secret")
        async with world.delivering():
            await world.until_accepted("amplitude", len(sent))
        received = await world.received("amplitude")
        stats = await world.stats("amplitude")

    assert [event["event_type"] for event in received] == sent  # One user's, so in order.
    assert (stats["distinct_insert_ids"], stats["violations"]) == (len(sent), [])
