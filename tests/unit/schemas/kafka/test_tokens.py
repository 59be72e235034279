"""Tokens for a login to Kafka: shared, renewed in time, and used while they live."""

import asyncio
import base64
from urllib.parse import parse_qs, urlsplit

import pytest

from schemas.configuration.config import Kafka
from schemas.kafka.login import client_arguments
from schemas.kafka.tokens import NoToken, Token, Tokens, tokens_for


class Issuer:
    """Tokens of 100 seconds, in a time of its own."""

    def __init__(self) -> None:
        self.now = 1_000.0
        self.asked = 0
        self.fault: Exception | None = None

    async def fetch(self) -> Token:
        self.asked += 1
        await asyncio.sleep(0)
        if self.fault is not None:
            raise self.fault
        return Token(f"token {self.asked}", 100.0)

    def tokens(self) -> Tokens:
        return Tokens(self.fetch, {}, lambda: self.now)


async def test_clients_share_a_token_until_four_fifths_of_its_life_are_over() -> None:
    issuer = Issuer()
    tokens = issuer.tokens()
    assert set(await asyncio.gather(*(tokens.token() for _ in range(9)))) == {"token 1"}
    issuer.now += 79.9
    assert await tokens.token() == "token 1"
    issuer.now += 0.1
    assert set(await asyncio.gather(*(tokens.token() for _ in range(9)))) == {"token 2"}
    assert issuer.asked == 2


@pytest.mark.parametrize("fault", [NoToken("away"), ValueError("of any kind")])
async def test_a_token_serves_while_renewal_fails_and_no_longer_than_it_lives(
    fault: Exception,
) -> None:
    issuer = Issuer()
    tokens = issuer.tokens()
    await tokens.token()
    issuer.fault = fault
    issuer.now += 99.9
    assert await tokens.token() == "token 1"
    issuer.now += 0.1
    with pytest.raises(NoToken, match=str(fault)):
        await tokens.token()
    issuer.fault = None
    assert await tokens.token() == "token 4"


def test_loops_that_follow_each_other_share_the_token() -> None:
    issuer = Issuer()
    tokens = issuer.tokens()

    async def several() -> None:
        await asyncio.gather(*(tokens.token() for _ in range(3)))

    for _ in range(3):
        asyncio.run(several())
    assert issuer.asked == 1


async def test_a_token_for_msk_is_a_signed_request_to_its_region_that_lives_15_minutes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    kafka = Kafka(
        security_protocol="SASL_SSL",
        sasl_mechanism="OAUTHBEARER",
        sasl_oauth_provider="aws-msk-iam",
        aws_region="eu-central-1",
    )
    tokens = client_arguments(kafka)["sasl_oauth_token_provider"]
    text = await tokens.token()
    url = urlsplit(base64.urlsafe_b64decode(text + "===").decode())
    query = parse_qs(url.query)
    assert url.hostname == "kafka.eu-central-1.amazonaws.com"
    assert query["Action"] == ["kafka-cluster:Connect"]
    assert query["X-Amz-Expires"] == ["900"]
    assert query["X-Amz-Credential"][0].startswith("AKIDEXAMPLE/")
    assert await tokens.token() == text
    assert tokens is tokens_for(kafka.model_copy(update={"bootstrap_servers": "other:9092"}))


async def test_no_aws_credentials_is_said(
    monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("HOME", str(tmp_path_factory.mktemp("home")))
    kafka = Kafka(
        security_protocol="SASL_SSL",
        sasl_mechanism="OAUTHBEARER",
        sasl_oauth_provider="aws-msk-iam",
        aws_region="eu-west-3",
    )
    with pytest.raises(NoToken, match="no AWS credentials"):
        await tokens_for(kafka).token()


def test_extensions_go_with_the_token() -> None:
    kafka = Kafka(
        security_protocol="SASL_SSL",
        sasl_mechanism="OAUTHBEARER",
        sasl_oauth_token_url="https://idp.example/token",
        sasl_oauth_client_id="id",
        sasl_oauth_client_secret="secret",
        sasl_oauth_extensions=("logicalCluster=lkc-1", "identityPoolId=pool-2"),
    )
    assert tokens_for(kafka).extensions() == {
        "logicalCluster": "lkc-1",
        "identityPoolId": "pool-2",
    }
