"""Amplitude's protocols: HTTP V2 and Batch, forms, and uploads of older SDKs. Pure."""

from collections.abc import Mapping

from gateway.dialects.amplitude_forms import Identify
from gateway.dialects.amplitude_http import HttpApi
from gateway.dialects.amplitude_legacy import LegacyUpload
from gateway.dialects.shapes import Endpoint
from schemas.topics import Kind

ENDPOINTS: Mapping[str, Endpoint] = {
    "/2/httpapi": HttpApi(),
    "/batch": HttpApi(),
    "/identify": Identify(Kind.USER_PROPERTIES),
    "/groupidentify": Identify(Kind.GROUP_PROPERTIES),
    "/": LegacyUpload(),
}
