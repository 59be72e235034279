"""What a check found."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at; `fix` is empty when it is as it should be.

    `advice` goes with what may be meant so: a warning, no failure.
    """

    subject: str
    says: str
    fix: str = ""
    advice: str = ""

    @property
    def ok(self) -> bool:
        return not self.fix
