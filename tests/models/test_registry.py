from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from streamtrain.errors import ConfigError
from streamtrain.features.labels import Task
from streamtrain.models.base import Model
from streamtrain.models.registry import NAMES, build
from tests.models.streams import mixed_rows, shape

OWN = "tests.models.own_models"


@pytest.mark.parametrize("name", NAMES)
def test_every_registered_model_can_be_built_with_its_defaults(name: str) -> None:
    model = build(name, {}, shape("binary"))
    assert isinstance(model, Model)
    assert model.predict(mixed_rows("binary", 3)[0]).shape == (3, 1)


@pytest.mark.parametrize(
    ("kind", "options", "message", "hint"),
    [
        ("logstic", {}, "model.kind: unknown model 'logstic'", "did you mean 'logistic'? valid: ftrl, logistic, mlp"),
        ("ftrl", {"alhpa": 1}, "model: unknown option 'alhpa'", "did you mean 'alpha'?"),
        ("ftrl", {"alpha": 0}, "model.alpha: must be a number above 0, not 0", ""),
        ("ftrl", {"beta": 0}, "model.beta: must be a number above 0", ""),
        ("ftrl", {"l1": -1.0}, "model.l1: must be a number, 0 or above, not -1.0", ""),
        ("logistic", {"learning_rate": True}, "model.learning_rate: must be a number above 0, not True", ""),
        ("logistic", {"learning_rate": float("inf")}, "model.learning_rate: must be", ""),
        ("mlp", {"hidden": 1.5}, "model.hidden: must be a whole number", ""),
        (f"{OWN}:wdie", {}, "model.kind: unknown function 'wdie'", "did you mean 'wide'?"),
        (f"{OWN}:NOT_A_FUNCTION", {}, "model.kind: unknown function", ""),
        ("no.such:thing", {}, "model.kind: cannot import 'no.such'", "PYTHONPATH"),
        (f"{OWN}:wide", {"witdh": 3}, "model: unknown option 'witdh'", "did you mean 'width'?"),
        (f"{OWN}:wide", {"learning_rate": -1}, "model.learning_rate: must be a number above 0", ""),
        (f"{OWN}:needs_depth", {}, "missing a required argument: 'depth'", ""),
        (f"{OWN}:nothing", {}, "returned a NoneType", "torch.nn.Module"),
        (f"{OWN}:ready_made", {"learning_rate": 0.1}, "unknown option 'learning_rate'", ""),
        (f"{OWN}:fixed", {}, "no parameters", ""),
        (f"{OWN}:half", {}, "is torch.bfloat16", "float32"),
    ],
)
def test_what_cannot_be_built_is_refused_with_the_way_out(
    kind: str, options: dict[str, Any], message: str, hint: str
) -> None:
    with pytest.raises(ConfigError) as refused:
        build(kind, options, shape("binary"))
    assert message in refused.value.message
    assert hint in refused.value.hint


@pytest.mark.parametrize(
    ("kind", "task", "able"), [("logistic", "regression", "ftrl, mlp"), ("ftrl", "multiclass", "logistic, mlp")]
)
def test_a_task_that_a_model_cannot_do_names_those_that_can(kind: str, task: Task, able: str) -> None:
    with pytest.raises(ConfigError, match=f"'{kind}' cannot do {task}") as refused:
        build(kind, {}, shape(task))
    assert refused.value.hint == f"models that can: {able}"


def test_options_go_to_the_function_and_those_of_training_to_the_trainer() -> None:
    model = build(f"{OWN}:wide", {"width": 5, "learning_rate": 0.5}, shape("binary"))
    assert model.state()["weights/module/out.weight"].shape == (1, 5)
    features, labels = mixed_rows("binary", 4)
    before = model.state()["weights/module/out.bias"]
    model.learn(features, labels, np.ones(4, np.float32))
    assert np.abs(model.state()["weights/module/out.bias"] - before) == pytest.approx(0.5, rel=1e-3)


def test_a_function_may_take_any_option_and_may_return_a_model() -> None:
    assert build(f"{OWN}:anything", {"width": 3}, shape("binary")).state()["weights/module/bag.weight"].shape[1] == 3
    assert "optimizer/z/hashed" in build(f"{OWN}:ready_made", {"alpha": 0.5}, shape("binary")).state()


def test_building_and_training_leave_the_global_generator_alone() -> None:
    torch.manual_seed(1)
    before = torch.get_rng_state()
    for kind in (*NAMES, f"{OWN}:wide"):
        model = build(kind, {}, shape("binary"))
        features, labels = mixed_rows("binary", 8)
        model.learn(features, labels, np.ones(8, np.float32))
        model.predict(features)
    assert torch.equal(torch.get_rng_state(), before)


def test_linear_models_features_and_metrics_do_not_load_torch() -> None:
    code = (
        "import sys; from streamtrain.models.registry import build; from streamtrain.models.base import ModelShape\n"
        "import streamtrain.features.encoder, streamtrain.features.labels, streamtrain.metrics.prequential\n"
        "[build(kind, {}, ModelShape(1, 0, 1, 'binary', 1, 0)) for kind in ('logistic', 'ftrl')]; print('torch' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=Path(__file__).parents[2]
    )
    assert done.stdout.strip() == "False"
