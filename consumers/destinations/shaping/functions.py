"""Functions of users, by their import path: `transform = "shop.mapping:for_aampe"`.

A function is imported once. `renewed` imports its package again if a source file of it changed, so
that SIGHUP applies a new function; a package that fails then is left as it was.
"""

import hashlib
import importlib
import inspect
import sys
from collections.abc import Callable, Iterable
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeAlias

from schemas.configuration.config import ConfigError
from schemas.small_file import content_of
from schemas.topics import Kind
from schemas.vendors.vendor import ConfiguredDestination

# An event as a dict, and the kind of its record; returns a dict, or None to skip it.
Function: TypeAlias = Callable[[dict[str, Any], Kind], object]
_digests: dict[str, str] = {}  # Of the sources that each package was imported from.


def function_of(config: ConfiguredDestination) -> Function | None:
    """The destination's `transform`; `ConfigError` names the key, the fault and the fix."""
    if config.transform is None:
        return None
    module, _, name = config.transform.partition(":")
    found: Any = _imported(config, module)
    for part in name.split("."):
        if not hasattr(found, part):
            raise _fault(config, f"{module} has no {name}", "correct the name after the colon")
        found = getattr(found, part)
    return _callable_as(config, found)


def digest_of(config: ConfiguredDestination) -> str:
    """Equal for as long as the sources of its function are the same."""
    return "" if config.transform is None else _digests.get(_package(config.transform), "")


def renewed(configs: Iterable[ConfiguredDestination]) -> None:
    """Import the packages of which a source file changed again; `ConfigError` if one fails."""
    for config in configs:
        if config.transform is None:
            continue
        package = _package(config.transform)
        if package not in _digests or _digest(package) == _digests[package]:
            continue
        before = {name: sys.modules.pop(name) for name in _modules(package)}
        digest = _digests.pop(package)
        try:
            function_of(config)
        except ConfigError:
            for name in _modules(package):
                del sys.modules[name]
            sys.modules.update(before)
            _digests[package] = digest
            raise


def _imported(config: ConfiguredDestination, module: str) -> object:
    package = _package(module)
    try:
        with _no_stale_bytecode():
            importlib.invalidate_caches()
            found = importlib.import_module(module)
    except KeyboardInterrupt:
        raise
    except ModuleNotFoundError as error:
        fix = "install it, or put it where PYTHONPATH or the folder of the configuration leads"
        raise _fault(config, f"{module} cannot be imported: {error}", fix) from error
    except BaseException as error:  # A module may raise anything, and may even exit.
        why = f"{module} cannot be imported: {type(error).__name__}: {error}"
        raise _fault(config, why, "correct the module") from error
    _digests.setdefault(package, _digest(package))
    return found


def _callable_as(config: ConfiguredDestination, found: Any) -> Function:  # noqa: ANN401  Anything.
    """Called with the kind if it takes one."""
    fix = "write it as: def name(event: dict[str, Any]) -> dict[str, Any] | None"
    if not callable(found):
        raise _fault(config, f"is a {type(found).__name__}, no function", fix)
    if inspect.iscoroutinefunction(found) or inspect.isasyncgenfunction(found):
        raise _fault(config, "is async", fix)
    if inspect.isgeneratorfunction(found):
        raise _fault(config, "is a generator: it yields", fix)
    try:
        signature = inspect.signature(found)
    except (TypeError, ValueError):  # Some builtins have none.
        return lambda event, _kind: found(event)
    with suppress(TypeError):
        signature.bind({}, kind="")
        return lambda event, kind: found(event, kind=kind.value)
    try:
        signature.bind({})
    except TypeError as error:
        raise _fault(config, f"cannot be called with one event: {error}", fix) from error
    return lambda event, _kind: found(event)


def _fault(config: ConfiguredDestination, why: str, fix: str) -> ConfigError:
    said = f'destination {config.name}: transform "{config.transform}": {why}'
    return ConfigError(f"{said}; {fix}")


def _package(path: str) -> str:
    return path.partition(":")[0].partition(".")[0]


def _modules(package: str) -> list[str]:
    return [name for name in sys.modules if name == package or name.startswith(f"{package}.")]


def _digest(package: str) -> str:
    found = hashlib.sha256()
    for name in sorted(_modules(package)):
        file = getattr(sys.modules[name], "__file__", None)
        with suppress(OSError):
            found.update(name.encode() + content_of(Path(file)) if file else b"")
    return found.hexdigest()


@contextmanager
def _no_stale_bytecode() -> Any:  # noqa: ANN401  As `contextmanager` has it.
    """Python takes a module as unchanged if its size and the second of its change are the same."""
    before, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    try:
        yield
    finally:
        sys.dont_write_bytecode = before
