"""Whether Kafka answers a worker, for the log: nothing that was asked fails while it hangs."""

import structlog

log = structlog.get_logger()


class Silence:
    """A line is logged when Kafka answers no more, and when it does again."""

    def __init__(self, destination: str, kind: str) -> None:
        self._destination = destination
        self._kind = kind
        self._is_told = False

    def look(self, *, is_reached: bool) -> None:
        if is_reached is not self._is_told:
            return
        self._is_told = not is_reached
        if is_reached:
            log.info("Kafka answers again", destination=self._destination, kind=self._kind)
        else:
            log.warning(
                "Kafka does not answer, waiting for it",
                destination=self._destination,
                kind=self._kind,
            )
