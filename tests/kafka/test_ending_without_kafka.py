"""A process that is told to end while it starts, and waits for Kafka, ends at once."""

from pathlib import Path

from ampgate.lab.kafka.ports import free_ports
from tests.eventually import DEADLINE_SECONDS
from tests.kafka.processes import running


def test_an_edge_ends_though_it_has_not_found_kafka_yet(tmp_path: Path) -> None:
    file = tmp_path / "ampgate.toml"
    file.write_text(f"""
[kafka]
bootstrap_servers = "127.0.0.1:9"
[edge]
host = "127.0.0.1"
port = {free_ports(1)[0]}
ack_timeout_seconds = {2 * DEADLINE_SECONDS}
[[sources]]
name = "shop"
write_key = "k"
""")
    with running("edge", configuration=file) as edge:
        edge.until_it_says("Kafka connection failed, retrying")
        assert edge.stop() == 0
    assert "Traceback" not in edge.said
