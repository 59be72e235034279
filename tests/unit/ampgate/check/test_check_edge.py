"""What `ampgate check` says of write keys and of the edge's certificate."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trustme

from ampgate.check.edge import RENEW_BEFORE, check_certificate, check_console, check_keys
from ampgate.check.finding import Finding
from schemas.configuration.config import Console, Edge, Source
from schemas.configuration.file import NOT_HERE

NOW = datetime.now(UTC)


@pytest.mark.parametrize(
    ("key", "warned"),
    [("dev", True), ("a" * 15, True), ("a" * 16, False)],
)
def test_a_short_key_is_a_warning_and_no_failure(key: str, *, warned: bool) -> None:
    found = list(check_keys((Source(name="shop", write_key=key),)))
    assert [finding.subject for finding in found] == ["source shop"] * warned
    assert all(finding.ok and finding.advice for finding in found)
    assert key not in str(found)


def test_a_key_that_is_hashed_or_not_here_cannot_be_measured() -> None:
    sources = (
        Source(name="hashed", write_key_sha256="0" * 64),
        Source(name="absent", write_key=NOT_HERE + "X"),
    )
    assert list(check_keys(sources)) == []


def test_a_short_token_of_the_console_is_a_warning() -> None:
    console = Console(token="dev", viewer_token="v" * 16)

    assert [(one.subject, one.ok) for one in check_console(console)] == [("console.token", True)]
    assert list(check_console(Console(token=NOT_HERE + "console.token"))) == []


def certificate(path: Path, ends: datetime) -> Edge:
    issued = trustme.CA().issue_cert("edge.example", not_before=NOW - timedelta(90), not_after=ends)
    issued.cert_chain_pems[0].write_to_path(path / "cert.pem")
    issued.private_key_pem.write_to_path(path / "key.pem")
    return Edge(tls_certfile=path / "cert.pem", tls_keyfile=path / "key.pem")


def found(edge: Edge) -> Finding:
    [finding] = check_certificate(edge, NOW)
    return finding


def test_a_certificate_that_ends_soon_is_a_warning(tmp_path: Path) -> None:
    later = found(certificate(tmp_path, NOW + RENEW_BEFORE + timedelta(days=1)))
    assert (later.ok, later.advice) == (True, "")
    soon = found(certificate(tmp_path, NOW + RENEW_BEFORE - timedelta(days=1)))
    assert soon.ok
    assert "renew" in soon.advice


def test_one_that_has_ended_is_a_failure(tmp_path: Path) -> None:
    finding = found(certificate(tmp_path, NOW - timedelta(days=1)))
    assert not finding.ok
    assert "expired" in finding.says


def test_files_that_cannot_be_used_are_a_failure(tmp_path: Path) -> None:
    edge = certificate(tmp_path, NOW + timedelta(days=90))
    other = tmp_path / "other"
    other.mkdir()
    another = certificate(other, NOW + timedelta(days=90))
    assert found(edge).ok
    for wrong in (
        Edge(tls_certfile=tmp_path / "absent.pem"),
        Edge(tls_certfile=edge.tls_certfile),  # Its key is elsewhere.
        Edge(tls_certfile=edge.tls_certfile, tls_keyfile=another.tls_keyfile),
        Edge(tls_certfile=tmp_path),
    ):
        assert not found(wrong).ok


def test_without_tls_there_is_nothing_to_say() -> None:
    assert list(check_certificate(Edge(), NOW)) == []
