"""What a mutant is: a replacement in the source of one module."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Mutant:
    name: str
    module: str  # Of consumers, or of schemas by its whole name.
    old: str
    new: str
    kind: str | None = None  # Of destination, where only one kind can show it.
    also: Sequence[tuple[str, str]] = ()

    @property
    def module_name(self) -> str:
        return self.module if self.module.startswith("schemas.") else f"consumers.{self.module}"
