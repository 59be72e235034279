"""Whether a worker's letters may be among records that are not parsed yet."""

import re
from collections.abc import Callable


def may_have_letters(destination: str, topic: str) -> Callable[[bytes], bool]:
    """Whether records, as Kafka has them, may have letters of this destination and topic.

    A header there is its name, the length of its value (of which all bytes but the last have the
    highest bit), and its value. A record's own value may look like one: then there may be some.
    """
    origin, name = topic.encode() + b"/", re.escape(destination.encode())
    of_destination = re.compile(rb"destination[\x80-\xff]*[\x00-\x7f]" + name)

    def may_have(records: bytes) -> bool:
        return origin in records and of_destination.search(records) is not None

    return may_have
