"""Webhooks: each path is one vendor's. Pure."""

from collections.abc import Mapping

from gateway.dialects.amplemarket import Amplemarket
from gateway.dialects.shapes import Endpoint

ENDPOINTS: Mapping[str, Endpoint] = {"/webhooks/amplemarket/{key}": Amplemarket()}
