"""A schema of a plan, compiled: whether a value keeps to it, and why it does not. Pure.

For each error jsonschema-rs makes an object of a kB: `iter_errors` one for each wrong element of a
list, and the error of an `anyOf` or `oneOf` one for each in every branch. So a body of 4 MB took
800 MB and 2 seconds. Here one error is asked for, of a form of the schema in which alternatives
have no errors of their own.
"""

from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

from schemas.plans.document import LISTS, MAPS, SCHEMAS, Schema, compiled, whole

if TYPE_CHECKING:  # As in `document`.
    from jsonschema_rs import Draft202012Validator, ValidationError

WORDS: Final = {
    "anyOf": "is not valid under any of the schemas listed in the 'anyOf' keyword",
    "oneOf": "is not valid under exactly one of the schemas listed in the 'oneOf' keyword",
}
_MARK = "x-none-of"


class Rule:
    def __init__(self, schema: Schema, definitions: Mapping[str, Any]) -> None:
        self._schema = whole(schema, definitions)
        self._validator = compiled(self._schema)
        self.is_valid = self._validator.is_valid

    def first(self, value: object) -> "Iterator[ValidationError]":
        """One of its errors."""
        from jsonschema_rs import ValidationError

        try:
            self._explaining.validate(value)
            self._validator.validate(value)
        except ValidationError as error:
            yield error

    def all(self, value: object) -> "Iterator[ValidationError]":
        """All of them."""
        return self._explaining.iter_errors(value)

    @cached_property
    def _explaining(self) -> "Draft202012Validator":
        """The same, but of alternatives only whether they are kept. Most rules never need it."""
        from jsonschema_rs import ValidationError

        if (briefly := _briefly(self._schema)) == self._schema:
            return self._validator
        try:
            return compiled(briefly)
        except ValidationError:  # A `$ref` leads into an alternative.
            return self._validator


def alternatives_of(schema: object) -> str | None:
    """Of an error's `not`: the keyword whose alternatives are not kept."""
    return schema.get(_MARK) if isinstance(schema, dict) else None


def _briefly(schema: Any) -> Any:  # noqa: ANN401  A subschema.
    """Conditions in place of alternatives: what a condition finds wrong makes no errors."""
    if not isinstance(schema, dict):
        return schema
    brief = {name: _within(name, value) for name, value in schema.items() if name not in WORDS}
    conditions = [
        {"if": {name: schema[name]}, "else": {"not": {_MARK: name}}}
        for name in WORDS
        if name in schema
    ]
    return {**brief, "allOf": [*brief.get("allOf", ()), *conditions]} if conditions else brief


def _within(name: str, value: Any) -> Any:  # noqa: ANN401  A keyword's value.
    if name in SCHEMAS:
        return _briefly(value)
    if name in LISTS:
        return [_briefly(one) for one in value]
    if name in MAPS:
        return {key: _briefly(one) for key, one in value.items()}
    return value
