"""An error where Kafka's records are read is told as it is."""

import pytest

from ampgate.archive.archive import archive
from ampgate.errors import CommandError
from tests.operating import Operation


async def test_an_error_at_once_is_passed_on(here: Operation) -> None:
    """Before any task of the client had its first turn."""
    with pytest.raises(CommandError, match="ours"):
        async with archive(here.config.kafka):
            raise CommandError("ours")
