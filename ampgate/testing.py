"""For unit tests of users: what a destination would be sent of an event.

from ampgate.testing import preview

def test_a_purchase_has_its_total() -> None:
    sent = preview("ampgate.toml", "aampe-eu", {"event_type": "Bought", "user_id": "ann", …})
    assert sent["body"]["metadata"]["total"] == 6
"""

import os
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson

from ampgate.cli.configuration import WITH_SECRETS
from ampgate.preview.preview import Preview, Sent
from schemas.configuration.config import Config
from schemas.configuration.file import load, parse

NOW_MS = 1_767_225_600_000  # 2026-01-01: what has no `time` gets this one.


def preview(
    config: Config | Mapping[str, Any] | str | Path,
    destination: str,
    event: Mapping[str, Any] | bytes,
    *,
    source: str | None = None,
) -> dict[str, Any]:
    """The request that an event becomes: `{"endpoint", "body", "lines"}`; or why it becomes none:
    `{"line", "outcome", "reason"}`, with the `detail` of a dead one. As `ampgate preview --json`.

    `config` is a configuration, or the path or the tables of one; its secrets need not be there.
    `event` is a record of any kind. What a function does and may not do is a `UserWarning`.
    """
    value = event if isinstance(event, bytes) else orjson.dumps(event)

    def warn(words: str) -> None:
        warnings.warn(words, stacklevel=2)

    [found] = Preview(_read(config), destination, warn, source, NOW_MS).of([(1, value)])
    if isinstance(found, Sent):
        return {"endpoint": found.endpoint, "body": found.body, "lines": list(found.lines)}
    return found.shown | ({"detail": found.detail} if found.detail else {})


def _read(config: Config | Mapping[str, Any] | str | Path) -> Config:
    if isinstance(config, Config):
        return config
    if isinstance(config, Mapping):
        return parse(dict(config), {}, "the configuration", WITH_SECRETS)
    return load(Path(config), os.environ, WITH_SECRETS)
