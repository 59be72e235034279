"""The dialects: the client protocols of the edge, and their paths."""

import re
from collections.abc import Mapping

from gateway.dialects.aampe import Aampe
from gateway.dialects.amplemarket import Amplemarket
from gateway.dialects.amplitude import HttpApi
from gateway.dialects.amplitude_forms import Identify
from gateway.dialects.amplitude_legacy import LegacyUpload
from gateway.dialects.native import Native
from gateway.dialects.segment import Segment
from gateway.dialects.shapes import Endpoint
from schemas.topics import Kind

# analytics.js shortens the calls (segment.md#api).
_SEGMENT_CALLS = {
    "track": ("track", "t"),
    "identify": ("identify", "i"),
    "group": ("group", "g"),
    "page": ("page", "p"),
    "screen": ("screen", "s"),
    "alias": ("alias", "a"),
    "batch": ("batch", "b", "import"),
}
_SEGMENT = {
    f"/segment/v1/{name}": Segment(call) for call, names in _SEGMENT_CALLS.items() for name in names
}

ENDPOINTS: Mapping[str, Endpoint] = {
    "/v1/events": Native(Kind.EVENT),
    "/v1/user-properties": Native(Kind.USER_PROPERTIES),
    "/v1/group-properties": Native(Kind.GROUP_PROPERTIES),
    "/2/httpapi": HttpApi(),
    "/batch": HttpApi(),
    "/identify": Identify(Kind.USER_PROPERTIES),
    "/groupidentify": Identify(Kind.GROUP_PROPERTIES),
    "/": LegacyUpload(),
    **_SEGMENT,
    "/segment/beacon/v1/batch": Segment("batch"),  # RudderStack's, at a page's end.
    "/v1/batch": Segment("batch"),  # Segment's Node SDK ignores the path of its `host`.
    "/aampe/v1/events": Aampe(Kind.EVENT),
    "/aampe/v1/properties": Aampe(Kind.USER_PROPERTIES),
    "/webhooks/amplemarket/{key}": Amplemarket(),
}


def endpoint_of(path: str) -> Endpoint | None:
    """The endpoint of a path; doubled slashes and one at the end do not matter."""
    if (found := ENDPOINTS.get(path)) is not None:
        return found
    path = re.sub("//+", "/", path).rstrip("/") or "/"
    return ENDPOINTS.get(path) or ENDPOINTS.get(path.rpartition("/")[0] + "/{key}")
