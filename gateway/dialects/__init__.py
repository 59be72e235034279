"""The client protocols of the edge: which path speaks which."""

from collections.abc import Mapping

from gateway.dialects.amplitude import HttpApi
from gateway.dialects.amplitude_forms import Identify
from gateway.dialects.native import Native
from gateway.dialects.shapes import Endpoint
from schemas.topics import Kind

ENDPOINTS: Mapping[str, Endpoint] = {
    "/v1/events": Native(Kind.EVENT),
    "/v1/user-properties": Native(Kind.USER_PROPERTIES),
    "/v1/group-properties": Native(Kind.GROUP_PROPERTIES),
    "/2/httpapi": HttpApi(),
    "/batch": HttpApi(),
    "/identify": Identify(Kind.USER_PROPERTIES),
    "/groupidentify": Identify(Kind.GROUP_PROPERTIES),
}
