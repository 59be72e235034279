"""The configuration's file: TOML, any value overridable from the environment.

`load` raises `ConfigError` with one sentence that names the key's path.
"""

import contextlib
import json
import re
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from schemas.config import Config, ConfigError
from schemas.config_errors import words

ENVIRONMENT_PREFIX = "AMPGATE_"
LISTS = ("sources", "destinations", "scrub")


def load(path: Path, environment: Mapping[str, str]) -> Config:
    """Read, fill in and check the file; `ConfigError` says what is wrong and where."""
    try:
        tree = tomllib.loads(path.read_text())
    except FileNotFoundError as error:
        raise ConfigError(f"{path}: there is no such file") from error
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"{path}: {error}") from error
    config = parse(tree, environment, str(path))
    for name in ("ssl_cafile", "ssl_certfile", "ssl_keyfile"):
        file: Path | None = getattr(config.kafka, name)
        if file is not None and not file.is_file():
            raise ConfigError(f"{path}: kafka.{name}: there is no file {file}")
    return config


def parse(tree: dict[str, Any], environment: Mapping[str, str], origin: str) -> Config:
    """Check what was read from `origin`, with the environment's overrides."""
    _override(tree, environment)
    filled = _fill_in(tree, environment, origin, "")
    try:
        return Config.model_validate(filled)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        path = _path(first["loc"], filled)
        variable = ENVIRONMENT_PREFIX + path.replace(".", "__").upper()
        if variable in environment and "." in path:
            origin = variable
        where = f"{origin}: {path}" if path else origin
        raise ConfigError(f"{where}: {words(first)}") from error


def _path(location: Sequence[int | str], tree: Any) -> str:  # noqa: ANN401  A TOML tree is anything.
    """Where in the file; pydantic also names the member of a union that it tried."""
    path: list[str] = []
    node: Any = tree
    for part in location:
        if isinstance(node, dict):
            if part in ("amplitude", "aampe"):
                continue
            node = node.get(str(part))
        elif isinstance(node, list) and isinstance(part, int):
            node = node[part]
        else:
            break
        path.append(str(part))
    return ".".join(path)


def _override(tree: dict[str, Any], environment: Mapping[str, str]) -> None:
    """`AMPGATE_KAFKA__BOOTSTRAP_SERVERS=…` sets `kafka.bootstrap_servers`."""
    for name, value in sorted(environment.items()):
        path = name.removeprefix(ENVIRONMENT_PREFIX).lower().split("__")
        if not name.startswith(ENVIRONMENT_PREFIX) or len(path) < 2:
            continue
        *parents, last = path
        node: Any = tree
        for part in parents:
            if isinstance(node, list) and part.isdigit() and int(part) < len(node):
                node = node[int(part)]
            elif isinstance(node, dict) and not part.isdigit():
                node = node.setdefault(part, [] if part in LISTS else {})
            else:
                node = None
        if not isinstance(node, dict):
            raise ConfigError(f"{name}: the file has no {'.'.join(parents)} to set {last} in")
        node[last] = _read_override(value)


def _read_override(value: str) -> Any:  # noqa: ANN401  A TOML value is anything.
    """A list or a table is written as JSON, as in `["10.0.0.0/8"]`; all else is a string."""
    if value[:1] in ("[", "{"):
        with contextlib.suppress(json.JSONDecodeError):
            return json.loads(value)
    return value


def _fill_in(value: Any, environment: Mapping[str, str], origin: str, path: str) -> Any:  # noqa: ANN401  A TOML tree is anything.
    """Replace `"${NAME}"` by the environment's value and `key_file` by the file's content."""
    if isinstance(value, list):
        return [_fill_in(v, environment, origin, f"{path}.{i}") for i, v in enumerate(value)]
    if isinstance(value, dict):
        filled = {k: _fill_in(v, environment, origin, f"{path}.{k}") for k, v in value.items()}
        # A filter's list may stand under any name.
        for key in [k for k, v in filled.items() if k.endswith("_file") and isinstance(v, str)]:
            if (plain := key.removesuffix("_file")) in filled:
                where = f"{path}.{key}".removeprefix(".")
                raise ConfigError(f"{origin}: {where}: {plain} is there, too; only one can be")
            filled[key.removesuffix("_file")] = _read_secret(filled.pop(key), origin, path, key)
        return filled
    if isinstance(value, str) and (match := re.fullmatch(r"\$\{(\w+)\}", value)):
        if match[1] not in environment:
            where = path.removeprefix(".")
            raise ConfigError(f"{origin}: {where}: the environment has no {match[1]}")
        return environment[match[1]]
    if isinstance(value, str) and (match := re.search(r"\$\{\w+\}", value)):
        where = path.removeprefix(".")
        raise ConfigError(f"{origin}: {where}: {match[0]} can only be the whole value")
    return value


def _read_secret(file: object, origin: str, path: str, key: str) -> str:
    where = f"{path}.{key}".removeprefix(".")
    try:
        return Path(str(file)).read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{origin}: {where}: {error}") from error
