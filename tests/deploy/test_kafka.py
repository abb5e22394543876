"""The kafka service: its variables, listeners, health check and transactions, on a private broker."""

from __future__ import annotations

import re
import subprocess

import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import ConfigResource, ConfigSource, NewTopic, ResourceType

from tests.deploy import compose
from tests.deploy.broker import ENVIRONMENT, FOR_SCRIPTS, SERVICE, ComposedKafka
from tests.servers.kafka import VERSION, Broker
from tests.servers.ports import free_port
from tests.servers.system import run

pytestmark = pytest.mark.servers


def healthy(port: int) -> bool:
    """What the service's health check says of a broker on ``port``."""
    test = [word.replace("/9092", f"/{port}") for word in SERVICE["healthcheck"]["test"]]
    assert test[0] == "CMD"
    return subprocess.run(test[1:], capture_output=True, check=False).returncode == 0


def test_the_image_is_of_the_version_that_is_tested() -> None:
    assert SERVICE["image"] == f"apache/kafka:{VERSION}"


def test_every_variable_is_a_setting_that_is_in_force_on_the_broker(broker: ComposedKafka) -> None:
    admin = broker.admin()
    (asked,) = admin.describe_configs([ConfigResource(ResourceType.BROKER, ENVIRONMENT["KAFKA_NODE_ID"])]).values()
    known = asked.result(timeout=10)
    wanted = {
        name.removeprefix("KAFKA_").lower().replace("_", "."): value
        for name, value in broker.moved(ENVIRONMENT).items()
        if name.startswith("KAFKA_") and name not in FOR_SCRIPTS
    }
    assert wanted.keys() <= known.keys()
    for name, value in wanted.items():
        assert (known[name].value, known[name].source) == (value, ConfigSource.STATIC_BROKER_CONFIG.value), name


def test_the_cluster_has_the_given_id(broker: ComposedKafka) -> None:
    assert broker.admin().list_topics(timeout=10).cluster_id == ENVIRONMENT["CLUSTER_ID"]


def test_both_listeners_lead_back_to_themselves(broker: ComposedKafka) -> None:
    for port in (broker.internal, broker.host):
        (found,) = Broker(f"127.0.0.1:{port}").admin().list_topics(timeout=10).brokers.values()
        assert found.port == port


def test_a_transaction_commits_on_the_single_broker(broker: ComposedKafka) -> None:
    admin = broker.admin()
    (created,) = admin.create_topics([NewTopic("transactions", 1)]).values()
    created.result(timeout=10)
    producer = Producer({"bootstrap.servers": broker.bootstrap, "transactional.id": "deploy"})
    producer.init_transactions(30)
    producer.begin_transaction()
    producer.produce("transactions", b"value")
    producer.commit_transaction(30)


def test_the_documented_change_of_retention_takes_effect(broker: ComposedKafka) -> None:
    text = (compose.ROOT / "docs/deploy.md").read_text().replace("\\\n", " ")
    (line,) = re.findall(r"kafka-configs.sh (.*)", text)
    arguments = line.replace("kafka:9092", broker.bootstrap).replace("shop.shop.events", "retained").split()
    admin = broker.admin()
    admin.create_topics([NewTopic("retained", 1)])["retained"].result(timeout=10)
    run((*broker.program, "kafka.admin.ConfigCommand", *arguments))
    (asked,) = admin.describe_configs([ConfigResource(ResourceType.TOPIC, "retained")]).values()
    name, value = arguments[arguments.index("--add-config") + 1].split("=")
    assert asked.result(timeout=10)[name].value == value


def test_the_health_check_passes_once_the_broker_serves_and_fails_where_none_is(broker: ComposedKafka) -> None:
    assert healthy(broker.internal)
    assert not healthy(free_port())


def test_the_heap_leaves_half_of_the_memory_limit_to_the_page_cache() -> None:
    (heap,) = (word for word in ENVIRONMENT["KAFKA_HEAP_OPTS"].split() if word.startswith("-Xmx"))
    limit = SERVICE["deploy"]["resources"]["limits"]["memory"]
    assert int(heap.removeprefix("-Xmx").removesuffix("m")) * 2 <= int(limit.removesuffix("G")) * 1024
