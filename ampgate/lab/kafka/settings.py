"""How the embedded Kafka is set up: the files of one node, and why they say what they say."""

from collections.abc import Mapping
from pathlib import Path

HOST = "127.0.0.1"
SCRAM_MECHANISMS = ("SCRAM-SHA-256", "SCRAM-SHA-512")
SCRAM_LOGIN = "org.apache.kafka.common.security.scram.ScramLoginModule required;"


def broker_settings(
    *,
    node: int,
    ports: Mapping[int, int],
    told: Mapping[int, int],
    controller_ports: Mapping[int, int],
    log_dir: Path,
) -> dict[str, str]:
    """The settings of `node` in the cluster whose nodes listen on `ports`; clients, and nodes that
    copy records, are `told` others where proxies stand before them.
    """
    replicas = str(len(ports))
    in_sync = str(min(2, len(ports)))
    voters = [f"{other}@{HOST}:{port}" for other, port in controller_ports.items()]
    return {
        "process.roles": "broker,controller",
        "node.id": str(node),
        "controller.quorum.voters": ",".join(voters),
        "listeners": f"CLIENTS://{HOST}:{ports[node]},CONTROLLERS://{HOST}:{controller_ports[node]}",
        "advertised.listeners": f"CLIENTS://{HOST}:{told[node]}",
        "listener.security.protocol.map": "CLIENTS:PLAINTEXT,CONTROLLERS:PLAINTEXT",
        "inter.broker.listener.name": "CLIENTS",
        "controller.listener.names": "CONTROLLERS",
        "log.dirs": log_dir.as_posix(),
        # What is not ours to decide here, `ampgate.topics` does; a typo must not make a topic.
        "auto.create.topics.enable": "false",
        "default.replication.factor": replicas,
        "min.insync.replicas": in_sync,
        "offsets.topic.replication.factor": replicas,
        "transaction.state.log.replication.factor": replicas,
        "transaction.state.log.min.isr": in_sync,
        "share.coordinator.state.topic.replication.factor": replicas,
        "share.coordinator.state.topic.min.isr": in_sync,
        # Small: every partition costs files and memory, and groups are few.
        "offsets.topic.num.partitions": "8",
        "transaction.state.log.num.partitions": "4",
        "share.coordinator.state.topic.num.partitions": "4",
        "log.segment.bytes": str(64 * 1024 * 1024),
        "log.index.size.max.bytes": str(1024 * 1024),
        "log.retention.hours": str(7 * 24),
        "log.cleaner.dedupe.buffer.size": str(4 * 1024 * 1024),  # 128 MB of heap by default.
        "num.network.threads": "2",
        "num.io.threads": "4",
        "background.threads": "2",
        # Quick: nobody waits for members that may come, or long for a node that was killed.
        "group.initial.rebalance.delay.ms": "0",
        "broker.heartbeat.interval.ms": "500",
        # A node that was killed may come back only after this: its old session has to end.
        "broker.session.timeout.ms": "4000",
    }


def with_listener(
    settings: Mapping[str, str], name: str, protocol: str, port: int
) -> dict[str, str]:
    """The settings with one more listener; users may log in to it if its protocol has logins."""
    address = f"{name}://{HOST}:{port}"
    more = {
        "listeners": f"{settings['listeners']},{address}",
        "advertised.listeners": f"{settings['advertised.listeners']},{address}",
        "listener.security.protocol.map": (
            f"{settings['listener.security.protocol.map']},{name}:{protocol}"
        ),
    }
    if protocol.startswith("SASL"):
        more["sasl.enabled.mechanisms"] = ",".join(SCRAM_MECHANISMS)
        for mechanism in SCRAM_MECHANISMS:
            login = f"listener.name.{name.lower()}.{mechanism.lower()}.sasl.jaas.config"
            more[login] = SCRAM_LOGIN
    return {**settings, **more}


def scram_options(users: Mapping[str, str]) -> list[str]:
    """What tells Kafka's storage tool of the users and their passwords."""
    return [
        f"--add-scram={mechanism}=[name={name},password={password}]"
        for name, password in users.items()
        for mechanism in SCRAM_MECHANISMS
    ]


def log4j_settings(log: Path) -> dict[str, str]:
    """Kafka's own log goes to one file, which never takes more than 30 MB with its past."""
    return {
        "rootLogger.level": "INFO",
        "rootLogger.appenderRef.file.ref": "file",
        "appender.file.type": "RollingFile",
        "appender.file.name": "file",
        "appender.file.fileName": log.as_posix(),
        "appender.file.filePattern": f"{log.as_posix()}.%i",
        "appender.file.layout.type": "PatternLayout",
        "appender.file.layout.pattern": "%d %-5p %c{1}: %m%n",
        "appender.file.policies.type": "Policies",
        "appender.file.policies.size.type": "SizeBasedTriggeringPolicy",
        "appender.file.policies.size.size": "10MB",
        "appender.file.strategy.type": "DefaultRolloverStrategy",
        "appender.file.strategy.max": "2",
    }


def write_properties(file: Path, properties: Mapping[str, str]) -> None:
    """Write Java properties, in which a backslash has to be said twice."""
    lines = [f"{key}={value}\n".replace("\\", "\\\\") for key, value in properties.items()]
    file.write_text("".join(lines), encoding="utf-8")
