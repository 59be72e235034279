"""What every section of the configuration has in common: no unknown keys, no changes."""

from typing import get_args

from pydantic import BaseModel, ConfigDict, ValidationInfo, field_validator


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    @field_validator("*", mode="before")
    @classmethod
    def _true_is_no_number(cls, value: object, field: ValidationInfo) -> object:
        """Python counts with it: `max_body_bytes = true` would be one byte."""
        if isinstance(value, bool) and not _has_bool(
            cls.model_fields[field.field_name or ""].annotation
        ):
            raise ValueError(f"must not be {str(value).lower()}")
        return value


def _has_bool(annotation: object) -> bool:
    return annotation is bool or any(map(_has_bool, get_args(annotation)))
