"""One request on its way through the edge."""

import time
from collections.abc import Mapping
from typing import Any

from gateway.dialects.shapes import Batch, Context, Endpoint, Request
from gateway.edge.admission import Share
from gateway.edge.sources import Sender

Scope = Mapping[str, Any]


class Ingestion:
    """What is known of a request so far."""

    __slots__ = (
        *("batch", "context", "endpoint", "is_known", "request", "reserved", "retry_after"),
        *("scope", "sender", "share", "started"),
    )
    sender: Sender  # Once it is known.
    context: Context  # Once it is opened.
    batch: Batch  # Once it is read.

    def __init__(
        self, endpoint: Endpoint, scope: Scope, headers: Mapping[bytes, bytes], share: Share
    ) -> None:
        self.started = time.perf_counter()
        self.endpoint = endpoint
        self.scope = scope
        self.request = Request(scope["path"], scope["query_string"], headers)
        self.share = share
        self.is_known = False
        self.reserved = 0  # Of the share, for its records.
        self.retry_after = 0.0
