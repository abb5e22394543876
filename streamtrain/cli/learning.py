"""Configuration -> the parts that learn. Apart from ``build``, because these load torch, which a connector needs not."""

from __future__ import annotations

import time
from typing import Any

import torch

from streamtrain.cli.build import wall_ms
from streamtrain.config.fingerprint import deciding_settings
from streamtrain.config.models import Config
from streamtrain.errors import ConfigError
from streamtrain.features.labels import LabelSpec
from streamtrain.features.spec import parse_features
from streamtrain.learner import LearnerSpec
from streamtrain.trainer.worker import Clocks, WorkerSettings


def worker_clocks() -> Clocks:
    """Real time, for the worker."""
    return Clocks(time.monotonic, wall_ms)


def worker_settings(config: Config) -> WorkerSettings:
    """How the training loop goes."""
    train = config.train
    return WorkerSettings(
        topic=config.topic_name,
        slice_size=train.slice,
        max_wait_s=train.max_wait_ms / 1000,
        every_slices=train.checkpoint.every_slices,
        every_s=train.checkpoint.every_s,
    )


def learner_spec(config: Config) -> tuple[LearnerSpec, dict[str, Any]]:
    """What decides the weights, as the learner takes it and as it is stored. Takes a ``resolved`` configuration."""
    part = config.examples
    if part.features == "auto":
        raise ConfigError("examples.features must be resolved first")
    mapping = {name: {"kind": feature.kind, **feature.options} for name, feature in part.features.items()}
    spec = LearnerSpec(
        label=LabelSpec(part.label, part.task, tuple(part.classes or ())),
        features=parse_features(mapping),
        hash_bits=part.hash_bits,
        model=config.model.kind,
        model_options=config.model.options,
        metrics_window=config.train.metrics_window,
        seed=config.train.seed,
    )
    return spec, deciding_settings(config)


def pin_threads(config: Config) -> None:
    """Fix what the last bits of a sum depend on, for this process."""
    torch.set_num_threads(config.train.threads)
    torch.use_deterministic_algorithms(True)
