"""What was seen of each object, against a plain dictionary."""

import subprocess
import sys
import tempfile
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from gateway.pulls.fingerprints import Fingerprints, version_of

ROUNDS = """
import sys
import threading
from pathlib import Path
from gateway.pulls.fingerprints import Fingerprints

OBJECTS = [(f"id{number}", b"%08d" % number) for number in range(1_000)]
for round_ in range(15):
    kept, has_begun = Fingerprints(Path(sys.argv[1]) / str(round_)), threading.Event()
    kept.keep(OBJECTS, 1)

    def page():
        try:
            for _ in range(3):
                has_begun.set()
                kept.differing(OBJECTS)
                kept.keep(OBJECTS, 2)
        except Exception as error:
            assert "closed" in str(error), error

    left_behind = threading.Thread(target=page)
    left_behind.start()
    has_begun.wait()
    kept.close()
    left_behind.join()
"""
IDS = st.text(max_size=3)
STEPS = st.lists(
    st.tuples(st.sampled_from(["keep", "drop"]), st.dictionaries(IDS, st.binary(max_size=2)))
)


@given(STEPS, st.dictionaries(IDS, st.binary(max_size=2)))
def test_only_what_is_not_kept_as_it_is_differs(
    steps: list[tuple[str, dict[str, bytes]]], asked: dict[str, bytes]
) -> None:
    expected: dict[str, tuple[bytes, int]] = {}
    with tempfile.TemporaryDirectory() as directory:
        kept = Fingerprints(Path(directory) / "objects")
        for run, (step, objects) in enumerate(steps):
            versions = {id_: version_of(value) for id_, value in objects.items()}
            if step == "keep":
                kept.keep(versions.items(), run)
                expected |= {id_: (version, run) for id_, version in versions.items()}
            else:
                kept.drop(versions)
                expected = {id_: seen for id_, seen in expected.items() if id_ not in versions}
        questions = [(id_, version_of(value)) for id_, value in asked.items()]
        differs = [expected.get(id_, (b"", 0))[0] != version for id_, version in questions]
        assert kept.differing(questions) == differs

        last = len(steps) - 1
        unseen: set[str] = set()
        for ids in kept.unseen(last):
            unseen |= set(ids)
            kept.drop(ids)
        kept.close()
    assert unseen == {id_ for id_, (_, run) in expected.items() if run != last}


def test_what_a_cancelled_page_still_writes_does_not_end_the_process(tmp_path: Path) -> None:
    """A rebalance cancels a page, whose thread goes on: it was a segmentation fault."""
    ended = subprocess.run(
        [sys.executable, "-c", ROUNDS, str(tmp_path)], capture_output=True, check=False, text=True
    )
    assert (ended.returncode, ended.stderr) == (0, "")
