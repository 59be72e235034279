"""The edge's spool in Kubernetes: a disk for each pod, that outlives it."""

from typing import Any

import kubernetes_validate
import pytest

from schemas.configuration.config import Edge
from tests.deploy.helm import needs_helm, of_kind, rendered

DISK = "/var/lib/ampgate-edge"


def edge_of(documents: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    return [one for one in of_kind(documents, kind) if one["metadata"]["name"].endswith("-edge")]


@needs_helm
def test_without_a_spool_edges_have_no_disk() -> None:
    documents = rendered()
    [edge] = edge_of(documents, "Deployment")
    [container] = edge["spec"]["template"]["spec"]["containers"]

    assert of_kind(documents, "StatefulSet") == []
    assert "AMPGATE_EDGE__SPOOL_DIR" not in {one["name"] for one in container["env"]}


@needs_helm
@pytest.mark.parametrize(
    "more",
    [[], ["extraVolumeMounts[0].name=a", "extraVolumeMounts[0].mountPath=/a"]],
    ids=["alone", "beside"],
)
def test_each_edge_has_its_spool_on_a_disk_of_its_own(more: list[str]) -> None:
    documents = rendered("edge.spool.enabled=true", "edge.spool.storageClass=fast", *more)
    [edge] = edge_of(documents, "StatefulSet")
    [claim] = edge["spec"]["volumeClaimTemplates"]
    [container] = edge["spec"]["template"]["spec"]["containers"]
    [mounted] = [one for one in container["volumeMounts"] if one["name"] == "spool"]
    environment = {one["name"]: one["value"] for one in container["env"]}

    kubernetes_validate.validate(edge, "1.31.0", strict=True)
    assert edge_of(documents, "Deployment") == []
    assert claim["metadata"]["name"] == mounted["name"]
    assert claim["spec"]["storageClassName"] == "fast"
    assert mounted["mountPath"] == DISK
    assert environment["AMPGATE_EDGE__SPOOL_DIR"].startswith(f"{DISK}/")
    assert not mounted.get("readOnly")


@needs_helm
def test_a_disk_has_room_for_a_whole_spool_and_no_scaling_takes_it_away() -> None:
    documents = rendered("edge.spool.enabled=true")
    [edge], [scaling] = (
        edge_of(documents, "StatefulSet"),
        edge_of(documents, "HorizontalPodAutoscaler"),
    )
    [claim] = edge["spec"]["volumeClaimTemplates"]
    gibibytes = int(claim["spec"]["resources"]["requests"]["storage"].removesuffix("Gi"))
    services = {one["metadata"]["name"] for one in of_kind(documents, "Service")}

    assert gibibytes * 2**30 > 1.5 * Edge().spool_max_bytes
    assert set(edge["spec"]["persistentVolumeClaimRetentionPolicy"].values()) == {"Retain"}
    assert scaling["spec"]["scaleTargetRef"]["kind"] == "StatefulSet"
    assert scaling["spec"]["behavior"]["scaleDown"]["selectPolicy"] == "Disabled"
    assert edge["spec"]["serviceName"] in services
