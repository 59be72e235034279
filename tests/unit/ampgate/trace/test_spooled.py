"""What waits in the spool of an edge on this machine is found there."""

import sqlite3
from pathlib import Path

import pytest
from typer.testing import CliRunner

from ampgate.cli.main import app
from ampgate.trace.spooled import spooled
from ampgate.trace.trace import ByInsertId, ByUser, Search, Sought
from gateway.spool import reading
from gateway.spool.spool import Entry, Spool
from schemas.records import NewRecord

EVENTS = [
    (1_000, b"ann", b'{"user_id":"ann","event_type":"a","insert_id":"1"}'),
    (2_000, b"bob", b'{"user_id":"bob","event_type":"a","insert_id":"2"}'),
    (3_000, b"ann", b'{"user_id":"ann","event_type":"a","insert_id":"3"}'),
]


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    """Of an edge that runs."""
    made = Spool(tmp_path / "spool of ours", 10_000_000)
    for at_ms, key, value in EVENTS:
        made.keep([Entry("ampgate.events", at_ms, [NewRecord(key, value)])])
    return made


@pytest.mark.parametrize("lot_bytes", [0, 4_000_000])
@pytest.mark.parametrize(
    ("sought", "since_ms", "found"),
    [
        (ByUser("ann"), None, [1_000, 3_000]),
        (ByUser("ann"), 1_001, [3_000]),
        (ByInsertId("2"), None, [2_000]),
        (ByUser("cid"), None, []),
    ],
)
def test_those_that_match_are_found(
    *,
    tmp_path: Path,
    spool: Spool,
    monkeypatch: pytest.MonkeyPatch,
    lot_bytes: int,
    sought: Sought,
    since_ms: int | None,
    found: list[int],
) -> None:
    monkeypatch.setattr(reading, "LOT_BYTES", lot_bytes)
    here = tmp_path / "spool of ours"
    assert [one.timestamp for one in spooled(here, Search(sought, since_ms))] == found
    assert spool.look().records == len(EVENTS)


def test_a_spool_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(OSError, match=r"spool\.sqlite"):
        spooled(tmp_path, Search(ByUser("ann")))
    (tmp_path / "spool.sqlite").write_bytes(b"no database" * 1_000)
    with pytest.raises(sqlite3.Error):
        spooled(tmp_path, Search(ByUser("ann")))


def test_the_command_tells_of_them_while_kafka_is_away(
    tmp_path: Path, spool: Spool, monkeypatch: pytest.MonkeyPatch, unused_tcp_port: int
) -> None:
    assert not spool.gate.is_open
    file = tmp_path / "ampgate.toml"
    file.write_text(
        f'[kafka]\nbootstrap_servers = "127.0.0.1:{unused_tcp_port}"\n'
        f'[edge]\nspool_dir = "{tmp_path / "spool of ours"}"\n'
    )
    monkeypatch.setenv("AMPGATE_CONFIG", str(file))
    monkeypatch.setenv("COLUMNS", "400")
    ran = CliRunner().invoke(app, ["trace", "--user", "ann"])
    assert ran.exit_code == 1
    assert f"2 records wait in the spool {tmp_path / 'spool of ours'} since 1970-" in ran.stderr
