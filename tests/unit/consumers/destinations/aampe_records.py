"""Aampe's destination, and records for it."""

from pydantic import SecretStr

from consumers.destinations.aampe.events import AampeEvents, AampeProperties
from schemas.vendors.aampe import AampeDestination

SECRET = SecretStr("key")
CONFIG = AampeDestination(type="aampe", name="a", api_key=SECRET, region="us-east1")
EVENTS, PROPERTIES = AampeEvents(CONFIG), AampeProperties(CONFIG)
