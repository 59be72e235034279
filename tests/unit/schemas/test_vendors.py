"""The registry of vendors is the one list: the configuration and its documents follow it."""

import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from pkgutil import resolve_name
from typing import Annotated, Any, Literal

import pytest
from jsonschema import Draft202012Validator
from pydantic import Field

from consumers.destinations import destinations_of
from gateway.dialects.segment_integrations import opted_out_of
from schemas.configuration.config import Config, ConfigError
from schemas.configuration.file import parse
from schemas.configuration.section import Section
from schemas.topics import Kind
from schemas.vendors import VENDORS, vendor_of
from schemas.vendors.vendor import ConfiguredDestination, Vendor

ROOT = Path(__file__).parents[3]
ROOMS = ("ampgate", "consumers", "gateway", "schemas")
GIVEN = {"name": "x", "type": "made-up", "api_key": "k", "base_url": "http://there"}


class Login(Section):
    user: Annotated[str, Field(pattern="^[a-z]+$")]


class MadeUp(ConfiguredDestination):
    type: Literal["made-up"]
    login: Login | None = None
    others: tuple[Login, ...] = ()

    @property
    def url(self) -> str:
        return self.base_url or ""


@pytest.fixture
def made_up(monkeypatch: pytest.MonkeyPatch) -> Vendor:
    vendor = Vendor("Made Up", MadeUp, "nowhere:destinations")
    monkeypatch.setitem(VENDORS, vendor.type, vendor)
    return vendor


def parsed(**given: object) -> Config:
    return parse({"destinations": [{**GIVEN, **given}]}, {}, "x.toml")


@pytest.mark.parametrize("name", VENDORS)
def test_what_the_registry_names_is_there(name: str) -> None:
    assert VENDORS[name].type == name
    assert callable(resolve_name(VENDORS[name].destinations))
    assert find_spec(f"ampgate.lab.simulators.{name}") is not None


@pytest.mark.parametrize("name", VENDORS)
def test_only_its_own_files_know_a_vendor(name: str) -> None:
    imported = re.compile(rf"^from schemas\.vendors(\.{name}\b| import .*\b{name}\b)", re.MULTILINE)
    rooms = [file for room in ROOMS for file in (ROOT / room).rglob("*.py")]
    knowing = {file.relative_to(ROOT) for file in rooms if imported.search(file.read_text())}

    own = [one for one in knowing if any(part.startswith(name) for part in one.parts)]
    assert knowing - {*own} == {Path("schemas/vendors/__init__.py")}


def test_a_type_can_be_registered_later(made_up: Vendor) -> None:
    (destination,) = parsed(login={"user": "ann"}).destinations

    assert isinstance(destination, MadeUp)
    assert (vendor_of(destination), destination.login) == (made_up, Login(user="ann"))
    assert [destination.dedupe_days(kind) for kind in Kind] == [None] * len(Kind)


def test_without_its_line_a_type_is_unknown() -> None:
    *others, last = map(repr, VENDORS)
    with pytest.raises(ConfigError, match=f"type must be {', '.join(others)} or {last}"):
        parsed()


@pytest.mark.usefixtures("made_up")
@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"type": "x"}, ": type must be 'amplitude', 'aampe'"),
        ({"made-up": {"made-up": 1}}, ".made-up: unknown key; known are api_key, base_url, con"),
        ({"login": {"usr": 1, "user": "a"}}, ".login.usr: unknown key; known are user"),
        ({"others": [{"user": "a", "x": 1}]}, ".others.0.x: unknown key; known are user"),
        ({"login": {"user": "ANN"}}, ".login.user: must be of the form ^[a-z]+$"),
        ({"where": {"made-up": 1}}, ".where.made-up: must be a list"),
        ({"api_key": ""}, ".api_key: is empty"),
    ],
)
def test_errors_name_the_key_of_a_registered_type(given: dict[str, object], says: str) -> None:
    with pytest.raises(ConfigError) as raised:
        parsed(**given)

    assert str(raised.value).startswith(f"x.toml: destinations.0{says}")


@pytest.mark.usefixtures("made_up")
def test_the_schema_of_the_configuration_follows_the_registry() -> None:
    schema: dict[str, Any] = Config.model_json_schema()

    Draft202012Validator.check_schema(schema)
    validator = Draft202012Validator(schema)
    assert set(schema["properties"]["destinations"]["items"]["discriminator"]["mapping"]) == {
        *VENDORS
    }
    right = {"destinations": [{**GIVEN, "login": {"user": "ann"}}]}
    assert validator.is_valid(right)
    assert not validator.is_valid({"destinations": [{**GIVEN, "login": {"usr": "ann"}}]})


@pytest.mark.usefixtures("made_up")
def test_a_segment_sender_can_opt_out_of_a_registered_type() -> None:
    assert opted_out_of({"Made Up": False, "Amplitude": True}) == b"made-up"


def test_an_edge_loads_nothing_of_the_delivery() -> None:
    loads = "import gateway.server.server, schemas.vendors, sys; print(*sys.modules)"
    ran = subprocess.run([sys.executable, "-c", loads], capture_output=True, check=True, text=True)

    assert [name for name in ran.stdout.split() if name.split(".")[0] == "consumers"] == []


def test_no_server_loads_duckdb() -> None:
    loads = (
        "import ampgate.cli.main, consumers.server, gateway.pulls.server, sys\n"
        "print('duckdb' in sys.modules)"
    )
    ran = subprocess.run([sys.executable, "-c", loads], capture_output=True, check=True, text=True)

    assert ran.stdout == "False\n"


def test_a_destination_s_concurrency_holds_for_every_topic() -> None:
    given = {**GIVEN, "type": "amplitude", "concurrency": 3}
    (config,) = parse({"destinations": [given]}, {}, "x.toml").destinations

    assert [one.limits.concurrency for one in destinations_of(config)] == [3, 3, 3]
