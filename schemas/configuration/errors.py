"""Messages for an invalid configuration: the key, and its allowed values. Pure."""

from collections.abc import Mapping
from typing import Any, get_args

from pydantic import BaseModel
from pydantic_core import ErrorDetails

from schemas.configuration.config import Config
from schemas.configuration.registered import Registered
from schemas.configuration.values import (
    AWS_REGION,
    BASE_URL,
    BOOTSTRAP,
    FIELD,
    FUNCTION,
    HOST,
    NAME,
    OAUTH_EXTENSION,
    ORIGIN,
    PATH_PREFIX,
    SHA256,
    TOPIC_PREFIX,
)
from schemas.vendors import SYSTEMS, VENDORS

PATTERNS = {
    AWS_REGION: "a region of AWS, as in eu-central-1",
    BASE_URL: "a URL, as in https://proxy.example",
    BOOTSTRAP: "host:port, several with commas",
    FIELD: "a field's path, as in event_properties.email",
    FUNCTION: "module:function, as in shop.mapping:for_aampe",
    HOST: "an address or a name to listen on, as in 127.0.0.1",
    NAME: "lower-case letters, digits and hyphens, at most 63",
    OAUTH_EXTENSION: 'NAME=VALUE, as in "logicalCluster=lkc-1"',
    ORIGIN: 'an origin as browsers write it, as in https://shop.example, or "*"',
    PATH_PREFIX: "a path without a slash at its end, as in /collect",
    SHA256: "a SHA-256: 64 hex digits, in lower case",
    TOPIC_PREFIX: "letters, digits, dots, hyphens and underscores, at most 60",
}
REGISTRIES: Mapping[str, Mapping[str, Registered]] = {"destinations": VENDORS, "pulls": SYSTEMS}
TYPES = {
    "tuple_type": 'must be a list, as in ["…"]',
    "model_type": "must be a table",
    "dict_type": "must be a table",
    "mapping_type": "must be a table",
    "missing": "is required",
    "too_short": "must not be empty",
    "string_too_short": "must not be empty",
    "ip_v4_network": 'must be a network, as in "10.0.0.0/8"',
    "ip_v6_network": 'must be a network, as in "2001:db8::/32"',
}


def words(error: ErrorDetails) -> str:
    """The error, without the value, which may be a secret."""
    context: Mapping[str, Any] = error.get("ctx", {})
    match error["type"]:
        case "extra_forbidden":
            return f"unknown key; known are {', '.join(_known(error['loc'][:-1]))}"
        case "union_tag_not_found":
            return f"type is required: {_types(error)}"
        case "union_tag_invalid":
            return f"type must be {_types(error)}"
        case "string_pattern_mismatch":
            pattern = context["pattern"]
            return f"must be {PATTERNS.get(pattern, f'of the form {pattern}')}"
        case "value_error":
            return str(context["error"])
        case "tuple_type" if len(error["loc"]) == 1 or error["loc"][-1] == "scrub":
            return f"must be tables, each with its own line [[{_header(error['loc'])}]]"
        case known if known in TYPES:
            return TYPES[known]
        case _:
            return error["msg"].replace("Input should be", "must be")


def _header(location: tuple[int | str, ...]) -> str:
    return ".".join(part for part in location if isinstance(part, str))


def _types(error: ErrorDetails) -> str:
    *names, last = [f"'{name}'" for name in REGISTRIES[str(error["loc"][0])]]
    return f"{', '.join(names)} or {last}" if names else last


def _known(parents: tuple[int | str, ...]) -> list[str]:
    """The keys allowed there."""
    section: type[BaseModel] = Config
    if parents[:1] and parents[0] in REGISTRIES:  # pydantic names the member of a union, too.
        section = REGISTRIES[str(parents[0])][str(parents[2])].configuration
        parents = parents[3:]
    for part in parents:
        if not isinstance(part, int):  # An entry of a list: the section is the list's.
            section = _section_in(section.model_fields[part].annotation) or section
    return sorted(section.model_fields)


def _section_in(annotation: object) -> type[BaseModel] | None:
    """The model of a key's value, or of its entries."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next(filter(None, map(_section_in, get_args(annotation))), None)
