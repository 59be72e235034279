"""The configuration's file: TOML, any value overridable from the environment.

`load` raises `ConfigError` with one sentence for each mistake, which names the key's path and line.
A process that does not use the secrets of a section need not have them: an edge has no API keys, a
delivery no write keys.
"""

import contextlib
import json
import re
import tomllib
from collections.abc import Collection, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

from pydantic import SecretStr, ValidationError

from schemas.configuration.config import Config, ConfigError, Kafka
from schemas.configuration.errors import REGISTRIES, words
from schemas.configuration.lines import line_of, lines_of
from schemas.small_file import UnusableFileError, content_of

ENVIRONMENT_PREFIX = "AMPGATE_"
LISTS = ("sources", "destinations", "pulls", "scrub")
NOT_HERE = "not here: "
INDEX = re.compile(r"[0-9]{1,6}")
SURROGATE = re.compile("[\ud800-\udfff]")
SECRET = re.compile("key|secret|token|password")
# The path of a section, or of one in a list: other tables have keys of the user's own.
SECTION = re.compile(r"\.\w+|.*\.[0-9]+")


def is_here(secret: SecretStr) -> bool:
    """False if a secret is absent that `unused_secrets` allows to be."""
    return not secret.get_secret_value().startswith(NOT_HERE)


def load(
    path: Path, environment: Mapping[str, str], unused_secrets: Collection[str] = ()
) -> Config:
    """Read, fill in and check the file; `ConfigError` says what is wrong and where.

    In the sections `unused_secrets`, such as `destinations`, a secret may be unavailable.
    """
    try:
        text = _text_of(path)
        tree = tomllib.loads(text)
    except FileNotFoundError as error:
        raise ConfigError(f"{path}: there is no such file") from error
    except RecursionError as error:
        raise ConfigError(f"{path}: it is nested too deeply") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: it is no UTF-8 text: {error.reason}") from error
    except (OSError, ValueError) as error:  # `tomllib` raises `int`'s errors, too.
        raise ConfigError(f"{path}: {error}") from error
    config = parse(tree, environment, str(path), unused_secrets, lines_of(text))
    _check_certificates(config.kafka, path)
    return config


def _text_of(path: Path) -> str:
    """`UnicodeDecodeError`, too; with any line ends, and the BOM that editors on Windows write."""
    return content_of(path, may_be_pipe=True).decode("utf-8-sig").replace("\r\n", "\n")


def _check_certificates(kafka: Kafka, path: Path) -> None:
    named = {
        name: file
        for name in ("ssl_cafile", "ssl_certfile", "ssl_keyfile")
        if (file := getattr(kafka, name)) is not None
    }
    for name, file in named.items():
        if not file.is_file():
            raise ConfigError(f"{path}: kafka.{name}: there is no file {file}")
    try:
        if named:
            kafka.ssl_context()
    except OSError as error:
        raise ConfigError(f"{path}: kafka.{', '.join(named)}: {error}") from error


def parse(
    tree: dict[str, Any],
    environment: Mapping[str, str],
    origin: str,
    unused_secrets: Collection[str] = (),
    lines: Mapping[str, int] = MappingProxyType({}),
) -> Config:
    """Check the values of the file `origin`, with the environment's overrides."""
    tree = deepcopy(tree)
    _override(tree, environment)
    filler = _Filler(environment, unused_secrets)
    filled = filler.fill_in(tree, "")
    faults = dict(filler.faults)
    config = None
    try:
        config = Config.model_validate(filled)
    except ValidationError as error:
        for one in error.errors(include_url=False, include_input=False):
            path = _path(one["loc"], filled)
            if f"{path}_file" not in faults:
                faults.setdefault(path, words(one))
    if config is None or faults:
        said = [_said(path, why, environment, origin, lines) for path, why in faults.items()]
        raise ConfigError("\n".join(said))
    return config


def _said(
    path: str, why: str, environment: Mapping[str, str], origin: str, lines: Mapping[str, int]
) -> str:
    line = line_of(path, lines)
    if (variable := _variable_of(path, environment, is_in_file=line is not None)) is not None:
        origin, line = variable, None
    where = f"{origin}: {path}" if path else origin
    return f"{where}: {why}" + (f" (line {line})" if line is not None else "")


def _variable_of(path: str, environment: Mapping[str, str], *, is_in_file: bool) -> str | None:
    """The variable that set it, or what it is in; of what the file has not, those in it."""
    parts = path.upper().split(".")
    for length in range(len(parts), 1, -1):
        name = ENVIRONMENT_PREFIX + "__".join(parts[:length])
        if name in environment:
            return name
    below = ENVIRONMENT_PREFIX + "".join(f"{part}__" for part in parts)
    is_set = not is_in_file and any(name.startswith(below) for name in environment)
    return f"{below}…" if is_set else None


def _path(location: Sequence[int | str], tree: Any) -> str:  # noqa: ANN401  A TOML tree is anything.
    """Where in the file; pydantic also names the type of a destination or a pull."""
    if location and location[0] in REGISTRIES:
        location = (*location[:2], *location[3:])
    path: list[str] = []
    node: Any = tree
    for part in location:
        if part == "[key]":  # pydantic's word for a table's name that is wrong itself.
            continue
        if isinstance(node, dict):
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
            if isinstance(node, list) and INDEX.fullmatch(part) and int(part) < len(node):
                node = node[int(part)]
            elif isinstance(node, dict) and not INDEX.fullmatch(part):
                node = node.setdefault(part, [] if part in LISTS else {})
            else:
                node = None
        if not isinstance(node, dict):
            raise ConfigError(f"{name}: the file has no {'.'.join(parents)} to set {last} in")
        node[last] = _read_override(value)


def _read_override(value: str) -> Any:  # noqa: ANN401  A TOML value is anything.
    """A list or a table is written as JSON, as in `["10.0.0.0/8"]`; all else is a string."""
    if value[:1] in ("[", "{"):
        with contextlib.suppress(ValueError, RecursionError):
            return json.loads(value)
    return value


@dataclass(frozen=True, slots=True)
class _Filler:
    """Replaces `"${NAME}"` by the environment's value and `key_file` by the file's content."""

    environment: Mapping[str, str]
    unused_secrets: Collection[str]
    faults: dict[str, str] = field(default_factory=dict)  # By the key's path.

    def fill_in(self, value: Any, path: str) -> Any:  # noqa: ANN401  A TOML tree is anything.
        if isinstance(value, list):
            return [self.fill_in(one, f"{path}.{index}") for index, one in enumerate(value)]
        if isinstance(value, dict):
            return self._table(value, path)
        return self._text(value, path) if isinstance(value, str) else value

    def _text(self, value: str, path: str) -> str:
        if match := re.fullmatch(r"\$\{(\w+)\}", value):
            if match[1] not in self.environment:
                return self._absent(path, f"the environment has no {match[1]}")
            value = self.environment[match[1]].strip()  # As of a file: both end in a line's end.
        elif match := re.search(r"\$\{\w+\}", value):
            return self._fault(path, f"{match[0]} can only be the whole value")
        elif value.startswith("${"):  # As it stands it would be a secret that all can guess.
            return self._fault(path, "must be ${NAME}, of letters, digits and underscores")
        if SURROGATE.search(value):  # JSON may have halves of characters, and so what is no UTF-8.
            return self._fault(path, "is no Unicode text")
        return value

    def _table(self, table: Mapping[str, Any], path: str) -> dict[str, Any]:
        filled = {key: self.fill_in(value, f"{path}.{key}") for key, value in table.items()}
        is_section = SECTION.fullmatch(path) is not None
        for key in [key for key in filled if is_section and key.endswith("_file")]:
            if (plain := key.removesuffix("_file")) in filled:
                del filled[key]
                self._fault(f"{path}.{key}", f"{plain} is there, too; only one can be")
                continue
            filled[plain] = self._content(filled.pop(key), f"{path}.{key}")
        return filled

    def _content(self, file: object, path: str) -> str:
        if not isinstance(file, str):
            return self._fault(path, 'must be the path of a file, as in "/run/secrets/key"')
        try:
            return _text_of(Path(file)).strip()
        except UnusableFileError as error:
            return self._fault(path, str(error))
        except (OSError, ValueError) as error:  # As above; a path with a NUL is one, too.
            return self._absent(path, str(error))

    def _absent(self, path: str, why: str) -> str:
        section, _, rest = path.removeprefix(".").partition(".")
        if section in self.unused_secrets and SECRET.search(rest):
            return f"{NOT_HERE}{section}.{rest}"  # Of each another: two keys must not be alike.
        return self._fault(path, why)

    def _fault(self, path: str, why: str) -> str:
        """What stands in the key's place, so that the other keys are checked, too."""
        path = path.removeprefix(".")
        self.faults[path] = why
        return f"{NOT_HERE}{path}"
