"""Tokens for OAUTHBEARER: by client credentials (OAuth 2.0), or signed for AWS MSK.

Theory of operation: aiokafka asks for a token at each new connection. All clients of a process
share one, which is renewed once four fifths of its life are over, as Kafka's own clients do. While
a renewal fails, the token is used until it ends. A broker that limits sessions closes a connection
whose token has ended (KIP-368): it is replaced before (`asking`), and with a token that is good.
"""

import asyncio
import os
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache
from urllib.parse import quote_plus
from weakref import WeakKeyDictionary

import msgspec
import structlog
from aiokafka.abc import AbstractTokenProvider
from aiokafka.errors import KafkaConnectionError

from schemas.configuration.config import ConfigError
from schemas.configuration.kafka_login import KafkaLogin
from schemas.http.proxies import proxy_for
from schemas.small_file import content_of

RENEW_AT = 0.8  # Of its life.
TRY_SECONDS = 10.0
LIFE_SECONDS = 60.0  # Of a token whose life is not told.
REPLY_BYTES_MAX = 100_000
EXCERPT_CHARACTERS = 200
log = structlog.get_logger()


class NoToken(KafkaConnectionError):  # type: ignore[misc]  # noqa: N818  aiokafka has no types.
    """None could be had, and the last one has ended; it is tried again."""


@dataclass(frozen=True, slots=True)
class Token:
    text: str
    life_seconds: float  # From when it was asked for.


Fetch = Callable[[], Awaitable[Token]]
"""A new token; `NoToken` says why there is none."""


def tokens_for(kafka: KafkaLogin) -> "Tokens":
    """Those of this login: the same for all who ask."""
    return _tokens(KafkaLogin(**{name: getattr(kafka, name) for name in KafkaLogin.model_fields}))


@lru_cache(maxsize=8)
def _tokens(kafka: KafkaLogin) -> "Tokens":
    fetch = _by_aws if kafka.sasl_oauth_provider is not None else _by_client_credentials
    pairs = (one.partition("=") for one in kafka.sasl_oauth_extensions)
    return Tokens(lambda: fetch(kafka), {name: value for name, _, value in pairs})


class Tokens(AbstractTokenProvider):  # type: ignore[misc]  # aiokafka has no types.
    def __init__(
        self,
        fetch: Fetch,
        extensions: Mapping[str, str],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._fetch = fetch
        self._extensions = extensions
        self._clock = clock
        self._token = ""
        self._renew_at = self._ends_at = float("-inf")
        self._is_failing = False
        # A command may run several loops, one after the other.
        self._locks: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Lock] = (
            WeakKeyDictionary()
        )

    async def token(self) -> str:
        """One that has not ended; `NoToken` if there is none."""
        async with self._locks.setdefault(asyncio.get_running_loop(), asyncio.Lock()):
            if self._clock() >= self._renew_at:
                await self._renew()
            return self._token

    def extensions(self) -> dict[str, str]:
        return dict(self._extensions)

    async def _renew(self) -> None:
        asked_at = self._clock()
        try:
            token = await self._fetch()
        except Exception as error:
            if not self._is_failing:
                log.error("token for Kafka could not be renewed, retrying", error=str(error))
            self._is_failing = True
            if asked_at >= self._ends_at:
                raise error if isinstance(error, NoToken) else NoToken(repr(error)) from error
            return
        if self._is_failing:
            log.info("token for Kafka was renewed again")
        self._is_failing = False
        self._token = token.text
        self._renew_at = asked_at + RENEW_AT * token.life_seconds
        self._ends_at = asked_at + token.life_seconds


class _Granted(msgspec.Struct):
    """A token endpoint's answer (RFC 6749, 5.1)."""

    access_token: str
    expires_in: float = LIFE_SECONDS


async def _by_client_credentials(kafka: KafkaLogin) -> Token:
    from pyreqwest.exceptions import PyreqwestError  # Only where there are tokens.

    url = kafka.sasl_oauth_token_url or ""
    try:
        status, body = await _posted(url, kafka)
    except (PyreqwestError, ConfigError, OSError, ValueError) as error:
        raise NoToken(f"kafka.sasl_oauth_token_url: {url} cannot be reached: {error}") from error
    if status != 200:
        said = body[:EXCERPT_CHARACTERS].decode(errors="replace")
        raise NoToken(
            f"{url} answered {status} to kafka.sasl_oauth_client_id and its secret: {said}"
        )
    try:
        granted = msgspec.json.decode(body, type=_Granted, strict=False)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise NoToken(f"{url} answered without a token: {error}") from error
    return Token(granted.access_token, granted.expires_in)


async def _posted(url: str, kafka: KafkaLogin) -> tuple[int, bytes]:
    from pyreqwest.client import ClientBuilder
    from pyreqwest.proxy import ProxyBuilder

    secret = kafka.sasl_oauth_client_secret
    # In a form's encoding, as Basic authentication has them there (RFC 6749, 2.3.1).
    named = (
        quote_plus(kafka.sasl_oauth_client_id or ""),
        quote_plus(secret.get_secret_value() if secret else ""),
    )
    form = {"grant_type": "client_credentials"}
    if kafka.sasl_oauth_scope is not None:
        form["scope"] = kafka.sasl_oauth_scope
    proxy = proxy_for(url, os.environ)
    builder = ClientBuilder().timeout(timedelta(seconds=TRY_SECONDS)).follow_redirects(False)
    builder = builder.no_proxy() if proxy is None else builder.proxy(ProxyBuilder.all(proxy))
    if kafka.ssl_cafile is not None:  # An organisation's own authority has signed both, as a rule.
        builder = builder.add_root_certificate_pem(content_of(kafka.ssl_cafile))
    async with builder.build() as client:
        asked = (
            client.post(url)
            .header("accept", "application/json")
            .basic_auth(*named)
            .form(form)
            .build_streamed()
        )
        async with asked as response:
            body = bytearray()
            while len(body) < REPLY_BYTES_MAX and (
                chunk := await response.body_reader.read_chunk()
            ):
                body += chunk
            return response.status, bytes(body)


async def _by_aws(kafka: KafkaLogin) -> Token:
    return await asyncio.to_thread(_signed, kafka.aws_region or "")


def _signed(region: str) -> Token:
    """By the AWS credentials of this process: its environment, profile, pod or machine."""
    from aws_msk_iam_sasl_signer import MSKAuthTokenProvider as Signer

    try:
        text, ends_at_ms = Signer.generate_auth_token(region)
    except Exception as error:
        raise NoToken(f"no AWS credentials to sign with: {error}") from error
    return Token(text, ends_at_ms / 1000 - time.time())
