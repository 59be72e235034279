"""The edge as a process."""

import uvicorn

from gateway.app import create_app
from schemas.config import Config

GRACE_SECONDS = 10


def serve(config: Config) -> None:
    """Run until a signal ends it; what is in flight is finished first."""
    uvicorn.run(
        create_app(config),
        host=config.edge.host,
        port=config.edge.port,
        http="httptools",
        loop="auto",  # uvloop where there is one.
        lifespan="on",
        access_log=False,
        proxy_headers=False,  # Which proxies to believe is ours to say.
        server_header=False,
        log_config=None,  # Its lines go where ours go.
        log_level="warning",
        timeout_graceful_shutdown=GRACE_SECONDS,
    )
