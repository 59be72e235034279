"""Group properties as events through `/batch`."""

import orjson
from pydantic import SecretStr

from consumers.delivery.destination import Encoded
from consumers.destinations.amplitude.events import AmplitudeGroupIdentifyAsEvents
from schemas.vendors.amplitude import AmplitudeDestination
from tests.simulation.log import Kept

CONFIG = AmplitudeDestination(type="amplitude", name="a", api_key=SecretStr("key"), gzip=False)


def test_a_group_without_properties_is_an_event_without_them() -> None:
    value = b'{"group_type":"org","group_value":"acme","insert_id":"i","time":1}'
    encoded = AmplitudeGroupIdentifyAsEvents(CONFIG).encode(
        Kept("group-properties", 0, 3, b"org:acme", value, None, 1, ())
    )

    assert isinstance(encoded, Encoded)
    assert orjson.loads(encoded.body) == {
        "event_type": "$groupidentify",
        "groups": {"org": "acme"},
        "insert_id": "i",
        "time": 1,
    }
