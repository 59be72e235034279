"""For which ids the search of events looks."""

from ampgate.console.pages.events import ways_to_ask
from ampgate.trace.trace import ByInsertId, ByUser


def test_an_id_is_looked_for_as_it_was_typed_and_then_without_the_spaces_around_it() -> None:
    """Mostly they were pasted, but an id may have them."""
    assert ways_to_ask(" ann ", "any", everywhere=False) == [
        ByUser(" ann "),
        ByUser("ann"),
        ByInsertId(" ann "),
        ByInsertId("ann"),
    ]
    assert ways_to_ask("ann", "user", everywhere=True) == [ByUser("ann", everywhere=True)]
