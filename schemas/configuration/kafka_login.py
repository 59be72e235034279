"""How we log in to Kafka, with Kafka's own names as far as it has any."""

import ssl
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, SecretStr, field_validator, model_validator

from schemas.configuration.section import Section
from schemas.configuration.values import AWS_REGION, OAUTH_EXTENSION, BaseUrl

AWS_MSK_IAM = "aws-msk-iam"
SIGNER = "aws_msk_iam_sasl_signer"  # The package of the extra `aws`.
PASSWORD_KEYS = ("sasl_plain_username", "sasl_plain_password")
CLIENT_KEYS = ("sasl_oauth_token_url", "sasl_oauth_client_id", "sasl_oauth_client_secret")
OAUTH_KEYS = (*CLIENT_KEYS, "sasl_oauth_scope", "sasl_oauth_extensions", "sasl_oauth_provider")


class KafkaLogin(Section):
    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER"] = "PLAIN"
    sasl_plain_username: str | None = None
    sasl_plain_password: SecretStr | None = None
    sasl_oauth_token_url: BaseUrl | None = None
    sasl_oauth_client_id: Annotated[str, Field(min_length=1)] | None = None
    sasl_oauth_client_secret: SecretStr | None = None
    sasl_oauth_scope: Annotated[str, Field(min_length=1)] | None = None
    sasl_oauth_extensions: tuple[Annotated[str, Field(pattern=OAUTH_EXTENSION)], ...] = ()
    sasl_oauth_provider: Literal["aws-msk-iam"] | None = None
    aws_region: Annotated[str, Field(pattern=AWS_REGION)] | None = None
    ssl_cafile: Path | None = None
    ssl_certfile: Path | None = None
    ssl_keyfile: Path | None = None

    @field_validator("sasl_oauth_provider")
    @classmethod
    def _is_installed(cls, provider: str | None) -> str | None:
        if provider == AWS_MSK_IAM and find_spec(SIGNER) is None:
            raise ValueError(f"{provider} needs the extra 'aws': pip install 'ampgate[aws]'")
        return provider

    @model_validator(mode="after")
    def _can_log_in(self) -> Self:
        if fault := self._fault():
            raise ValueError(fault)
        return self

    def _fault(self) -> str | None:
        """Which keys do not go together, and what to do."""
        if self.ssl_keyfile is not None and self.ssl_certfile is None:
            return "ssl_keyfile needs ssl_certfile"
        if self.security_protocol.startswith("SASL"):
            if self.sasl_mechanism != "OAUTHBEARER":
                return self._lacks(PASSWORD_KEYS, f"{self.security_protocol} needs") or (
                    self._idle((*OAUTH_KEYS, "aws_region"), 'sasl_mechanism = "OAUTHBEARER"')
                )
            if self.sasl_oauth_provider is None:
                needs = f'OAUTHBEARER, without sasl_oauth_provider = "{AWS_MSK_IAM}", needs'
                return self._lacks(CLIENT_KEYS, needs) or (
                    self._idle(("aws_region",), f'sasl_oauth_provider = "{AWS_MSK_IAM}"')
                )
            if self.security_protocol != "SASL_SSL":
                return f'{AWS_MSK_IAM} needs security_protocol = "SASL_SSL"'
            return self._lacks(("aws_region",), f"{AWS_MSK_IAM} needs")
        if self.sasl_mechanism == "OAUTHBEARER":
            return 'sasl_mechanism needs security_protocol = "SASL_SSL" (or "SASL_PLAINTEXT")'
        return self._idle((*OAUTH_KEYS, "aws_region"), 'security_protocol = "SASL_SSL"')

    def _lacks(self, names: tuple[str, ...], needs: str) -> str | None:
        """What is said where one of these is not there, or empty."""
        missing = [name for name in names if not _text(getattr(self, name))]
        if not missing:
            return None
        return f"{needs} {' and '.join(names)}; missing: {', '.join(missing)}"

    def _idle(self, names: tuple[str, ...], needed: str) -> str | None:
        """What is said where one of these is there and would not be used."""
        named = next((name for name in names if getattr(self, name)), None)
        return named and f"{named} has no effect without {needed}"

    def ssl_context(self) -> ssl.SSLContext:
        """`OSError` where a file is not there, or holds no certificate or no key of it."""
        context = ssl.create_default_context(cafile=self.ssl_cafile)
        if self.ssl_certfile is not None:
            # Without a password, OpenSSL would ask for one at the terminal.
            context.load_cert_chain(self.ssl_certfile, self.ssl_keyfile, password="")
        return context


def _text(value: object) -> str:
    return value.get_secret_value() if isinstance(value, SecretStr) else str(value or "")
