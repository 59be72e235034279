"""Amperity (docs/reference/amperity.md): profiles of an index."""

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field

from schemas.vendors.pull import ConfiguredPull, Credential, PolledSystem

API_VERSION = "2025-07-31"  # amperity.md#profiles.
TENANT = r"^[A-Za-z0-9][A-Za-z0-9-]{0,62}$"
INDEX = r"^[A-Za-z0-9._~-]{1,200}$"
Attribute = Annotated[str, Field(min_length=1, max_length=1_024)]


class AmperityPull(ConfiguredPull):
    type: Literal["amperity"]
    tenant: Annotated[str, Field(pattern=TENANT)]
    token: Credential
    index: Annotated[str, Field(pattern=INDEX)]
    user_id: Attribute  # The attribute that is our user_id.
    # Attributes that become user properties, all if absent; a table names them anew.
    properties: tuple[Attribute, ...] | Mapping[Attribute, Attribute] | None = None
    filter: Mapping[Attribute, str] = {}

    @property
    def url(self) -> str:
        # amperity.md#hosts.
        return self.base_url or f"https://{self.tenant}.amperity.com/api"

    @property
    def account(self) -> str:
        return f"{self.type} {self.url} {self.tenant}"

    def login(self) -> Mapping[str, str]:
        return {
            "authorization": f"Bearer {self.token.get_secret_value()}",
            "amperity-tenant": self.tenant,
            "api-version": API_VERSION,
        }


SYSTEM = PolledSystem(
    title="Amperity",
    configuration=AmperityPull,
    pull="gateway.pulls.amperity:pull",
    simulator="amperity",
    requests=10,  # amperity.md#limits-and-errors.
    seconds=1.0,
)
