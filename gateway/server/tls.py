"""The edge's TLS: its certificate, and renewal without dropping connections."""

import ssl
from pathlib import Path

from schemas.configuration.config import Config, ConfigError, Edge
from schemas.small_file import content_of

# TLS 1.2's with forward secrecy and authenticated encryption (RFC 9325 §4.2); 1.3 has no others.
CIPHERS = "ECDHE+AESGCM:ECDHE+CHACHA20"


class Certificate:
    """The TLS context of handshakes: the newest certificate that could be read."""

    def __init__(self, certfile: Path, keyfile: Path | None) -> None:
        """Raises `OSError` if a file cannot be read, or they are not a certificate and its key."""
        self._newest = self.context = context_of(certfile, keyfile)
        self.context.sni_callback = self._choose

    def renew(self, certfile: Path, keyfile: Path | None) -> None:
        """For new handshakes; after an `OSError`, the former certificate stays."""
        self._newest = context_of(certfile, keyfile)

    def _choose(
        self, connection: ssl.SSLObject | ssl.SSLSocket, _name: str | None, _: ssl.SSLContext
    ) -> None:
        """OpenSSL calls it in every handshake, also if a client names no server."""
        connection.context = self._newest


def certificate_of(edge: Edge) -> Certificate | None:
    if edge.tls_certfile is None:
        return None
    try:
        return Certificate(edge.tls_certfile, edge.tls_keyfile)
    except OSError as error:
        raise _unreadable(error) from error


def renew(certificate: Certificate | None, config: Config) -> None:
    """Raises `ConfigError` if the configuration's certificate cannot be loaded."""
    edge = config.edge
    if certificate is None or edge.tls_certfile is None:
        return
    try:
        certificate.renew(edge.tls_certfile, edge.tls_keyfile)
    except OSError as error:
        raise _unreadable(error) from error


def _unreadable(error: OSError) -> ConfigError:
    return ConfigError(f"edge.tls_certfile, edge.tls_keyfile: {error}")


def context_of(certfile: Path, keyfile: Path | None) -> ssl.SSLContext:
    for file in filter(None, (certfile, keyfile)):
        content_of(file)  # OpenSSL would wait for whoever writes into a pipe.
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(CIPHERS)
    context.set_alpn_protocols(["http/1.1"])
    # Renegotiation would let a client use CPU without end.
    context.options |= ssl.OP_NO_RENEGOTIATION
    # Without it, OpenSSL would ask for an encrypted key's password on the terminal.
    context.load_cert_chain(certfile, keyfile, password="")
    return context
