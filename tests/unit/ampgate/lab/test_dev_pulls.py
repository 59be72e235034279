"""The pulls of `ampgate dev --pulls FILE`: each asks a simulator, unless it says whom to ask."""

from pathlib import Path

import pytest

from ampgate.errors import CommandError
from ampgate.lab.dev.configuration import Options, configure
from ampgate.lab.dev.dev import children
from ampgate.lab.dev.pulls import simulators_of

PULLS = """\
[[pulls]]  # Profiles.
name = "vip"
type = "amperity"
tenant = "acme"
token = "t"
index = "idx-1a2b"
user_id = "email"
every = "1h"
filter = { country = "[[pulls]]" }

 [[ pulls ]]
name = "sales"
type = "amplemarket"
api_key = "k"
every = "15m"

[[pulls]]
name = "ex"
type = "amplemarket-exclusions"
api_key = "k"
every = "15m"

[[pulls]]
name = "mine"
type = "amplemarket"
api_key = "k"
every = "15m"
base_url = "http://127.0.0.1:1"
"""


def test_each_pull_asks_the_simulator_of_its_system_and_each_is_started_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AMPGATE_CONFIG", "")
    options = Options(tmp_path, pulls=PULLS)
    config = configure(options, "127.0.0.1:9092")
    assert {one.name: one.base_url for one in config.pulls} == {
        "vip": "http://127.0.0.1:9103",
        "sales": "http://127.0.0.1:9104",
        "ex": "http://127.0.0.1:9104",
        "mine": "http://127.0.0.1:1",
    }
    assert config.pull.admin_port != 9092
    names = [child.name for child in children(options)]
    assert names[:2] == ["the amperity simulator", "the amplemarket simulator"]
    assert "the pulls" in names


def test_without_pulls_nothing_of_them_is_started() -> None:
    assert not [one.name for one in children(Options()) if "pull" in one.name]


@pytest.mark.parametrize("text", ["", "[[pulls]", "[kafka]\n" + PULLS, "pulls = [{ name = 'a' }]"])
def test_a_file_with_anything_else_is_refused(text: str) -> None:
    with pytest.raises(CommandError, match="--pulls"):
        simulators_of(text)
