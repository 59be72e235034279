"""What the Helm chart's network policies and services let through."""

import json

from tests.deploy.helm import needs_helm, of_kind, rendered


@needs_helm
def test_pods_are_reached_and_reach_only_where_they_have_to() -> None:
    policies = {
        policy["metadata"]["name"]: policy["spec"]
        for policy in of_kind(
            rendered("kafka.bootstrapServers=a:9093\\,b:9093", "networkPolicy.kafkaPorts={9094}"),
            "NetworkPolicy",
        )
    }
    ports = {
        name: {port["port"] for rule in spec["egress"] for port in rule["ports"]}
        for name, spec in policies.items()
    }

    assert ports == {
        "shop-ampgate-edge": {53, 9093, 9094},
        "shop-ampgate-delivery-main": {53, 9093, 9094, 443},
        "shop-ampgate-console": {53, 9093, 9094, 443, 8081, 9090},
    }
    assert all(spec["policyTypes"] == ["Ingress", "Egress"] for spec in policies.values())


@needs_helm
def test_what_the_internet_reaches_of_an_edge_has_no_metrics_and_no_documentation() -> None:
    documents = rendered()
    [policy] = [
        one["spec"]
        for one in of_kind(documents, "NetworkPolicy")
        if one["metadata"]["name"] == "shop-ampgate-edge"
    ]
    ports = {
        one["metadata"]["name"]: [port["targetPort"] for port in one["spec"]["ports"]]
        for one in of_kind(documents, "Service")
    }
    [edge] = [
        container
        for one in of_kind(documents, "Deployment")
        for container in one["spec"]["template"]["spec"]["containers"]
        if container["name"] == "edge"
    ]
    environment = {one["name"]: one["value"] for one in edge["env"]}
    numbers = {port["name"]: str(port["containerPort"]) for port in edge["ports"]}

    assert [(rule["ports"][0]["port"], bool(rule.get("from"))) for rule in policy["ingress"]] == [
        ("http", False),
        ("admin", True),
    ]
    assert ports["shop-ampgate-edge"] == ["http"]
    assert ports["shop-ampgate-edge-admin"] == ["admin"]
    assert numbers["admin"] == environment["AMPGATE_EDGE__ADMIN_PORT"]
    assert {edge[probe]["httpGet"]["port"] for probe in ("livenessProbe", "readinessProbe")} == {
        "admin"
    }


@needs_helm
def test_selectors_find_their_own_pods_and_no_others() -> None:
    documents = rendered()
    pods = {
        deployment["metadata"]["name"]: deployment["spec"]["template"]["metadata"]["labels"]
        for deployment in of_kind(documents, "Deployment")
    }
    for service in of_kind(documents, "Service"):
        selector = service["spec"]["selector"].items()
        found = [name for name, labels in pods.items() if selector <= labels.items()]
        name = service["metadata"]["name"].removesuffix("-admin").removesuffix("-each")
        assert found == [name]


@needs_helm
def test_the_console_asks_each_edge_and_each_delivery_by_their_services() -> None:
    documents = rendered()
    services = {one["metadata"]["name"]: one["spec"] for one in of_kind(documents, "Service")}
    [console] = [
        container
        for one in of_kind(documents, "Deployment")
        for container in one["spec"]["template"]["spec"]["containers"]
        if container["name"] == "console"
    ]
    environment = {one["name"]: one["value"] for one in console["env"]}
    asked = [
        url
        for name in ("AMPGATE_CONSOLE__EDGES", "AMPGATE_CONSOLE__DELIVERIES")
        for url in json.loads(environment[name])
    ]

    assert [url.partition("//")[2].partition(":")[0] for url in asked] == [
        *("shop-ampgate-edge-each", "shop-ampgate-delivery-main")
    ]
    for url in asked:
        name, port = url.partition("//")[2].split(":")
        assert services[name]["clusterIP"] == "None"  # DNS has the address of each pod.
        assert [str(one["port"]) for one in services[name]["ports"]] == [port]
    assert str(console["ports"][0]["containerPort"]) == environment["AMPGATE_CONSOLE__PORT"]


@needs_helm
def test_without_the_console_nothing_of_it_is_there() -> None:
    documents = rendered("console.enabled=false")

    assert not [one for one in documents if "console" in str(one).lower()]


@needs_helm
def test_in_a_cluster_with_ipv6_every_pod_listens_on_all_addresses() -> None:
    documents = rendered("listenHost=::", "edge.service.ipFamilyPolicy=PreferDualStack")
    [edge] = [one for one in of_kind(documents, "Service") if "ipFamilyPolicy" in one["spec"]]
    hosts = {
        (variable["name"], variable["value"])
        for deployment in of_kind(documents, "Deployment")
        for container in deployment["spec"]["template"]["spec"]["containers"]
        for variable in container["env"]
        if variable["name"].endswith("HOST")
    }

    assert edge["metadata"]["name"].endswith("-edge")
    assert hosts == {
        ("AMPGATE_EDGE__HOST", "::"),
        ("AMPGATE_EDGE__ADMIN_HOST", "::"),
        ("AMPGATE_DELIVERY__ADMIN_HOST", "::"),
        ("AMPGATE_CONSOLE__HOST", "::"),
        ("AMPGATE_PULL__ADMIN_HOST", "::"),
    }


@needs_helm
def test_pulls_have_their_own_secret_a_service_to_scrape_and_a_way_out() -> None:
    assert not [one for one in rendered() if one["metadata"]["name"].endswith("-pull")]
    documents = rendered("pull.enabled=true", "secrets.pull=tokens")
    mine = {one["kind"]: one for one in documents if one["metadata"]["name"] == "shop-ampgate-pull"}
    pod = mine["Deployment"]["spec"]["template"]["spec"]
    [sources] = [one["projected"]["sources"] for one in pod["volumes"] if "projected" in one]
    environment = {one["name"]: one["value"] for one in pod["containers"][0]["env"]}

    assert sources == [{"secret": {"name": "tokens"}}]
    assert environment["AMPGATE_PULL__ADMIN_PORT"] == "9092"
    assert json.loads(environment["AMPGATE_CONSOLE__PULLS"]) == ["http://shop-ampgate-pull:9092"]
    assert mine["Service"]["metadata"]["labels"]["prometheus-job"] == "ampgate-pull"
    out = [
        port["port"] for rule in mine["NetworkPolicy"]["spec"]["egress"] for port in rule["ports"]
    ]
    assert 443 in out
