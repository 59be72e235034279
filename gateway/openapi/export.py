"""The OpenAPI document as the file that is in the repository."""

import json
from pathlib import Path

from gateway.edge.app import create_app
from schemas.configuration.config import Config
from schemas.documents import DIRECTORY

FILE: Path = DIRECTORY / "openapi.json"


def text() -> str:
    tree = create_app(Config()).operations.openapi()
    return json.dumps(tree, indent=2, ensure_ascii=False) + "\n"
