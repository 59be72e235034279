"""The documentation agrees with the code, as far as a machine can tell."""

import json
import re
import tomllib
from pathlib import Path
from textwrap import dedent

import jsonschema
import pytest
import yaml
from typer.main import get_command

from ampgate.cli.main import app
from schemas.configuration.file import parse
from tests.deploy.commands import assert_is_command
from tests.docs import cli_page
from tests.docs.log_messages import messages, messages_of
from tests.docs.tables import DOCS, MESSAGES, TABLE, written

ROOT = DOCS.parent
COMMANDS = {one.name or one.callback.__name__ for one in app.registered_commands if one.callback}
COMMANDS |= {str(group.name) for group in app.registered_groups}
PAGES = [*sorted(DOCS.rglob("*.md")), ROOT / "README.md"]

WITH_MESSAGES = ("metrics.md", "troubleshooting.md", "logs.md", "operating.md")

ENVIRONMENT = {
    name: f"value of {name}"
    for page in PAGES
    for name in re.findall(r'"\$\{(\w+)\}"', page.read_text())
}


def name_of(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_the_tables_are_those_of_the_code(page: Path) -> None:
    document = page.read_text()

    assert document == written(document), "run: python -m tests.docs.tables"


def test_the_page_of_the_commands_is_what_they_say() -> None:
    assert (DOCS / "cli.md").read_text() == cli_page.page(), "run: python -m tests.docs.tables"


def test_a_terminal_shows_the_helps_whole() -> None:
    """What is in brackets would be a style, and left out."""
    assert [said for said in cli_page.helps(get_command(app)) if "[" in said] == []


@pytest.mark.parametrize("name", ["configuration.md", "logs.md"])
def test_every_row_has_a_meaning(name: str) -> None:
    page = (DOCS / name).read_text()
    rows = [line for _, _, table, _ in TABLE.findall(page) for line in table.splitlines()]

    assert [row for row in rows if row.endswith("|  |")] == []


def test_every_room_that_logs_has_a_table() -> None:
    tables = {name for _, name, _, _ in TABLE.findall((DOCS / "logs.md").read_text())}

    assert tables == {f"{MESSAGES}{one.room}" for one in messages().values()}


def test_a_message_of_several_processes_has_the_same_fields_in_each() -> None:
    """Whoever searches all logs for it finds why under one name."""
    by_text: dict[str, set[tuple[str, ...]]] = {}
    for one in messages().values():
        if one.levels != ("info",):
            by_text.setdefault(one.text, set()).add(one.fields)

    assert {text: fields for text, fields in by_text.items() if len(fields) > 1} == {}


def test_a_message_is_found_with_its_levels_and_fields_however_it_is_called() -> None:
    source = """
log.error("a", one=1, exc_info=error)
self._errors.error("b", two=2)
say = log.error if records else log.warning
say("c", three=3)
print("d")
log.debug("e")
"""
    found = {(one.text, one.levels, one.fields) for one in messages_of(source, "gateway", "x.py")}

    assert found == {
        ("a", ("error",), ("one",)),
        ("b", ("error",), ("two",)),
        ("c", ("error", "warning"), ("three",)),
    }


def test_a_message_that_is_no_plain_text_is_an_error() -> None:
    with pytest.raises(AssertionError, match=r"x.py:1"):
        list(messages_of('log.error(f"{name} failed")', "gateway", "x.py"))


def test_every_alert_says_what_to_do_and_no_other_is_told_of() -> None:
    rules = yaml.safe_load((ROOT / "deploy" / "prometheus" / "alerts.yml").read_text())
    alerts = {
        (rule["alert"], rule["labels"]["severity"].capitalize())
        for group in rules["groups"]
        for rule in group["rules"]
        if "alert" in rule
    }
    told = re.findall(
        r"^### (Ampgate\w+)\n(\w+)\. ", (DOCS / "metrics.md").read_text(), re.MULTILINE
    )

    assert set(told) == alerts


def test_what_a_page_quotes_is_said_by_the_code() -> None:
    """Whoever searches a log for it has to find it. Commands are tested below."""
    quoted = re.compile(r"`([a-z]+(?:\s[a-z']+,?){2,})`")
    pages = "".join((DOCS / name).read_text() for name in WITH_MESSAGES)
    found = {" ".join(words.split()) for words in quoted.findall(pages)}
    packages = ("ampgate", "consumers", "gateway", "schemas")
    said = "".join(path.read_text() for one in packages for path in (ROOT / one).rglob("*.py"))
    tools = ("ampgate ", "kubectl ")

    assert [words for words in found if not words.startswith(tools) and words not in said] == []


def test_an_alert_that_a_log_message_names_exists() -> None:
    told = set(re.findall(r"Ampgate\w+", (DOCS / "metrics.md").read_text()))

    assert set(re.findall(r"Ampgate\w+", (DOCS / "logs.md").read_text())) <= told


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text())

    assert [link for link in links if not (page.parent / link).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_configurations_in_the_docs_are_good(page: Path, tmp_path: Path) -> None:
    for text in re.findall(r"```toml\n(.*?)```", page.read_text(), re.DOTALL):
        tree = tomllib.loads(text)
        filled = re.sub(
            r'(_file": )"([^"]*)"', lambda m: f'{m[1]}"{a_file(tmp_path, m[2])}"', json.dumps(tree)
        )
        # A page may show a destination that names a source of another page.
        loaded = json.loads(filled)
        named = {s for d in loaded.get("destinations", ()) for s in d.get("sources", ())}
        known = {source["name"] for source in loaded.get("sources", ())}
        loaded["sources"] = loaded.get("sources", []) + [
            {"name": name, "write_key": name} for name in sorted(named - known - {"kafka"})
        ]
        config = parse(loaded, ENVIRONMENT, page.name)  # A wrong one raises a `ConfigError`.

        assert [one.name for one in config.destinations] == [
            one["name"] for one in loaded.get("destinations", ())
        ]


def test_values_in_the_docs_fit_the_chart() -> None:
    chart = ROOT / "deploy" / "helm" / "ampgate"
    usual = yaml.safe_load((chart / "values.yaml").read_text())
    page = (DOCS / "howto" / "kubernetes.md").read_text()
    shown = re.findall(r"^ *```yaml\n(.*?)^ *```", page, re.DOTALL | re.MULTILINE)

    assert len(shown) > 1
    for text in shown:
        values = usual | yaml.safe_load(dedent(text))
        values["secrets"] = usual["secrets"] | values["secrets"]
        jsonschema.validate(values, json.loads((chart / "values.schema.json").read_text()))


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_commands_in_the_docs_exist(page: Path) -> None:
    code = re.findall(r"```sh\n(.*?)```|`([^`\n]+)`", page.read_text(), re.DOTALL)
    used = {
        word
        for texts in code
        for text in texts
        for word in re.findall(r"(?:^|/|\s)ampgate ([a-z][a-z-]+)", text)
    }

    assert used - COMMANDS - {name.replace("_", "-") for name in COMMANDS} == set()


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_options_in_the_docs_exist(page: Path) -> None:
    for block in re.findall(r"^ *```sh\n(.*?)^ *```", page.read_text(), re.DOTALL | re.MULTILINE):
        used = re.findall(r"(?:^|[\s/])ampgate ([a-z][^|&>#\n]*)", block.replace("\\\n", " "))
        for words in map(str.split, used):
            if words[0] in COMMANDS:  # Else a package, such as `pip install ampgate`.
                assert_is_command(words)


def a_file(directory: Path, name: str) -> str:
    file = directory / name.replace("/", "-")
    file.write_text(f"secret of {name}")
    return file.as_posix()
