"""The sums of a reconciliation, in a file for Prometheus."""

from pathlib import Path

from ampgate.reconcile.metrics import write


def test_a_link_is_written_through_and_stays_one(tmp_path: Path) -> None:
    """As /dev/stdout is one: renamed over, it would be gone."""
    (file := tmp_path / "file").touch()
    (link := tmp_path / "link").symlink_to(file)

    write("us", {"delivered": 3}, 5.0, link)

    assert link.is_symlink()
    assert b"ampgate_reconciliation_records" in file.read_bytes()
