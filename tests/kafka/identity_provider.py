"""An identity provider: a token endpoint (RFC 6749, 4.4) that signs its tokens on the spot."""

import base64
import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qs, unquote_plus

from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256

from tests.http_server import answering

KEY_ID = "key-1"


@dataclass(slots=True)
class IdentityProvider:
    client_id: str
    secret: str
    life_seconds: int
    key: rsa.RSAPrivateKey = field(
        default_factory=lambda: rsa.generate_private_key(public_exponent=65537, key_size=2048)
    )
    url: str = ""
    scopes: list[str] = field(default_factory=list)  # Of each token that was granted.
    is_down: bool = False

    def write_keys(self, file: Path) -> None:
        """Its public key, as brokers read it (RFC 7517)."""
        numbers = self.key.public_key().public_numbers()
        key = {
            "kty": "RSA",
            "use": "sig",
            "alg": "RS256",
            "kid": KEY_ID,
            "n": _integer(numbers.n),
            "e": _integer(numbers.e),
        }
        file.write_text(json.dumps({"keys": [key]}))

    def answer(self, authorization: str, body: str) -> tuple[int, dict[str, object]]:
        form = {name: values[0] for name, values in parse_qs(body).items()}
        if self.is_down:
            return 503, {"error": "temporarily_unavailable"}
        named = base64.b64decode(authorization.removeprefix("Basic ")).decode().split(":")
        if [unquote_plus(part) for part in named] != [self.client_id, self.secret]:
            return 401, {"error": "invalid_client"}
        assert form["grant_type"] == "client_credentials"
        self.scopes.append(form.get("scope", ""))
        return 200, {"access_token": self._token(), "expires_in": self.life_seconds}

    def _token(self) -> str:
        now = int(time.time())
        head = {"alg": "RS256", "typ": "JWT", "kid": KEY_ID}
        claims = {
            "iss": "https://identity.example",
            "aud": "kafka",
            "sub": self.client_id,
            "iat": now,
            "exp": now + self.life_seconds,
            "jti": str(len(self.scopes)),
        }
        signed = f"{_base64(json.dumps(head).encode())}.{_base64(json.dumps(claims).encode())}"
        signature = self.key.sign(signed.encode(), padding.PKCS1v15(), SHA256())
        return f"{signed}.{_base64(signature)}"


@contextmanager
def serving(provider: IdentityProvider) -> Iterator[IdentityProvider]:
    def answer(headers: Mapping[str, str], body: bytes) -> tuple[int, bytes]:
        status, said = provider.answer(headers.get("authorization", ""), body.decode())
        return status, json.dumps(said).encode()

    with answering(answer) as url:
        provider.url = f"{url}/oauth2/token"
        yield provider


def _integer(number: int) -> str:
    return _base64(number.to_bytes((number.bit_length() + 7) // 8))


def _base64(text: bytes) -> str:
    return base64.urlsafe_b64encode(text).decode().rstrip("=")
