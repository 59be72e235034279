"""A release has one version, and its workflows call targets that exist."""

import re
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml

from tests.deploy.commands import ROOT
from tests.deploy.helm import CHART

VERSION = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))


def test_the_chart_is_of_the_packages_version() -> None:
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())

    assert (chart["version"], chart["appVersion"]) == (VERSION, VERSION)


def test_the_changelog_says_what_is_new_in_this_version() -> None:
    make = ["make", "--silent", "release-notes"]
    notes = subprocess.run(make, cwd=ROOT, capture_output=True, text=True, check=True).stdout

    assert notes.strip().startswith("- ")
    assert "\n## " not in notes


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=[one.stem for one in WORKFLOWS])
def test_a_workflow_calls_targets_that_exist(workflow: Path) -> None:
    yaml.safe_load(workflow.read_text())
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    called = {
        word
        for line in re.findall(r"\bmake ([^\n]*)", workflow.read_text())
        for word in line.partition(">")[0].split()
        if re.fullmatch(r"[a-z-]+", word) and not word.startswith("-")
    }

    assert called
    assert called <= targets
