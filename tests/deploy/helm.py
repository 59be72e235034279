"""The Helm chart as Helm renders it, for tests."""

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
CHART = ROOT / "deploy" / "helm" / "ampgate"
KUBERNETES = "1.31.0"
needs_helm = pytest.mark.skipif(shutil.which("helm") is None, reason="helm is not installed")


def helm(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["helm", *arguments], capture_output=True, text=True, check=False)


def rendered(*settings: str) -> list[dict[str, Any]]:
    return _template(KUBERNETES, *(part for setting in settings for part in ("--set", setting)))


def rendered_with(
    values: dict[str, Any], folder: Path, kubernetes: str = KUBERNETES
) -> list[dict[str, Any]]:
    file = folder / "values.yaml"
    file.write_text(yaml.safe_dump(values))
    return _template(kubernetes, "--values", str(file))


def _template(kubernetes: str, *arguments: str) -> list[dict[str, Any]]:
    done = helm("template", "shop", str(CHART), "--kube-version", kubernetes, *arguments)
    assert done.returncode == 0, done.stderr
    return [document for document in yaml.safe_load_all(done.stdout) if document]


def of_kind(documents: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    return [document for document in documents if document["kind"] == kind]


def secrets_of(deployment: dict[str, Any]) -> set[str]:
    """The names of all Secrets that its pods can read."""
    volumes = deployment["spec"]["template"]["spec"]["volumes"]
    sources = [source for one in volumes for source in one.get("projected", {}).get("sources", [])]
    assert not any("secret" in volume for volume in volumes)
    return {source["secret"]["name"] for source in sources}
