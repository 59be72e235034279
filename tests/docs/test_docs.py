"""The documentation agrees with the code, as far as a machine can tell."""

import json
import re
import tomllib
from pathlib import Path

import pytest
import yaml

from ampgate.cli.main import app
from schemas.configuration.file import parse
from tests.docs.tables import DOCS, TABLE, written

ROOT = DOCS.parent
PAGES = [*sorted(DOCS.glob("*.md")), ROOT / "README.md"]
ENVIRONMENT = {
    name: f"value of {name}"
    for page in PAGES
    for name in re.findall(r'"\$\{(\w+)\}"', page.read_text())
}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_tables_are_those_of_the_code(page: Path) -> None:
    document = page.read_text()

    assert document == written(document), "run: python -m tests.docs.tables"


def test_every_key_of_the_configuration_has_a_meaning() -> None:
    page = (DOCS / "configuration.md").read_text()
    rows = [line for _, _, table, _ in TABLE.findall(page) for line in table.splitlines()]

    assert [row for row in rows if row.endswith("|  |")] == []


def test_every_alert_says_what_to_do_and_no_other_is_told_of() -> None:
    rules = yaml.safe_load((ROOT / "deploy" / "prometheus" / "alerts.yml").read_text())
    alerts = {
        f"{rule['alert']} ({rule['labels']['severity']})"
        for group in rules["groups"]
        for rule in group["rules"]
        if "alert" in rule
    }
    told = re.findall(r"\*\*(Ampgate\w+)\*\* (\(\w+\))", (DOCS / "metrics.md").read_text())

    assert {" ".join(words) for words in told} == alerts


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text())

    assert [link for link in links if not (page.parent / link).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_configurations_in_the_docs_are_good(page: Path, tmp_path: Path) -> None:
    for text in re.findall(r"```toml\n(.*?)```", page.read_text(), re.DOTALL):
        tree = tomllib.loads(text)
        filled = re.sub(r'(_file": )"[^"]*"', rf'\1"{a_file(tmp_path)}"', json.dumps(tree))
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


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_in_the_docs_exist(page: Path) -> None:
    groups = {group.name for group in app.registered_groups}
    names = {c.name or c.callback.__name__ for c in app.registered_commands if c.callback}
    code = re.findall(r"```sh\n(.*?)```|`([^`\n]+)`", page.read_text(), re.DOTALL)
    used = {
        word
        for texts in code
        for text in texts
        for word in re.findall(r"(?:^|/|\s)ampgate ([a-z][a-z-]+)", text)
    }

    assert used - names - groups - {name.replace("_", "-") for name in names} == set()


def a_file(directory: Path) -> str:
    file = directory / "secret"
    file.write_text("a-secret")
    return file.as_posix()
