"""The metrics that people build on: promised, declared, and used by the dashboard and alerts."""

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.deploy.declared_metrics import declared, queryable

DEPLOY = Path(__file__).parents[2] / "deploy"
ALERTS = DEPLOY / "prometheus" / "alerts.yml"
DASHBOARD = DEPLOY / "grafana" / "ampgate.json"
NAME = re.compile(r"\bampgate[_:][a-z_0-9]+\b")

# contract.md#metrics; a metric may have more labels than it promises.
PROMISED = {
    "ampgate_edge_requests_total": {"dialect", "status"},
    "ampgate_edge_request_seconds": set(),
    "ampgate_edge_records_total": {"source", "kind", "outcome"},
    "ampgate_edge_inflight_bytes": set(),
    "ampgate_delivery_records_total": {"destination", "kind", "outcome"},
    "ampgate_delivery_requests_total": {"destination", "endpoint", "status"},
    "ampgate_delivery_request_seconds": set(),
    "ampgate_delivery_batch_records": set(),
    "ampgate_delivery_lag_records": {"destination", "topic", "partition"},
    "ampgate_delivery_oldest_waiting_seconds": {"destination"},
    "ampgate_delivery_end_to_end_seconds": {"destination"},
    "ampgate_delivery_waiting_records": {"destination", "reason"},
    "ampgate_delivery_paused": {"destination", "reason"},
    "ampgate_delivery_concurrency_limit": {"destination"},
    "ampgate_delivery_lost_records_total": {"destination", "topic"},
    "ampgate_dead_letters_total": {"destination", "reason"},
}
needs_promtool = pytest.mark.skipif(
    shutil.which("promtool") is None, reason="promtool is not installed (Debian: prometheus)"
)


def rules() -> list[dict[str, Any]]:
    groups = yaml.safe_load(ALERTS.read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


def panels() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(DASHBOARD.read_text())["panels"]
    return found


def expressions() -> list[str]:
    in_panels = [target["expr"] for panel in panels() for target in panel.get("targets", ())]
    return in_panels + [rule["expr"] for rule in rules()]


@pytest.mark.parametrize("name", PROMISED)
def test_a_promised_metric_is_declared_with_its_labels(name: str) -> None:
    assert set(declared()[name].labels) >= PROMISED[name]


def test_every_metric_explains_itself_in_a_sentence() -> None:
    silent = [name for name, metric in declared().items() if not metric.says.endswith(".")]

    assert silent == []


def test_no_label_can_have_endless_values() -> None:
    closed = {"dialect", "status", "source", "kind", "outcome", "destination", "endpoint"}
    closed |= {"topic", "partition", "reason", "pull", "event_type_known", "state"}

    assert {label for metric in declared().values() for label in metric.labels} <= closed


def test_dashboard_and_alerts_use_only_metrics_that_exist() -> None:
    recorded = {rule["record"] for rule in rules() if "record" in rule}
    used = {name for expression in expressions() for name in NAME.findall(expression)}

    assert used - recorded - queryable() == set()


def test_dashboard_and_alerts_ask_for_labels_that_exist() -> None:
    metrics = declared()
    wrong = []
    for expression in expressions():
        for name, matchers in re.findall(r"\b(ampgate_[a-z_0-9]+)\{([^}]*)\}", expression):
            base = metrics.get(name) or metrics[re.sub(r"_(bucket|sum|count)$", "", name)]
            asked = set(re.findall(r"(\w+)(?:=~|!~|!=|=)", matchers))
            wrong += [(name, label) for label in asked - set(base.labels)]

    assert wrong == []


def test_every_promised_metric_is_on_the_dashboard() -> None:
    shown = "\n".join(expressions())

    assert [name for name in PROMISED if name not in shown] == []


def test_no_panel_lies_over_another() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in panels():
        at = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(at["x"], at["x"] + at["w"])
            for y in range(at["y"], at["y"] + at["h"])
        }
        assert not cells & taken, panel["title"]
        taken |= cells
    ids = [panel["id"] for panel in panels()]
    assert len(set(ids)) == len(ids)


@needs_promtool
def test_the_rules_are_valid() -> None:
    assert complaints_of_promtool("check", "rules", str(ALERTS)) == ""


@needs_promtool
def test_the_alerts_fire_when_they_should_and_only_then() -> None:
    cases = str(ALERTS.with_name("alerts_test.yml"))

    assert complaints_of_promtool("test", "rules", cases) == ""


@needs_promtool
def test_the_dashboards_queries_are_valid(tmp_path: Path) -> None:
    """promtool of Debian has no check for queries alone, so they become rules."""
    asked = [target["expr"] for panel in panels() for target in panel.get("targets", ())]
    as_rules = [{"record": f"panel:{n}", "expr": fill_in(query)} for n, query in enumerate(asked)]
    file = tmp_path / "dashboard.yml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "dashboard", "rules": as_rules}]}))

    assert complaints_of_promtool("check", "rules", str(file)) == ""


def test_the_runbook_of_every_alert_is_its_section_of_the_docs() -> None:
    page = (DEPLOY.parent / "docs" / "metrics.md").read_text()
    sections = {name.lower() for name in re.findall(r"^### (\w+)$", page, re.MULTILINE)}
    linked = {
        rule["alert"].lower(): rule["annotations"]["runbook_url"].rpartition("docs/metrics.md#")[2]
        for rule in rules()
        if "alert" in rule
    }

    assert linked.keys() == set(linked.values()) <= sections
    assert all(name == section for name, section in linked.items())


def test_the_tests_of_alerts_evaluate_the_groups_in_their_order() -> None:
    """promtool takes groups that are not named in a random one: an alert sees the minute before."""
    order = yaml.safe_load(ALERTS.with_name("alerts_test.yml").read_text())["group_eval_order"]

    assert order == [group["name"] for group in yaml.safe_load(ALERTS.read_text())["groups"]]


def test_every_alert_has_a_test_in_which_it_fires() -> None:
    cases = yaml.safe_load(ALERTS.with_name("alerts_test.yml").read_text())["tests"]
    fired = {
        check["alertname"]
        for case in cases
        for check in case["alert_rule_test"]
        if check["exp_alerts"]
    }

    assert {rule["alert"] for rule in rules() if "alert" in rule} == fired


def fill_in(query: str) -> str:
    return query.replace("$__rate_interval", "5m").replace("$destination", ".*")


def complaints_of_promtool(*arguments: str) -> str:
    """What it says if it fails."""
    done = subprocess.run(["promtool", *arguments], capture_output=True, text=True, check=False)
    return done.stdout + done.stderr if done.returncode else ""
