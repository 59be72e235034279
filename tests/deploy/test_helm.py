"""The Helm chart, as Helm renders it."""

import json
import re
import tomllib
from pathlib import Path

import pytest
import yaml

from schemas.configuration.file import parse
from schemas.topics import Kind, Topics
from tests.deploy.helm import (
    CHART,
    KUBERNETES,
    helm,
    needs_helm,
    of_kind,
    rendered,
    secrets_of,
)

EVERYTHING = [
    "pull.enabled=true",
    "delivery.keda.enabled=true",
    "monitoring.serviceMonitor.enabled=true",
    "monitoring.prometheusRule.enabled=true",
]


@needs_helm
def test_the_chart_passes_lint() -> None:
    done = helm("lint", str(CHART), "--strict", "--kube-version", KUBERNETES)

    assert done.returncode == 0, done.stdout


@needs_helm
def test_without_extras_it_needs_only_what_every_cluster_has() -> None:
    kinds = sorted(document["kind"] for document in rendered())

    assert kinds == [
        "ConfigMap",
        "Deployment",
        "Deployment",
        "Deployment",
        "HorizontalPodAutoscaler",
        "NetworkPolicy",
        "NetworkPolicy",
        "NetworkPolicy",
        "PodDisruptionBudget",
        "Service",
        "Service",
        "Service",
        "Service",
        "Service",
    ]


@needs_helm
def test_no_container_has_rights_it_does_not_need() -> None:
    for deployment in of_kind(rendered(), "Deployment"):
        pod = deployment["spec"]["template"]["spec"]
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["automountServiceAccountToken"] is False
        for container in pod["containers"] + pod.get("initContainers", []):
            rights = container["securityContext"]
            assert rights["readOnlyRootFilesystem"] is True
            assert rights["allowPrivilegeEscalation"] is False
            assert rights["capabilities"] == {"drop": ["ALL"]}
            assert "memory" in container["resources"]["limits"]


@needs_helm
def test_an_edge_has_no_api_key_and_a_delivery_no_write_key() -> None:
    found = {
        one["metadata"]["labels"]["app.kubernetes.io/component"]: secrets_of(one)
        for one in of_kind(
            rendered("secrets.edge=write-keys", "secrets.delivery=api-keys", "secrets.kafka=login"),
            "Deployment",
        )
    }

    assert found == {
        "edge": {"write-keys", "login"},
        "delivery-main": {"api-keys", "login"},
        "console": {"login"},
    }


@needs_helm
def test_a_delivery_group_can_have_a_secret_of_its_own() -> None:
    documents = rendered(
        "delivery.groups[0].name=main",
        "delivery.groups[0].destinations[0].name=us",
        "delivery.groups[0].destinations[0].topics={events}",
        "delivery.groups[0].secret=amplitude-only",
    )
    [delivery] = [
        one for one in of_kind(documents, "Deployment") if "delivery" in one["metadata"]["name"]
    ]

    assert secrets_of(delivery) == {"amplitude-only"}


@needs_helm
def test_an_image_can_be_named_by_its_digest() -> None:
    digest = f"sha256:{'0' * 64}"
    deployments = of_kind(rendered(f"image.digest={digest}"), "Deployment")
    [edge] = [one for one in deployments if one["metadata"]["name"].endswith("-edge")]
    [container] = edge["spec"]["template"]["spec"]["containers"]

    assert container["image"] == f"ampgate@{digest}"


@needs_helm
def test_keda_watches_the_groups_and_topics_that_delivery_reads() -> None:
    [scaled] = of_kind(rendered(*EVERYTHING, "kafka.topicPrefix=shop."), "ScaledObject")
    topics = Topics("shop.")
    watched = {
        (trigger["metadata"]["consumerGroup"], trigger["metadata"]["topic"])
        for trigger in scaled["spec"]["triggers"]
    }

    assert watched == {(topics.group_id("amplitude-us", kind), topics.of(kind)) for kind in Kind}


@needs_helm
def test_the_monitors_jobs_are_those_that_the_alerts_ask_for() -> None:
    documents = rendered(*EVERYTHING)
    [monitor] = of_kind(documents, "ServiceMonitor")
    [rule] = of_kind(documents, "PrometheusRule")
    label = monitor["spec"]["jobLabel"]
    [endpoint] = monitor["spec"]["endpoints"]
    jobs = {
        service["metadata"]["labels"].get(label)
        for service in of_kind(documents, "Service")
        if any(port["name"] == endpoint["port"] for port in service["spec"]["ports"])
    }

    assert set(re.findall(r'job="([^"]+)"', json.dumps(rule).replace("\\", ""))) == jobs


@needs_helm
def test_the_alerts_lead_to_a_runbook_of_ones_own() -> None:
    mine = "https://wiki.example/ampgate"
    [rule] = of_kind(
        rendered(*EVERYTHING, f"monitoring.prometheusRule.runbookUrl={mine}"), "PrometheusRule"
    )
    urls = re.findall(r'"runbook_url": "([^"#]+)#', json.dumps(rule))

    assert set(urls) == {mine}


@needs_helm
@pytest.mark.parametrize(
    "setting",
    [
        "edge.replica=2",
        "delivery.groups=null",
        "kafka.bootstrapServers=",
        "logLevel=loud",
        "secrets.edge=",
        "image.digest=latest",
        "edge.ingress.enabled=true",
        "edge.gateway.enabled=true",
        "secrets.extra={one}",
    ],
)
def test_a_wrong_value_is_refused(setting: str) -> None:
    done = helm("template", "x", str(CHART), "--kube-version", KUBERNETES, "--set", setting)

    assert done.returncode != 0
    assert "values don't meet the specifications" in done.stderr + done.stdout


def test_the_default_config_is_a_good_one(tmp_path: Path) -> None:
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    for name in ("web_shop", "amplitude_us"):
        (tmp_path / name).write_text("a-key")
    text = values["config"].replace("/run/secrets/ampgate", tmp_path.as_posix())
    config = parse(tomllib.loads(text), {}, "values.yaml")

    delivered = [d["name"] for group in values["delivery"]["groups"] for d in group["destinations"]]
    assert [destination.name for destination in config.destinations] == delivered
