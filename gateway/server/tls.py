"""The edge's own TLS: its certificate, and a newer one without a dropped connection."""

import ssl
from pathlib import Path

import structlog

from schemas.configuration.config import Config, ConfigError, Edge

# TLS 1.2's with forward secrecy and authenticated encryption (RFC 9325 §4.2); 1.3 has no others.
CIPHERS = "ECDHE+AESGCM:ECDHE+CHACHA20"

log = structlog.get_logger()


class Certificate:
    """What a handshake shows: the newest certificate that could be read."""

    def __init__(self, certfile: Path, keyfile: Path | None) -> None:
        """`OSError` where a file cannot be read, or they are no certificate and its key."""
        self._newest = self.context = context_of(certfile, keyfile)
        self.context.sni_callback = self._choose

    def renew(self, certfile: Path, keyfile: Path | None) -> None:
        """For the handshakes from now on; after an `OSError` they show what they did before."""
        self._newest = context_of(certfile, keyfile)

    def _choose(
        self, connection: ssl.SSLObject | ssl.SSLSocket, _name: str | None, _: ssl.SSLContext
    ) -> None:
        """OpenSSL asks in every handshake, also of a client that names no server."""
        connection.context = self._newest


def certificate_of(edge: Edge) -> Certificate | None:
    if edge.tls_certfile is None:
        return None
    try:
        return Certificate(edge.tls_certfile, edge.tls_keyfile)
    except OSError as error:
        raise ConfigError(f"edge.tls_certfile, edge.tls_keyfile: {error}") from error


def renew(certificate: Certificate | None, config: Config) -> bool:
    """Whether the configuration can be used: its certificate, if it has one, is there."""
    edge = config.edge
    if certificate is None or edge.tls_certfile is None:
        return True
    try:
        certificate.renew(edge.tls_certfile, edge.tls_keyfile)
    except OSError as error:
        log.error(
            "new configuration rejected, keeping the former one",
            keys=["edge.tls_certfile", "edge.tls_keyfile"],
            error=str(error),
        )
        return False
    return True


def context_of(certfile: Path, keyfile: Path | None) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(CIPHERS)
    context.set_alpn_protocols(["http/1.1"])
    context.options |= ssl.OP_NO_RENEGOTIATION  # A client could make us work without end.
    # Without a password OpenSSL would ask the terminal for that of an encrypted key.
    context.load_cert_chain(certfile, keyfile, password="")
    return context
