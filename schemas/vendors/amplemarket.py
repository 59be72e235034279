"""Amplemarket (docs/reference/amplemarket.md): tasks, contacts and exclusions."""

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field

from schemas.vendors.pull import ConfiguredPull, Credential, PolledSystem

REQUESTS, SECONDS = 500, 60.0  # Of a key, whatever it asks for (amplemarket.md#rest-api).
Read = Annotated[tuple[Literal["tasks", "contacts"], ...], Field(min_length=1)]


class _OfAmplemarket(ConfiguredPull):
    api_key: Credential

    @property
    def url(self) -> str:
        return self.base_url or "https://api.amplemarket.com"  # amplemarket.md#rest-api.

    @property
    def account(self) -> str:
        return f"amplemarket {self.url} {self.api_key.get_secret_value()}"

    def login(self) -> Mapping[str, str]:
        return {
            "authorization": f"Bearer {self.api_key.get_secret_value()}",
            "accept": "application/json",
        }


class AmplemarketPull(_OfAmplemarket):
    type: Literal["amplemarket"]
    read: Read = ("tasks", "contacts")


class AmplemarketExclusionsPull(_OfAmplemarket):
    type: Literal["amplemarket-exclusions"]


SYSTEM = PolledSystem(
    title="Amplemarket",
    configuration=AmplemarketPull,
    pull="gateway.pulls.amplemarket:pull",
    simulator="amplemarket",
    requests=REQUESTS,
    seconds=SECONDS,
)
EXCLUSIONS = PolledSystem(
    title="Amplemarket's exclusions",
    configuration=AmplemarketExclusionsPull,
    pull="gateway.pulls.amplemarket_exclusions:pull",
    simulator="amplemarket",
    requests=REQUESTS,
    seconds=SECONDS,
)
