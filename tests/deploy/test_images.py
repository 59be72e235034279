"""The image and docker compose, as far as they can be judged without an engine."""

import json
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.main import get_command

from ampgate.cli.main import app
from ampgate.lab.kafka.jars import KAFKA_VERSION
from schemas.configuration.file import load

ROOT = Path(__file__).parents[2]
DOCKERFILE = ROOT / "deploy" / "Dockerfile"
COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]


def instructions() -> list[tuple[str, str]]:
    text = re.sub(r"^#.*\n", "", DOCKERFILE.read_text(), flags=re.MULTILINE).replace("\\\n", " ")
    lines = [line.split(maxsplit=1) for line in text.splitlines() if line.strip()]
    return [(word, rest) for word, rest in lines]


def copied() -> list[tuple[list[str], str]]:
    """What the image takes from the repository: sources, and where they go."""
    found = []
    for word, rest in instructions():
        if word == "COPY" and not rest.startswith("--from"):
            *sources, target = shlex.split(rest)
            found.append((sources, target))
    return found


def locked(file: Path) -> dict[str, str]:
    """Each package with its version and hashes."""
    entries = re.split(r"\n(?=\S)", file.read_text().strip())
    return {entry.partition("==")[0]: entry for entry in entries}


def test_what_the_image_copies_exists_and_gets_past_the_ignore_file() -> None:
    ignore = DOCKERFILE.with_name("Dockerfile.dockerignore").read_text().splitlines()
    for sources, _ in copied():
        for source in sources:
            assert (ROOT / source).exists(), source
            assert f"!{source}" in ignore


def test_the_copied_files_make_a_package_that_runs(tmp_path: Path) -> None:
    """The steps of the build, with the packages that are installed here."""
    build, into = tmp_path / "build", tmp_path / "site"
    for sources, target in copied():
        for source in sources:
            to = build / target / (Path(source).name if target == "./" else "")
            if (ROOT / source).is_dir():
                ignored = shutil.ignore_patterns("__pycache__")
                shutil.copytree(ROOT / source, to, ignore=ignored)
            else:
                to.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(ROOT / source, to)
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation"]
    pip += ["--disable-pip-version-check", "--no-index", "--target", str(into), str(build)]
    subprocess.run(pip, check=True)

    look = (
        "import sys; sys.path.insert(0, sys.argv[1]);"
        "import ampgate.cli.main, gateway.server.server, consumers.server;"
        "print(gateway.server.server.__file__)"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-c", look, str(into)], capture_output=True, text=True, check=True
    )
    assert Path(done.stdout.strip()).is_relative_to(into)


def test_the_images_packages_are_those_that_were_tested() -> None:
    ours, image = locked(ROOT / "requirements.lock"), locked(ROOT / "deploy" / "requirements.lock")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = {re.split(r"[\[><=; ]", name)[0].lower() for name in project["dependencies"]}

    assert wanted <= image.keys()
    assert {name: entry.split()[0] for name, entry in image.items()} == {
        name: ours[name].split()[0] for name in image
    }


def test_the_image_is_small_and_not_root() -> None:
    stages = "\n".join(f"{word} {rest}" for word, rest in instructions()).split("FROM ")
    final = stages[-1]

    assert "-slim" in final.splitlines()[0]
    assert not re.search(r"apt-get|gcc|build-essential", DOCKERFILE.read_text())
    assert re.search(r"^USER [1-9]", final, re.MULTILINE)
    assert "HEALTHCHECK" in final


def test_the_image_starts_a_command_that_exists() -> None:
    words = dict(instructions())
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]

    assert set(json.loads(words["ENTRYPOINT"])) <= scripts.keys()
    assert_is_command(json.loads(words["CMD"]))


@pytest.mark.parametrize(
    "name", [name for name, service in COMPOSE.items() if service["image"] == "ampgate:local"]
)
def test_compose_starts_commands_that_exist(name: str) -> None:
    assert_is_command(COMPOSE[name]["command"])


def test_compose_mounts_files_that_exist_and_waits_for_services_that_exist() -> None:
    volumes = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["volumes"]
    for service in COMPOSE.values():
        for volume in service.get("volumes", ()):
            source = volume.split(":")[0]
            assert source in volumes or (ROOT / source).exists(), source
        assert service.get("depends_on", {}).keys() <= COMPOSE.keys()


def test_compose_names_hosts_and_ports_that_are_services() -> None:
    config = load(ROOT / "deploy" / "compose" / "ampgate.toml", {})
    scraped = yaml.safe_load((ROOT / "deploy/prometheus/prometheus.yml").read_text())
    edge, delivery = scraped["scrape_configs"]

    assert config.kafka.bootstrap_servers == "kafka:19092"
    assert "INSIDE://kafka:19092" in COMPOSE["kafka"]["environment"]["KAFKA_ADVERTISED_LISTENERS"]
    for destination in config.destinations:
        host, port = destination.url.removeprefix("http://").split(":")
        assert port in COMPOSE[host]["command"]
    assert edge["static_configs"] == [{"targets": [f"edge:{config.edge.admin_port}"]}]
    [looked_up] = delivery["dns_sd_configs"]
    assert (looked_up["names"], looked_up["port"]) == (["delivery"], config.delivery.admin_port)


def test_compose_up_starts_all_of_it_for_this_machine_alone() -> None:
    profiles = set((ROOT / ".env").read_text().split("COMPOSE_PROFILES=")[1].strip().split(","))
    for service in COMPOSE.values():
        assert profiles >= set(service.get("profiles", ()))
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", ()))


def test_the_simulators_and_nothing_else_may_be_left_out_by_profile() -> None:
    by_profile = {name for name, service in COMPOSE.items() if "profiles" in service}

    assert by_profile == {"amplitude", "aampe"}
    assert all(COMPOSE[name]["profiles"] == ["simulators"] for name in by_profile)


def test_compose_builds_its_image_whichever_service_is_asked_for() -> None:
    ours = [service for service in COMPOSE.values() if service["image"] == "ampgate:local"]

    assert all(service["build"]["dockerfile"] == "deploy/Dockerfile" for service in ours)


def test_composes_health_checks_start_no_jvm() -> None:
    assert not any(word.endswith(".sh") for word in COMPOSE["kafka"]["healthcheck"]["test"])


def test_compose_runs_the_kafka_that_was_tested() -> None:
    assert COMPOSE["kafka"]["image"] == f"apache/kafka:{KAFKA_VERSION}"


@pytest.mark.skipif(
    shutil.which("docker") is None
    or subprocess.run(["docker", "compose", "version"], capture_output=True, check=False).returncode
    != 0,
    reason="docker compose is not installed",
)
def test_docker_compose_reads_its_file() -> None:
    done = subprocess.run(
        ["docker", "compose", "config", "--quiet"], cwd=ROOT, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr


def assert_is_command(words: list[str]) -> None:
    """Whether the command line knows these words, options too."""
    command: Any = get_command(app)
    rest = [str(word) for word in words]
    while hasattr(command, "commands"):
        command = command.commands[rest.pop(0)]
    known = {option for parameter in command.params for option in parameter.opts}
    assert {word for word in rest if word.startswith("--")} <= known
