from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamtrain.config import Config, FileTopics, overlay
from streamtrain.errors import ConfigError
from tests.config.samples import load, smallest

BASE = Config.model_validate(smallest(model={"kind": "ftrl", "alpha": 0.1}))


def failure(*settings: str) -> str:
    with pytest.raises(ConfigError) as caught:
        overlay(BASE, settings)
    return caught.value.message


def test_no_settings_change_nothing(tmp_path: Path) -> None:
    config = load(tmp_path)
    assert overlay(config, []) == config


def test_settings_are_laid_over_and_the_rest_is_kept() -> None:
    config = overlay(
        BASE, ["train.slice=128", "train.checkpoint.every_s=2.5", "examples.features={b: numeric, a: categorical}"]
    )
    assert (config.train.slice, config.train.checkpoint.every_s, config.train.checkpoint.keep) == (128, 2.5, 50)
    assert config.examples.features != "auto"
    assert list(config.examples.features) == ["a", "b"]
    assert config.model == BASE.model
    assert BASE.train.slice == 64


@given(st.integers(1, 4096), st.integers(0, 2**63 - 1), st.floats(0.25, 0.5))
def test_a_setting_is_read_as_the_file_would_read_it(rows: int, seed: int, alpha: float) -> None:
    config = overlay(BASE, [f"train.slice={rows}", f"train.seed={seed}", f"model.alpha={alpha!r}"])
    assert (config.train.slice, config.train.seed, config.model.options["alpha"]) == (rows, seed, alpha)


def test_values_are_yaml_and_may_hold_equals_signs() -> None:
    options = overlay(
        BASE, ["model.a=true", "model.b=[1, 2.5, x]", "model.c='1'", "model.d=x=y", "model.e="]
    ).model.options
    assert options == {"a": True, "alpha": 0.1, "b": [1, 2.5, "x"], "c": "1", "d": "x=y", "e": None}


def test_an_option_below_an_option_is_made() -> None:
    assert overlay(BASE, ["model.schedule.warmup=5"]).model.options["schedule"] == {"warmup": 5}


def test_a_mapping_replaces_the_section() -> None:
    assert overlay(BASE, ["model={kind: mlp}"]).model.options == {}
    assert overlay(BASE, ["topic={kind: file, prefix: p}"]).topic.kind == "file"


def test_one_feature_of_a_mapping_is_set() -> None:
    base = overlay(BASE, ["examples.features={a: numeric}"])
    config = overlay(base, ["examples.features.b=numeric", "examples.features.a.clip=3"])
    assert config.examples.features != "auto"
    assert [(one.kind, one.options) for one in config.examples.features.values()] == [
        ("numeric", {"clip": 3}),
        ("numeric", {}),
    ]


def test_the_later_of_two_settings_wins() -> None:
    assert overlay(BASE, ["train.slice=1", "train.slice=2"]).train.slice == 2


def test_the_environment_is_not_looked_at() -> None:
    assert overlay(BASE, ["model.text='${HOME}'"]).model.options["text"] == "${HOME}"


def test_relative_paths_are_taken_from_the_working_directory_and_the_files_stay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home, elsewhere = tmp_path / "home", tmp_path / "elsewhere"
    home.mkdir()
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    config = overlay(load(home), ["topic={kind: file, prefix: p, directory: here}"])
    assert isinstance(config.topic, FileTopics)
    assert config.topic.directory == elsewhere / "here"
    assert config.state.url.path == home / "streamtrain.db"
    assert overlay(config, ["state.url=sqlite:///x.db"]).state.url.path == Path(elsewhere / "x.db")


@pytest.mark.parametrize(
    ("setting", "told"),
    [
        ("train.slcie=3", "--set: train.slcie: unknown key; did you mean slice?"),
        ("tarin.slice=3", "--set: tarin: unknown key; did you mean train?"),
        ("train.slice=0", "--set: train.slice: must be at least 1"),
        ("topic.kind=file", "--set: topic.bootstrap: belongs to kind kafka; kind is file"),
        ("examples.features.a=numeric", "--set: examples.features: has no keys below it; set it as a whole"),
        ("name.x=1", "--set: name: has no keys below it; set it as a whole"),
        ("model.alpha=[1", "--set model.alpha:1: not YAML: expected ',' or ']', but got '<stream end>'"),
        ("model.x={a: 1, a: 2}", "--set model.x:1: a: is given twice, first on line 1"),
        ("train.slice", "--set takes KEY=VALUE, where KEY is a dotted path"),
        ("=3", "--set takes KEY=VALUE, where KEY is a dotted path"),
        ("train..slice=3", "--set takes KEY=VALUE, where KEY is a dotted path"),
    ],
)
def test_a_wrong_setting_is_refused_as_in_the_file(setting: str, told: str) -> None:
    assert failure(setting) == told
