"""What a check found."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at; `fix` is empty when it is as it should be."""

    subject: str
    says: str
    fix: str = ""

    @property
    def ok(self) -> bool:
        return not self.fix
