"""Topics of a Kafka cluster, over confluent-kafka. Nothing outside this folder imports that library."""

from streamtrain.topic.kafka.positions import internal_topics
from streamtrain.topic.kafka.probe import BrokerReport, TopicReport, probe
from streamtrain.topic.kafka.reader import KafkaReader
from streamtrain.topic.kafka.settings import KafkaSettings
from streamtrain.topic.kafka.writer import KafkaWriter

__all__ = ["BrokerReport", "KafkaReader", "KafkaSettings", "KafkaWriter", "TopicReport", "internal_topics", "probe"]
