"""A section `[[destinations]]`: its `type` selects the vendor's model."""

from functools import cache
from typing import Annotated, Any

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, SchemaValidator, core_schema

from schemas.vendors import VENDORS
from schemas.vendors.vendor import ConfiguredDestination, Vendor


class OfItsType:
    """The union of the registered models, built when a file is read."""

    @staticmethod
    def __get_pydantic_core_schema__(_source: object, _handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(_read)

    @staticmethod
    def __get_pydantic_json_schema__(
        _schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return handler(_union(tuple(VENDORS.values())))


Destination = Annotated[ConfiguredDestination, OfItsType]


def _read(section: Any) -> ConfiguredDestination:  # noqa: ANN401  A TOML value is anything.
    """pydantic adds these errors to those of the whole file, with their place."""
    found: ConfiguredDestination = _reader(tuple(VENDORS.values())).validate_python(section)
    return found


@cache
def _reader(vendors: tuple[Vendor, ...]) -> SchemaValidator:
    return SchemaValidator(_union(vendors))


def _union(vendors: tuple[Vendor, ...]) -> CoreSchema:
    models = {vendor.type: vendor.configuration for vendor in vendors}
    choices = {name: model.__pydantic_core_schema__ for name, model in models.items()}
    return core_schema.tagged_union_schema(choices, discriminator="type")
