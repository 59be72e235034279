"""What a check found."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of one check; `fix` is empty if it is all right.

    `advice` is for a warning, which is not a failure: it may be intended.
    """

    subject: str
    says: str
    fix: str = ""
    advice: str = ""

    @property
    def ok(self) -> bool:
        return not self.fix
