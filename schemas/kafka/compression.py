"""The codec of the batches that we write: the configured one, else the next that the cluster takes.

Azure Event Hubs takes gzip in its larger tiers and no codec in the others (it answers
UNSUPPORTED_FOR_MESSAGE_FORMAT), a Kafka before 2.1 no zstd (UNKNOWN_SERVER_ERROR; and a newer one
UNSUPPORTED_COMPRESSION_TYPE to clients of that time, KIP-110).
"""

import structlog
from aiokafka.errors import (
    BrokerResponseError,
    UnknownError,
    UnsupportedForMessageFormatError,
    kafka_errors,
)

CODECS = {  # Kafka's numbers.
    "none": 0,
    "gzip": 1,
    "snappy": 2,
    "lz4": 3,
    "zstd": 4,
}
NAMES = {number: name for name, number in CODECS.items()}
FALLBACKS = ("lz4", "gzip", "none")
log = structlog.get_logger()


class UnsupportedCompressionTypeError(BrokerResponseError):  # type: ignore[misc]  # aiokafka has no types.
    """aiokafka does not know this answer of Kafka."""

    errno = 76
    message = "UNSUPPORTED_COMPRESSION_TYPE"
    description = "The requesting client does not support the compression type of the partition."


kafka_errors[UnsupportedCompressionTypeError.errno] = UnsupportedCompressionTypeError


class Compression:
    """The codec of new batches; one that was refused is not used again."""

    def __init__(self, configured: str) -> None:
        others = [] if configured == "none" else [one for one in FALLBACKS if one != configured]
        self._left = [configured, *others]

    @property
    def name(self) -> str:
        return self._left[0]

    @property
    def codec(self) -> int:
        return CODECS[self._left[0]]

    def is_refused(self, codec: int, error: BaseException) -> bool:
        """Whether the error means this codec; then new batches have another."""
        if not means_compression(codec, error):
            return False
        if codec == self.codec:  # Else a batch from before, which waited.
            self._left.pop(0)
            log.warning(
                "Kafka refuses a compression, using another",
                refused=NAMES[codec],
                using=self.name,
                error=str(error),
            )
        return True


def means_compression(codec: int, error: BaseException) -> bool:
    """Whether a batch with this codec was refused because of it."""
    if codec == CODECS["zstd"] and type(error) is UnknownError:
        return True
    refusals = (UnsupportedCompressionTypeError, UnsupportedForMessageFormatError)
    return codec != CODECS["none"] and isinstance(error, refusals)
