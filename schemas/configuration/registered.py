"""A section of a list, as `[[destinations]]`: its `type` selects the registered model."""

from collections.abc import Mapping
from functools import cache
from typing import Any, Protocol

from pydantic import BaseModel, GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, SchemaValidator, core_schema


class Registered(Protocol):
    """An entry of a registry: a type, and the model of its sections."""

    @property
    def configuration(self) -> type[BaseModel]: ...

    @property
    def type(self) -> str: ...


class OfItsType:
    """The union of the registered models, built when a file is read."""

    def __init__(self, registry: Mapping[str, Registered]) -> None:
        self._registry = registry

    def __get_pydantic_core_schema__(
        self, _source: object, _handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(self._read)

    def __get_pydantic_json_schema__(
        self, _schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return handler(_union(tuple(self._registry.values())))

    def _read(self, section: Any) -> Any:  # noqa: ANN401  A TOML value is anything.
        """pydantic adds these errors to those of the whole file, with their place."""
        return _reader(tuple(self._registry.values())).validate_python(section)


@cache
def _reader(entries: tuple[Registered, ...]) -> SchemaValidator:
    return SchemaValidator(_union(entries))


def _union(entries: tuple[Registered, ...]) -> CoreSchema:
    models = {entry.type: entry.configuration for entry in entries}
    choices = {name: model.__pydantic_core_schema__ for name, model in models.items()}
    return core_schema.tagged_union_schema(choices, discriminator="type")
