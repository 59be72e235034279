"""What is said of a wrong configuration: the key, and what it may be. Pure."""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel
from pydantic_core import ErrorDetails

from schemas.configuration.config import (
    AampeDestination,
    AmplitudeDestination,
    Config,
    Delivery,
    Edge,
    Kafka,
    Scrub,
    Source,
)
from schemas.configuration.values import (
    BASE_URL,
    BOOTSTRAP,
    FIELD,
    HOST,
    NAME,
    ORIGIN,
    PATH_PREFIX,
    SHA256,
    TOPIC_PREFIX,
)

# By the last name in an error's location; pydantic names the member of a union, too.
SECTIONS: Mapping[str, type[BaseModel]] = {
    "kafka": Kafka,
    "edge": Edge,
    "delivery": Delivery,
    "sources": Source,
    "scrub": Scrub,
    "amplitude": AmplitudeDestination,
    "aampe": AampeDestination,
}
PATTERNS = {
    BASE_URL: "a URL, as in https://proxy.example",
    BOOTSTRAP: "host:port, several with commas",
    FIELD: "a field's path, as in event_properties.email",
    HOST: "an address or a name to listen on, as in 127.0.0.1",
    NAME: "lower-case letters, digits and hyphens, at most 63",
    ORIGIN: 'an origin as browsers write it, as in https://shop.example, or "*"',
    PATH_PREFIX: "a path without a slash at its end, as in /collect",
    SHA256: "a SHA-256: 64 hex digits, in lower case",
    TOPIC_PREFIX: "letters, digits, dots, hyphens and underscores, at most 60",
}
TYPES = {
    "tuple_type": 'must be a list, as in ["…"]',
    "model_type": "must be a table",
    "dict_type": "must be a table",
    "mapping_type": "must be a table",
    "missing": "is required",
}


def words(error: ErrorDetails) -> str:
    """What is wrong, without the value, which may be a secret."""
    context: Mapping[str, Any] = error.get("ctx", {})
    match error["type"]:
        case "extra_forbidden":
            return f"unknown key; known are {', '.join(_known(error['loc'][:-1]))}"
        case "union_tag_not_found":
            return "type is required: 'amplitude' or 'aampe'"
        case "union_tag_invalid":
            return "type must be 'amplitude' or 'aampe'"
        case "string_pattern_mismatch":
            return f"must be {PATTERNS[context['pattern']]}"
        case "value_error":
            return str(context["error"])
        case known if known in TYPES:
            return TYPES[known]
        case _:
            return error["msg"].replace("Input should be", "must be")


def _known(parents: tuple[int | str, ...]) -> list[str]:
    """The keys that may stand there."""
    names = [part for part in parents if isinstance(part, str)]
    return sorted(SECTIONS[names[-1]].model_fields if names else Config.model_fields)
