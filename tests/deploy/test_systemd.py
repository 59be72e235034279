"""The units of systemd, and that each process has as long to end wherever it runs."""

import re
import shlex
from collections.abc import Mapping

import pytest
import yaml

from consumers.deliveries import COMMIT_GRACE_SECONDS
from schemas.configuration.config import Delivery
from tests.deploy.commands import ROOT, assert_is_command
from tests.deploy.helm import needs_helm, of_kind, rendered

UNITS = {
    file.stem.removeprefix("ampgate-"): file.read_text()
    for file in (ROOT / "deploy" / "systemd").glob("*.service")
}
SERVICES = {"edge": "edge", "deliver": "delivery", "pull": "pull"}  # By the unit that is alike.


def seconds_of(unit: str) -> int:
    [found] = re.findall(r"^TimeoutStopSec=(\d+)$", UNITS[unit], re.MULTILINE)
    return int(found)


@pytest.mark.parametrize("unit", sorted(UNITS))
def test_a_unit_starts_a_command_that_exists(unit: str) -> None:
    [command] = re.findall(r"^ExecStart=/opt/ampgate/bin/ampgate (.*)$", UNITS[unit], re.MULTILINE)

    assert_is_command(shlex.split(command))


def test_a_delivery_has_the_time_to_drain_and_commit() -> None:
    assert seconds_of("deliver") > Delivery().drain_timeout_seconds + COMMIT_GRACE_SECONDS


@pytest.mark.parametrize("unit", SERVICES)
def test_a_container_has_as_long_to_end_as_a_unit(unit: str) -> None:
    compose: Mapping[str, Mapping[str, str]] = yaml.safe_load(
        (ROOT / "docker-compose.yml").read_text()
    )["services"]

    assert compose[SERVICES[unit]].get("stop_grace_period") == f"{seconds_of(unit)}s"


@needs_helm
@pytest.mark.parametrize("unit", ["edge", "deliver"])
def test_a_pod_has_as_long_to_end_as_a_unit(unit: str) -> None:
    pods = [
        one["spec"]["template"]["spec"]
        for one in of_kind(rendered(), "Deployment")
        if one["metadata"]["labels"]["app.kubernetes.io/component"].startswith(SERVICES[unit])
    ]

    assert [pod["terminationGracePeriodSeconds"] for pod in pods] == [seconds_of(unit)]
