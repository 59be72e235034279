"""Amplemarket (docs/reference/amplemarket.md): tasks and contacts."""

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field

from schemas.vendors.pull import ConfiguredPull, Credential, PolledSystem

Read = Annotated[tuple[Literal["tasks", "contacts"], ...], Field(min_length=1)]


class AmplemarketPull(ConfiguredPull):
    type: Literal["amplemarket"]
    api_key: Credential
    read: Read = ("tasks", "contacts")

    @property
    def url(self) -> str:
        return self.base_url or "https://api.amplemarket.com"  # amplemarket.md#rest-api.

    @property
    def account(self) -> str:
        return f"{self.type} {self.url} {self.api_key.get_secret_value()}"

    def login(self) -> Mapping[str, str]:
        return {
            "authorization": f"Bearer {self.api_key.get_secret_value()}",
            "accept": "application/json",
        }


SYSTEM = PolledSystem(
    title="Amplemarket",
    configuration=AmplemarketPull,
    pull="gateway.pulls.amplemarket:pull",
    simulator="amplemarket",
    requests=500,  # amplemarket.md#rest-api.
    seconds=60.0,
)
