"""How many examples a property test tries."""

from hypothesis import settings

USUAL = 100  # What Hypothesis tries unless a profile says otherwise.


def examples(count: int) -> settings:
    """So many in `make test`; in `make quick` (its profile: `tests/conftest.py`) its share."""
    return settings(max_examples=max(1, count * settings().max_examples // USUAL))
