"""The Helm chart on clusters of several kinds: what they have, and which Kubernetes they are."""

from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest

from tests.deploy.helm import needs_helm, of_kind, rendered_with, secrets_of


@needs_helm
def test_a_pod_gets_what_a_cluster_of_ones_own_needs(tmp_path: Path) -> None:
    """An identity of the cloud, Strimzi's Secrets as they are, a proxy, volumes, an Ingress."""
    values: dict[str, Any] = {
        "serviceAccount": {"create": True, "annotations": {"eks.amazonaws.com/role-arn": "arn:x"}},
        "secrets": {
            "extra": [
                {"name": "ampgate-user", "items": [{"key": "user.key", "path": "user.key"}]},
                {"name": "shop-cluster-ca-cert", "items": [{"key": "ca.crt", "path": "ca.crt"}]},
            ]
        },
        "imagePullSecrets": [{"name": "registry"}],
        "extraEnv": [{"name": "HTTPS_PROXY", "value": "http://proxy:3128"}],
        "extraEnvFrom": [{"secretRef": {"name": "more"}}],
        "extraVolumes": [{"name": "plans", "configMap": {"name": "plans"}}],
        "extraVolumeMounts": [{"name": "plans", "mountPath": "/plans"}],
        "topologySpreadConstraints": [{"maxSkew": 1, "topologyKey": "topology.kubernetes.io/zone"}],
        "edge": {"ingress": {"enabled": True, "className": "nginx", "hosts": ["e.example"]}},
    }
    documents = rendered_with(values, tmp_path)
    [account], [ingress] = of_kind(documents, "ServiceAccount"), of_kind(documents, "Ingress")
    assert account["metadata"]["annotations"] == {"eks.amazonaws.com/role-arn": "arn:x"}
    [rule] = ingress["spec"]["rules"]
    [path] = rule["http"]["paths"]
    names = {service["metadata"]["name"] for service in of_kind(documents, "Service")}
    assert path["backend"]["service"]["name"] in names
    for deployment in of_kind(documents, "Deployment"):
        pod = deployment["spec"]["template"]["spec"]
        assert pod["serviceAccountName"] == account["metadata"]["name"]
        assert pod["imagePullSecrets"] == [{"name": "registry"}]
        assert pod["topologySpreadConstraints"] == values["topologySpreadConstraints"]
        assert secrets_of(deployment) >= {"ampgate-user", "shop-cluster-ca-cert"}
        for container in pod["containers"] + pod.get("initContainers", []):
            assert values["extraEnv"][0] in container["env"]
            assert container["envFrom"] == values["extraEnvFrom"]
            assert values["extraVolumeMounts"][0] in container["volumeMounts"]


@needs_helm
def test_a_gateway_is_an_alternative_to_an_ingress(tmp_path: Path) -> None:
    gateway = {"name": "public", "namespace": "gateways", "sectionName": "https"}
    values: dict[str, Any] = {
        "enabled": True,
        "parentRefs": [gateway],
        "hostnames": ["e.example"],
        "annotations": {"owner": "web"},
    }
    documents = rendered_with({"edge": {"gateway": values, "service": {"port": 8000}}}, tmp_path)

    [route] = of_kind(documents, "HTTPRoute")
    services = {
        (service["metadata"]["name"], port["port"])
        for service in of_kind(documents, "Service")
        for port in service["spec"]["ports"]
    }
    [rule] = route["spec"]["rules"]
    [backend] = rule["backendRefs"]
    assert (backend["name"], backend["port"]) in services
    assert (route["spec"]["parentRefs"], route["spec"]["hostnames"]) == ([gateway], ["e.example"])
    assert route["metadata"]["annotations"] == {"owner": "web"}
    assert of_kind(documents, "Ingress") == []


@needs_helm
@pytest.mark.parametrize("version", ["1.25.0", "1.31.0", "1.35.0"])
def test_kubernetes_knows_every_field_of_what_it_gets(version: str, tmp_path: Path) -> None:
    """By the schemas of that version; of what others define, there is none here."""
    values: dict[str, Any] = {
        "serviceAccount": {"create": True},
        "secrets": {"extra": [{"name": "ca", "items": [{"key": "ca.crt", "path": "ca.crt"}]}]},
        "imagePullSecrets": [{"name": "registry"}],
        "networkPolicy": {"edgeFrom": [{"namespaceSelector": {}}], "metricsFrom": []},
        "pull": {"enabled": True},
        "console": {"enabled": True},
        "edge": {"ingress": {"enabled": True, "className": "nginx", "hosts": ["e.example"]}},
    }
    documents = rendered_with(values, tmp_path, kubernetes=version)

    for document in documents:
        kubernetes_validate.validate(document, version, strict=True)
    assert {one["kind"] for one in documents} == {
        *("ConfigMap", "Deployment", "HorizontalPodAutoscaler", "Ingress", "NetworkPolicy"),
        *("PodDisruptionBudget", "Service", "ServiceAccount"),
    }
