"""Whether our packages are the ones that are imported: others may have the same names."""

from importlib.util import find_spec
from pathlib import Path

ROOT = Path(__file__).parents[1]
# Of each package a module that is ours for certain.
OURS = {
    "schemas": "schemas.configuration.config",
    "gateway": "gateway.edge.ingest",
    "consumers": "consumers.delivery.delivery",
}


def hidden() -> str | None:
    """What to say where a package of somebody else is in place of ours."""
    for package, module in OURS.items():
        spec = find_spec(package)
        places = [Path(place) for place in (spec and spec.submodule_search_locations) or ()]
        if spec is not None and spec.origin is not None and not places:
            places = [Path(spec.origin)]
        if places[:1] == [ROOT / package] and _has(module):
            continue
        where = f"at {places[0]}" if places else "that is not there"
        return (
            f"the package `{package}` {where} is not ampgate's own, which has that name:"
            " rename yours, run ampgate from another folder, or install it in an environment"
            " of its own (pipx install ampgate, or uv tool install ampgate)"
        )
    return None


def _has(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ImportError:
        return False
