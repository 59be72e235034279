"""What was seen of each object, against a plain dictionary."""

import tempfile
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from gateway.pulls.fingerprints import Fingerprints, version_of

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
