"""The line of the file in which a mistake stands."""

from pathlib import Path

import pytest

from schemas.configuration.config import ConfigError
from schemas.configuration.file import load
from schemas.configuration.lines import line_of, lines_of


def test_all_mistakes_are_told_at_once_with_their_lines(tmp_path: Path) -> None:
    file = tmp_path / "ampgate.toml"
    file.write_text("""[edge]
prot = 1
port = 99_999

[[sources]]
name = "one"
write_key = "${NO_SUCH_NAME}"

[[sources]]
name = "Two"
write_key_file = "/no/such/file"

[[destinations]]
name = "us"
type = "amplitude"
""")
    with pytest.raises(ConfigError) as caught:
        load(file, {"AMPGATE_DELIVERY__ADMIN_PORT": "x"})
    said = str(caught.value).splitlines()
    assert [line.removeprefix(f"{file}: ").partition(": ")[0] for line in said] == [
        "sources.0.write_key",
        "sources.1.write_key_file",
        "edge.port",
        "edge.prot",
        "AMPGATE_DELIVERY__ADMIN_PORT",
        "sources.1.name",
        "destinations.0.api_key",
    ]
    lines = [line.rpartition("(line ")[2].removesuffix(")") for line in said]
    assert [number for number in lines if number.isdecimal()] == ["7", "11", "3", "2", "10", "13"]


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("kafka.topic_settings.all.retention.ms", 2),
        ("sources.0.scrub.1.field", 9),
        ("sources.0.name", 4),
        ("sources.1.name", 11),
        ("sources.1.write_key", 10),
        ("edge.port", None),
    ],
)
def test_a_key_is_found_in_nested_tables_and_lists(path: str, line: int | None) -> None:
    lines = lines_of("""[kafka.topic_settings.all]
"retention.ms" = 1
[[sources]]
name = "a"
# name = "b"
[[sources.scrub]]
field = "x"
[[sources.scrub]]
field = "y"
[[sources]]
name = "c"
""")
    assert line_of(path, lines) == line
