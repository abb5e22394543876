"""The configuration: read and checked at the edge, by the command line alone, which hands on plain values."""

from streamtrain.config.endpoints import (
    FileTopics,
    KafkaTopics,
    MongoSource,
    MysqlSource,
    NoSource,
    SqliteSource,
    State,
)
from streamtrain.config.fingerprint import deciding_settings, difference, stored_form
from streamtrain.config.load import load_config, overlay
from streamtrain.config.models import Config, Examples, Feature, Model, Retry, Train
from streamtrain.config.secret import Secret, Url
from streamtrain.config.starter import starter_config

__all__ = [
    "Config",
    "Examples",
    "Feature",
    "FileTopics",
    "KafkaTopics",
    "Model",
    "MongoSource",
    "MysqlSource",
    "NoSource",
    "Retry",
    "Secret",
    "SqliteSource",
    "State",
    "Train",
    "Url",
    "deciding_settings",
    "difference",
    "load_config",
    "overlay",
    "starter_config",
    "stored_form",
]
