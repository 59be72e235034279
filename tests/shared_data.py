"""Data too large for the repository, beside it; what needs it skips where it is not."""

from pathlib import Path

DATA = Path(__file__).parents[2] / "shared" / "data"
