"""`ampgate check` of the edge and the console: the length of keys and tokens, a certificate."""

import ssl
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from ampgate.check.finding import Finding
from gateway.server.tls import context_of
from schemas.configuration.config import Console, Edge, Source
from schemas.configuration.file import is_here

KEY_CHARACTERS_MIN = 16  # Random hex of so many takes 2^64 guesses.
RANDOM_ONES = f"give it {KEY_CHARACTERS_MIN} random ones or more, as of: openssl rand -hex 16"
RENEW_BEFORE = timedelta(days=14)


def check_keys(sources: tuple[Source, ...]) -> Iterator[Finding]:
    """A short key is only a warning: `dev` is good enough on a developer's machine."""
    for source in sources:
        if source.write_key is None or not is_here(source.write_key):
            continue
        key = source.write_key.get_secret_value()
        if len(key) < KEY_CHARACTERS_MIN:
            says = f"its write key has {len(key)} characters"
            yield Finding(f"source {source.name}", says, advice=RANDOM_ONES)


def check_console(console: Console) -> Iterator[Finding]:
    """Who guesses a token of the console sees every event."""
    for name, token in (("token", console.token), ("viewer_token", console.viewer_token)):
        if token is None or not is_here(token):
            continue
        if (length := len(token.get_secret_value())) < KEY_CHARACTERS_MIN:
            says = f"it has {length} characters"
            yield Finding(f"console.{name}", says, advice=RANDOM_ONES)


def check_certificate(edge: Edge, now: datetime) -> Iterator[Finding]:
    if edge.tls_certfile is None:
        return
    subject = "edge.tls_certfile"
    fix = "correct edge.tls_certfile and edge.tls_keyfile, or who may read them"
    try:
        served = context_of(edge.tls_certfile, edge.tls_keyfile)
        ends = _ends(served, edge.tls_certfile)
    except ssl.SSLCertVerificationError as error:
        yield Finding(
            subject, f"clients refuse it: {error.verify_message}", "renew it, then SIGHUP"
        )
    except OSError as error:
        yield Finding(subject, str(error), fix)
    else:
        soon = ends - now < RENEW_BEFORE
        advice = "renew it, then send the edge SIGHUP" if soon else ""
        yield Finding(subject, f"valid until {ends:%Y-%m-%d %H:%M} UTC", advice=advice)


def _ends(served: ssl.SSLContext, certfile: Path) -> datetime:
    """The end of the certificate's validity, from a handshake in memory."""
    trusting = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    trusting.check_hostname = False
    # Its issuer may not be known on this machine.
    trusting.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    trusting.load_verify_locations(certfile)
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = trusting.wrap_bio(to_client, to_server)
    server = served.wrap_bio(to_server, to_client, server_side=True)
    for side in (client, server, client):
        try:
            side.do_handshake()
        except ssl.SSLWantReadError:
            continue
    certificate = client.getpeercert()
    assert certificate is not None, "the handshake has ended"
    return datetime.fromtimestamp(ssl.cert_time_to_seconds(str(certificate["notAfter"])), UTC)
