"""Amplitude's protocols: HTTP V2 and Batch, forms, and uploads of older SDKs. Pure."""

from collections.abc import Mapping

from gateway.dialects.amplitude_forms import Form
from gateway.dialects.amplitude_http import HttpApi
from gateway.dialects.amplitude_legacy import LegacyUpload
from gateway.dialects.shapes import Endpoint
from schemas.topics import Kind

ENDPOINTS: Mapping[str, Endpoint] = {
    "/2/httpapi": HttpApi(),
    "/batch": HttpApi(),
    "/identify": Form(Kind.USER_PROPERTIES),
    "/groupidentify": Form(Kind.GROUP_PROPERTIES),
    "/httpapi": Form(Kind.EVENT),
    "/": LegacyUpload(),
}
