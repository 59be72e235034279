"""Whether the topic of a worker exists: it may be deleted, and come back, while the worker runs."""

import asyncio
from collections.abc import Callable, Collection

import structlog

LOOK_SECONDS = 1.0
log = structlog.get_logger()


class Presence:
    """Of one topic; a line is logged when it is gone, and when it is there again."""

    def __init__(self, topic: str, numbers: Callable[[str], Collection[int]]) -> None:
        """`numbers` are a topic's partitions, as far as the worker's consumer knows of them."""
        self._topic = topic
        self._numbers = numbers
        self.is_missing = False

    def found(self, *, is_there: bool) -> None:
        if is_there is not self.is_missing:
            return
        self.is_missing = not is_there
        if is_there:
            log.info("topic exists, reading it", topic=self._topic)
        else:
            log.error("topic does not exist or may not be seen, waiting for it", topic=self._topic)

    async def look_often(self) -> None:
        while True:
            self.found(is_there=bool(self._numbers(self._topic)))
            await asyncio.sleep(LOOK_SECONDS)
