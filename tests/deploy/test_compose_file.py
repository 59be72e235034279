"""docker compose's file, as far as it can be judged without an engine."""

import re
import shutil
import subprocess

import pytest
import yaml

from ampgate.lab.kafka.jars import KAFKA_VERSION
from schemas.configuration.file import load
from tests.deploy.commands import LAB_COMMANDS, ROOT, assert_is_command

COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]


@pytest.mark.parametrize("name", [name for name, service in COMPOSE.items() if "build" in service])
def test_compose_starts_commands_that_exist(name: str) -> None:
    assert_is_command(COMPOSE[name]["command"])


def test_compose_mounts_files_that_exist_and_waits_for_services_that_exist() -> None:
    volumes = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["volumes"]
    for service in COMPOSE.values():
        for volume in service.get("volumes", ()):
            source = volume.split(":")[0]
            assert source in volumes or (ROOT / source).exists(), source
        assert service.get("depends_on", {}).keys() <= COMPOSE.keys()


def test_compose_starts_from_a_clean_checkout_without_an_answer_to_give() -> None:
    text = (ROOT / "docker-compose.yml").read_text()
    given = re.findall(r"\$\{(\w+)(:-)?", text)

    assert given
    assert all(default for _, default in given), given


def test_compose_names_hosts_and_ports_that_are_services() -> None:
    config = load(ROOT / "deploy" / "compose" / "ampgate.toml", {})
    scraped = yaml.safe_load((ROOT / "deploy/prometheus/prometheus.yml").read_text())
    edge, delivery, pull = scraped["scrape_configs"]

    assert config.kafka.bootstrap_servers == "kafka:19092"
    assert "INSIDE://kafka:19092" in COMPOSE["kafka"]["environment"]["KAFKA_ADVERTISED_LISTENERS"]
    for destination in config.destinations:
        host, port = destination.url.removeprefix("http://").split(":")
        assert port in COMPOSE[host]["command"]
    assert edge["static_configs"] == [{"targets": [f"edge:{config.edge.admin_port}"]}]
    assert config.console.edges == (f"http://edge:{config.edge.admin_port}",)
    assert config.console.deliveries == (f"http://delivery:{config.delivery.admin_port}",)
    assert config.console.pulls == (f"http://pull:{config.pull.admin_port}",)
    assert COMPOSE["console"]["ports"] == [f"127.0.0.1:8090:{config.console.port}"]
    [looked_up] = delivery["dns_sd_configs"]
    assert (looked_up["names"], looked_up["port"]) == (["delivery"], config.delivery.admin_port)
    [looked_up] = pull["dns_sd_configs"]
    assert (looked_up["names"], looked_up["port"]) == (["pull"], config.pull.admin_port)


def test_compose_up_starts_all_of_it_for_this_machine_alone() -> None:
    profiles = set((ROOT / ".env").read_text().split("COMPOSE_PROFILES=")[1].strip().split(","))
    for service in COMPOSE.values():
        assert profiles >= set(service.get("profiles", ())) - {"pulls"}  # None is configured.
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", ()))


def test_the_simulators_and_the_pulls_and_nothing_else_may_be_left_out_by_profile() -> None:
    by_profile = {
        name: service["profiles"] for name, service in COMPOSE.items() if "profiles" in service
    }

    simulators = ["simulators"]
    assert by_profile == {"amplitude": simulators, "aampe": simulators, "pull": ["pulls"]}


def test_compose_builds_its_images_whichever_service_is_asked_for() -> None:
    """Each is built by its services, so its name may not stand for two targets."""
    targets = {"ampgate:local": None, "ampgate:lab": "lab"}
    for name, service in COMPOSE.items():
        if "build" in service:
            assert service["build"]["dockerfile"] == "deploy/Dockerfile"
            assert service["build"].get("target") == targets[service["image"]], name
        else:
            assert service["image"] not in targets, name


def test_composes_services_have_the_command_that_they_start() -> None:
    in_lab = {name for name, one in COMPOSE.items() if one["image"] == "ampgate:lab"}
    need_it = {
        name
        for name, one in COMPOSE.items()
        if "build" in one and str(one["command"][0]) in LAB_COMMANDS
    }

    assert in_lab == need_it == {"amplitude", "aampe"}


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
