"""The recipes of docs/transforms.md do what the page says of them."""

import json
import re
import sys
import types
from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import SecretStr

from consumers.delivery.destination import Encoded
from consumers.delivery.outcomes import Skip
from consumers.destinations import destinations_of
from schemas.topics import Kind
from schemas.vendors.amplitude import AmplitudeDestination
from tests.docs.tables import DOCS
from tests.simulation.log import Kept

RECIPE = re.compile(r"### ([^\n]+)\n```python\n(.*?)```\n```json\n(.*?)```", re.DOTALL)
RECIPES = RECIPE.findall((DOCS / "transforms.md").read_text())
MODULE = "recipes_of_the_docs"


def test_there_are_ten_recipes() -> None:
    assert len(RECIPES) == 10


@pytest.fixture
def module() -> Iterator[types.ModuleType]:
    module = sys.modules[MODULE] = types.ModuleType(MODULE)
    yield module
    del sys.modules[MODULE]


@pytest.mark.parametrize(
    ("source", "example"), [one[1:] for one in RECIPES], ids=[one[0] for one in RECIPES]
)
def test_a_recipe_does_what_the_page_says(
    source: str, example: str, module: types.ModuleType
) -> None:
    exec(source, module.__dict__)
    names = re.findall(r"^def (\w+)", source, re.MULTILINE)
    shown: dict[str, Any] = json.loads(example)
    kind = Kind(shown.get("kind", "event"))
    common: dict[str, object] = {"user_id": "ann"}
    if kind is Kind.EVENT:
        common |= {"event_type": "Bought", "insert_id": "i", "time": 1}
    config = AmplitudeDestination(
        type="amplitude",
        name="us",
        api_key=SecretStr("k"),
        transform=f"{MODULE}:{names[-1]}",
    )
    part = next(one for one in destinations_of(config) if one.kind is kind)
    value = json.dumps({**common, **shown["event"]}).encode()
    found = part.encode(Kept("t", 0, 0, None, value, None))
    if shown["result"] is None:
        assert found == Skip("transform")
    else:
        assert isinstance(found, Encoded)
        assert json.loads(found.body) == {**common, **shown["result"]}
