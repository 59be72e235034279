"""A spool that cannot be used is an error of the configuration, told at the start."""

import sqlite3
from pathlib import Path

import pytest

from gateway.spool.opening import check_spool
from schemas.configuration.config import ConfigError, Edge


def test_without_a_spool_there_is_nothing_to_check() -> None:
    check_spool(Edge())


def test_the_directory_is_made_and_left_as_it_can_be_used(tmp_path: Path) -> None:
    edge = Edge(spool_dir=tmp_path / "new" / "spool")
    check_spool(edge)
    check_spool(edge)


@pytest.mark.parametrize("name", ["file/spool", "file", "odd", "newer"])
def test_what_cannot_be_used_is_named(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").write_text("no directory")
    (tmp_path / "odd").mkdir()
    (tmp_path / "odd" / "spool.sqlite").write_bytes(b"no database" * 1_000)
    check_spool(Edge(spool_dir=tmp_path / "newer"))
    with sqlite3.connect(tmp_path / "newer" / "spool.sqlite") as database:
        database.execute("PRAGMA user_version = 2")
    with pytest.raises(ConfigError, match=f"edge.spool_dir: {tmp_path / name}: .+"):
        check_spool(Edge(spool_dir=tmp_path / name))
