"""What users of a Kafka with permissions need: `check` names it, commands of the docs give it."""

import re
import shlex
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import pairwise
from pathlib import Path

import pytest

from ampgate import topics
from ampgate.check.check import check
from ampgate.check.finding import Finding
from ampgate.lab.kafka.kafka import EmbeddedKafka
from ampgate.lab.kafka.ports import free_ports
from schemas.configuration.config import Config, Kafka
from tests.conftest import Broker
from tests.eventually import seen
from tests.kafka.acls import (
    CLUSTER,
    DESCRIBE,
    DESCRIBE_CONFIGS,
    GROUP,
    LITERAL,
    PREFIXED,
    READ,
    TOPIC,
    WITH_ACLS,
    WRITE,
    Acl,
    allow_all,
)
from tests.kafka.processes import post, running, until_answers
from tests.kafka.writing import Topic
from tests.operating import received, simulating

DOCS = Path(__file__).parents[2] / "docs" / "production.md"
OPERATIONS = {
    "Read": READ,
    "Write": WRITE,
    "Describe": DESCRIBE,
    "DescribeConfigs": DESCRIBE_CONFIGS,
}
USERS = ("ampgate", "edge", "delivery", "pull")
EVENT = {"event_type": "Sign Up", "user_id": "ann@example.org"}


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedKafka]:
    """Only the administrator, who connects without a login, may do anything."""
    settings = WITH_ACLS | {
        "allow.everyone.if.no.acl.found": "false",
        "super.users": "User:ANONYMOUS",
    }
    with EmbeddedKafka(
        tmp_path_factory.mktemp("strict") / "kafka",
        settings=settings,
        listeners={"LOGIN": "SASL_PLAINTEXT"},
        users=dict.fromkeys(USERS, "a-password"),
    ) as kafka:
        yield kafka


def login(kafka: EmbeddedKafka, user: str, prefix: str) -> dict[str, str]:
    return {
        "bootstrap_servers": kafka.servers_of("LOGIN"),
        "security_protocol": "SASL_PLAINTEXT",
        "sasl_mechanism": "SCRAM-SHA-256",
        "sasl_plain_username": user,
        "sasl_plain_password": "a-password",
        "topic_prefix": prefix,
    }


def acls(command: str) -> Sequence[Acl]:
    """What a call of kafka-acls gives, as its own options say."""
    words = shlex.split(command)
    given: dict[str, list[str]] = {}
    for option, value in pairwise(words):
        if option.startswith("--"):
            given.setdefault(option, []).append(value)
    kinds = {"--topic": TOPIC, "--group": GROUP}
    resources = [(kinds[one], name) for one in kinds for name in given.get(one, [])]
    if "--cluster" in given:
        resources.append((CLUSTER, "kafka-cluster"))
    pattern = PREFIXED if given.get("--resource-pattern-type") == ["prefixed"] else LITERAL
    return [
        Acl(kind, name, pattern, given["--allow-principal"][0], OPERATIONS[operation])
        for kind, name in resources
        for operation in given["--operation"]
    ]


async def created(kafka: EmbeddedKafka, prefix: str) -> Broker:
    administrator = {"bootstrap_servers": kafka.bootstrap_servers, "topic_prefix": prefix}
    await topics.create(Config.model_validate({"kafka": administrator}).kafka, partitions=2)
    return Broker(kafka.bootstrap_servers)


async def test_the_commands_that_check_prints_give_all_that_it_misses(
    strict: EmbeddedKafka, topic_prefix: str
) -> None:
    broker = await created(strict, topic_prefix)
    async with simulating("amplitude") as amplitude:
        config = Config.model_validate(
            {
                "kafka": login(strict, "ampgate", topic_prefix),
                "sources": [{"name": "web", "write_key": "k" * 16}],
                "destinations": [
                    {"name": "us", "type": "amplitude", "api_key": "k", "base_url": amplitude}
                ],
                "pulls": [
                    {
                        "name": "crm",
                        "type": "amplemarket",
                        "every": "1h",
                        "api_key": "k",
                        "base_url": amplitude,
                    }
                ],
            }
        )

        async def missing() -> list[Finding]:
            found = [one for one in await check(config) if "kafka-acls" in one.fix + one.advice]
            return [one for one in found if one.subject != "kafka"]

        before = await missing()
        commands = [one.fix or one.advice for one in before]
        await allow_all(broker, [acl for command in commands for acl in acls(command)])
        after = await seen(missing, lambda found: not found)

    kafka = config.kafka.topics
    names = [*kafka.lasting, *kafka.compacted, kafka.probe, "offsets", kafka.pull_group]
    assert {one.subject for one in before} >= set(names)
    assert sum(one.subject.startswith(f"{topic_prefix}us.") for one in before) == 3
    assert after == []


CONFIGURATION = """
[kafka]
{kafka}
[edge]
host = "127.0.0.1"
port = {edge_port}
[delivery]
admin_host = "127.0.0.1"
admin_port = {admin_port}
[pull]
admin_host = "127.0.0.1"
admin_port = {pull_port}
[[sources]]
name = "shop"
write_key = "k"
[[pulls]]
name = "crm"
type = "amplemarket"
every = "1h"
api_key = "k"
base_url = "{amplemarket}"
[[destinations]]
name = "amplitude-us"
type = "amplitude"
api_key = "k"
base_url = "{amplitude}"
"""


async def allow_as_the_docs_say(broker: Broker, prefix: str) -> None:
    [script] = re.findall(r"```sh\n *(acl=.*?)```", DOCS.read_text(), re.DOTALL)
    commands = re.findall(r"\$acl ((?:.*\\\n)*.*)", script)
    await allow_all(
        broker, [acl for one in commands for acl in acls(one.replace("ampgate.", prefix))]
    )


async def test_the_commands_of_the_docs_give_each_process_what_it_needs(
    strict: EmbeddedKafka, topic_prefix: str, tmp_path: Path
) -> None:
    broker = await created(strict, topic_prefix)
    await allow_as_the_docs_say(broker, topic_prefix)
    administrator = Kafka(bootstrap_servers=broker.bootstrap_servers, topic_prefix=topic_prefix)
    cursors = Topic(administrator, administrator.topics.cursors)
    edge_port, admin_port, pull_port = free_ports(3)

    def configured(user: str, **urls: str) -> Path:
        kafka = "\n".join(f'{k} = "{v}"' for k, v in login(strict, user, topic_prefix).items())
        ports = {"edge_port": edge_port, "admin_port": admin_port, "pull_port": pull_port}
        file = tmp_path / f"{user}.toml"
        file.write_text(CONFIGURATION.format(kafka=kafka, **ports, **urls))
        return file

    async with simulating("amplitude") as amplitude, simulating("amplemarket") as amplemarket:
        users = ("edge", "delivery", "pull")
        files = [configured(one, amplitude=amplitude, amplemarket=amplemarket) for one in users]
        with (
            running("edge", configuration=files[0]) as edge,
            running("deliver", configuration=files[1]) as delivery,
            running("pull", configuration=files[2]) as pull,
        ):
            await until_answers(f"http://127.0.0.1:{edge_port}/readyz", 200)
            await until_answers(f"http://127.0.0.1:{admin_port}/readyz", 200)
            await until_answers(f"http://127.0.0.1:{pull_port}/readyz", 200)
            await seen(cursors.values, bool)
            assert await post(f"http://127.0.0.1:{edge_port}/v1/events", EVENT, "k") == 202
            assert await post(f"http://127.0.0.1:{edge_port}/v1/events", {"user_id": 1}, "k") == 422
            await seen(
                partial(received, amplitude),
                lambda found: any(one["user_id"] == EVENT["user_id"] for one in found),
            )
            edge.stop()
            pull.stop()
            assert delivery.stop() == 0

    for process in (edge, delivery, pull):
        assert "not be written" not in process.said
        assert "Authorization" not in process.said
