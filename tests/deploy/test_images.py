"""The image, as far as it can be judged without an engine."""

import json
import re
import shlex
import shutil
import subprocess
import sys
import sysconfig
import tomllib
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.deploy.commands import LAB_COMMANDS, ROOT, assert_is_command

DOCKERFILE = ROOT / "deploy" / "Dockerfile"


@dataclass(frozen=True, slots=True)
class Stage:
    """One `FROM` of the Dockerfile and what follows it; the last one is built without --target."""

    parent: str
    name: str
    instructions: tuple[tuple[str, str], ...]

    def all_of(self, word: str) -> list[str]:
        return [rest for instruction, rest in self.instructions if instruction == word]


def stages() -> list[Stage]:
    text = re.sub(r"^#.*\n", "", DOCKERFILE.read_text(), flags=re.MULTILINE).replace("\\\n", " ")
    found = []
    for stage in re.split(r"^FROM ", text, flags=re.MULTILINE)[1:]:
        first, *lines = [line for line in stage.splitlines() if line.strip()]
        parent, _, name = first.partition(" AS ")
        pairs = [line.split(maxsplit=1) for line in lines]
        found.append(Stage(parent, name, tuple((word, rest) for word, rest in pairs)))
    return found


def stage(name: str) -> Stage:
    """The stage of that name; of the last one, which has no name and adds nothing, its parent."""
    by_name = {one.name: one for one in stages()}
    asked = by_name[name]
    return asked if asked.instructions else by_name[asked.parent]


def copied(of: Stage) -> list[tuple[list[str], str]]:
    """What a stage takes from the repository: sources, and where they go."""
    found = []
    for rest in of.all_of("COPY"):
        if not rest.startswith("--from"):
            *sources, target = shlex.split(rest)
            found.append((sources, target))
    return found


def install(into: Path, build: Path) -> None:
    """The steps of the build, with the packages that are installed here."""
    for sources, target in copied(stage("build")):
        for source in sources:
            to = build / target / (Path(source).name if target == "./" else "")
            copy(ROOT / source, to)
    for removed in re.findall(r"rm -r (\S+)", " ".join(stage("build").all_of("RUN"))):
        shutil.rmtree(build / removed)
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation"]
    pip += ["--disable-pip-version-check", "--no-index", "--target", str(into), str(build)]
    subprocess.run(pip, check=True)


def copy(source: Path, to: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, to, ignore=shutil.ignore_patterns("__pycache__"))
    else:
        to.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, to)


def commands(site: Path) -> set[str]:
    """What `ampgate` of that installation offers."""
    look = (
        "import sys; sys.path[:0] = sys.argv[1:];"
        "import ampgate.cli.main as main, gateway.server.server, consumers.server, typer.main;"
        "assert main.__file__.startswith(sys.argv[1]), main.__file__;"
        "print(*typer.main.get_command(main.app).commands)"
    )
    # Without `site`: this checkout, installed here too, must not supply what is missing.
    python = [sys.executable, "-I", "-S", "-c", look, str(site), sysconfig.get_path("purelib")]
    return set(subprocess.run(python, capture_output=True, text=True, check=True).stdout.split())


def locked(file: Path) -> dict[str, str]:
    """Each package with its version and hashes."""
    entries = re.split(r"\n(?=\S)", file.read_text().strip())
    return {entry.partition("==")[0]: entry for entry in entries}


def test_what_the_image_copies_exists_and_gets_past_the_ignore_file() -> None:
    ignore = DOCKERFILE.with_name("Dockerfile.dockerignore").read_text().splitlines()
    for sources in (sources for one in stages() for sources, _ in copied(one)):
        for source in sources:
            assert (ROOT / source).exists(), source
            assert f"!{source.split('/')[0]}" in ignore or f"!{source}" in ignore


def test_the_image_has_the_servers_and_only_the_target_lab_has_the_simulators(
    tmp_path: Path,
) -> None:
    site = tmp_path / "site"
    install(site, tmp_path / "build")
    servers = commands(site)
    for [source], target in copied(stage("lab")):
        copy(ROOT / source, site / target.partition("/site-packages/")[2])

    assert not servers & LAB_COMMANDS
    assert servers >= {"edge", "deliver", "check", "trace"}
    assert commands(site) == servers | LAB_COMMANDS


def test_the_wheel_has_all_commands_and_says_that_it_is_typed(tmp_path: Path) -> None:
    """`pip install 'ampgate[embedded]'` runs all that a checkout does, but for the benchmarks."""
    for name in ("ampgate", "gateway", "consumers", "schemas"):
        copy(ROOT / name, tmp_path / "build" / name)
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        copy(ROOT / name, tmp_path / "build" / name)
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation"]
    pip += ["--disable-pip-version-check", "--no-index", "--target", str(tmp_path / "site")]
    subprocess.run([*pip, str(tmp_path / "build")], check=True)

    assert commands(tmp_path / "site") >= LAB_COMMANDS
    assert {one.parent.name for one in (tmp_path / "site").glob("*/py.typed")} >= {
        "ampgate",
        "gateway",
        "consumers",
        "schemas",
    }


def test_the_lab_is_added_to_the_interpreter_that_the_image_has() -> None:
    version = re.search(r"python:(\d+\.\d+)", stage("servers").parent)
    [(_, target)] = copied(stage("lab"))

    assert version is not None
    assert target == f"/opt/ampgate/lib/python{version[1]}/site-packages/ampgate/lab"
    assert stage("lab").parent == "servers"
    assert stage("") == stage("servers")


@pytest.mark.parametrize("lock", ["requirements.lock", "deploy/requirements.lock"])
def test_the_packages_that_run_are_those_that_were_tested(lock: str) -> None:
    tested, run = locked(ROOT / "requirements-test.lock"), locked(ROOT / lock)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = {re.split(r"[\[><=; ]", name)[0].lower() for name in project["dependencies"]}

    assert wanted <= run.keys()
    assert {name: entry.split()[0] for name, entry in run.items()} == {
        name: tested[name].split()[0] for name in run
    }


def test_the_image_is_small_and_not_root() -> None:
    final = stage("")

    assert final.parent.endswith("-slim")
    assert not re.search(r"apt-get|gcc|build-essential", DOCKERFILE.read_text())
    assert final.all_of("USER")[0] not in {"0", "root"}
    assert final.all_of("HEALTHCHECK")


def test_the_image_starts_a_command_that_exists() -> None:
    [entrypoint], [words] = stage("").all_of("ENTRYPOINT"), stage("").all_of("CMD")
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]

    assert set(json.loads(entrypoint)) <= scripts.keys()
    assert_is_command(json.loads(words))
