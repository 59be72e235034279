"""What the last reconciliations found, from the files that the command writes."""

from pathlib import Path

import pytest

from ampgate.console.reconciliations import OLD_SECONDS, read, state_of
from ampgate.console.words import Level
from ampgate.reconcile import metrics

NOW = 1_800_000_000.0


def test_what_the_command_wrote_is_read_again(tmp_path: Path) -> None:
    counts = {"delivered": 40, "found": 6, "missing": 34, "late": 2, "repeated": 1}
    metrics.write("eu", counts, NOW - 60, tmp_path / "eu.prom")
    metrics.write("us", counts, NOW - 60, file := tmp_path / "us.prom")
    (found,), troubles = read([file], NOW)

    assert troubles == []
    assert (found.destination, found.state.level) == ("us", Level.BAD)
    assert found.state.text == "34 events were accepted and are not there, as found {since}."
    assert found.state.since == NOW - 60
    assert found.counts == {"delivered": 40, "found": 6, "missing": 34, "late": 2}


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (None, "is not there: no reconciliation has ended yet."),
        (b"\xff", "is not what ampgate reconcile --metrics writes"),
        (b'ampgate_reconciliation_records{destination="us"', "is not what ampgate reconcile"),
    ],
)
def test_a_file_that_cannot_be_read_is_told_in_a_sentence(
    tmp_path: Path, content: bytes | None, says: str
) -> None:
    file = tmp_path / "us.prom"
    if content is not None:
        file.write_bytes(content)
    found, (trouble,) = read([file], NOW)

    assert found == []
    assert says in trouble
    assert trouble.startswith(str(file))


@pytest.mark.parametrize(
    ("ended", "counts", "level"),
    [
        (NOW, {"found": 5, "missing": 0}, Level.GOOD),
        (NOW, {"found": 5, "missing": 0, "pending": 2}, Level.BUSY),
        (NOW, {"missing": 1, "pending": 2}, Level.BAD),
        (NOW - OLD_SECONDS - 1, {"found": 5, "missing": 0}, Level.WARN),
    ],
)
def test_a_state_says_what_was_found_and_when_it_is_old(
    ended: float, counts: dict[str, int], level: Level
) -> None:
    assert state_of(ended, counts, NOW).level is level
