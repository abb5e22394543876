import math
from typing import Any

import pytest
from pydantic import ValidationError

from streamtrain.config import Config
from streamtrain.config.explain import explain
from streamtrain.config.problem import dotted
from tests.config.samples import smallest

EXAMPLES = {"from": "shop.events", "label": "clicked"}
MYSQL = {"kind": "mysql", "url": "mysql://u:p@h:3306", "include": ["shop.events"]}
SOURCE: dict[str, Any] = {"kind": "mysql", "url": "mysql://a:b@c", "include": ["shop.events"]}
MONGO: dict[str, Any] = {"kind": "mongo", "url": "mongodb://h/", "include": ["shop.events"]}
KAFKA = {"kind": "kafka", "bootstrap": "h:1", "prefix": "p"}
COMPLETE: dict[str, dict[str, Any]] = {"source": MYSQL, "topic": KAFKA, "examples": EXAMPLES}


def problems(**sections: Any) -> list[str]:
    with pytest.raises(ValidationError) as caught:
        Config.model_validate(smallest(**sections))
    return [f"{dotted(problem.path)}: {problem.text}" for problem in explain(caught.value)]


@pytest.mark.parametrize(
    ("sections", "told"),
    [
        ({"nmae": "x"}, "nmae: unknown key; did you mean name?"),
        ({"slice": 3}, "slice: unknown key; did you mean train.slice?"),
        (
            {"zzz": 3},
            "zzz: unknown key; the keys here are name, source, topic, state, examples, model, train, retry",
        ),
        ({"source": MYSQL | {"urll": "x"}}, "source.urll: unknown key; did you mean url?"),
        ({"train": {"checkpoint": {"every": 3}}}, "train.checkpoint.every: unknown key; did you mean every_s?"),
        ({"source": {"kind": "none", "url": "x"}}, "source.url: belongs to kind mysql, mongo and sqlite; kind is none"),
        (
            {"topic": {"kind": "file", "prefix": "p", "bootstrap": "h:1"}},
            "topic.bootstrap: belongs to kind kafka; kind is file",
        ),
        ({"topic": KAFKA | {"directory": "d"}}, "topic.directory: belongs to kind file; kind is kafka"),
        ({"topic": KAFKA | {"prefx": "d"}}, "topic.prefx: unknown key; did you mean prefix?"),
        ({"source": {"url": "x"}}, "source.kind: is required: one of mysql, mongo, sqlite, none"),
        (
            {"source": {"kind": "mango"}},
            "source.kind: must be one of mysql, mongo, sqlite, none; did you mean mongo?",
        ),
        ({"source": {"kind": "mysq"}}, "source.kind: must be one of mysql, mongo, sqlite, none; did you mean mysql?"),
        ({"source": {"kind": 3}}, "source.kind: must be one of mysql, mongo, sqlite, none"),
        ({"source": "mysql"}, "source: must be a mapping of keys to values"),
        (
            {"source": MONGO | {"rows": {"shop.event": ["price"]}}},
            "source.rows: names shop.event, which no pattern of source.include matches",
        ),
        ({"topic": {"prefix": "p"}}, "topic.kind: is required: one of kafka, file"),
        ({"topic": KAFKA | {"format": "avro"}}, "topic.registry: is required where topic.format is avro"),
        ({"topic": KAFKA | {"format": "xml"}}, "topic.format: must be one of json, json_with_schemas, avro"),
        (
            {"topic": KAFKA | {"registry": "http://a:b@c"}},
            "topic.registry.url[0]: must not hold the login: set topic.registry.user and topic.registry.password",
        ),
        (
            {"source": SOURCE | {"column_exclude_list": ["shop.email"]}},
            "source.column_exclude_list[0]: must be DATABASE.TABLE.COLUMN; shell wildcards may stand in all three",
        ),
        (
            {"source": SOURCE | {"exclude": ["shop.*"]}},
            "source.exclude: matches the table of examples.from, so nothing would ever be learned",
        ),
        (
            {"source": SOURCE | {"include_query": True, "column_mask_with_chars": {"shop.events.a": 3}}},
            "source.include_query: would show in statements what is left out, masked, hashed or cut",
        ),
        *(
            (
                {"source": SOURCE | {"transaction_metadata": True} | shaped},
                (
                    "source.transaction_metadata: numbers the changes as the log has them, and cannot be together with "
                    "skip_messages_without_change, message_key_columns, or skipped_operations of rows"
                ),
            )
            for shaped in (
                {"skip_messages_without_change": True},
                {"message_key_columns": {"shop.events": ["a"]}},
                {"skipped_operations": ["t", "d"]},
            )
        ),
        (
            {"topic": KAFKA | {"registry": "kafka://c"}},
            "topic.registry.url[0]: must be http://HOST:PORT or https://HOST:PORT",
        ),
        (
            {"topic": KAFKA | {"registry": {"url": "http://c", "token": "t", "user": "u", "password": "p"}}},
            "topic.registry.token: is instead of user and password, which are set too",
        ),
        (
            {"topic": KAFKA | {"registry": {"url": "http://c", "user": "u"}}},
            "topic.registry.user: and password go together",
        ),
        ({"train": {"device": "cuda:1"}}, "train.device: is not available in this version; available: auto, cpu"),
        ({"train": {"device": "gpu"}}, "train.device: must be one of auto, cpu; did you mean cpu?"),
        ({"train": 3}, "train: must be a mapping of keys to values"),
        ({"topic": KAFKA | {"security": None}}, "topic.security: has no value: give it one, or leave the key out"),
        ({"topic": KAFKA | {"security": "x"}}, "topic.security: must be a mapping of keys to values"),
    ],
)
def test_a_wrong_key_or_choice_is_told_with_its_path_and_the_nearest_valid_name(
    sections: dict[str, Any], told: str
) -> None:
    assert problems(**sections) == [told]


@pytest.mark.parametrize(
    ("section", "key", "values"),
    [
        ("source", "include", ["shop.events", [], [3], ["events"], [".x"], ["x."]]),
        ("source", "snapshot", ["never", 3, None]),
        ("source", "commit_ms", [0, 60_001, 1.5, True, "x"]),
        ("source", "commit_rows", [0, 1_000_001]),
        ("source", "server_id", [0, 2**32, True, "x"]),
        ("source", "url", [3, "http://h", "mysql://h/db", "mysql://h?ssl=1", "sqlite:///a.db", "mysql://u:p@h:x"]),
        ("topic", "bootstrap", ["h", "h:", ":1", "h:0", "h:65536", "h:1,", "h:1;h:2", "http://h:1", 3]),
        ("topic", "prefix", ["", ".", "-a", "a b", "a/b", "ä", "a" * 129, 3]),
        ("topic", "partitions", [0, 10_001, True]),
        ("topic", "replication", [0, 101]),
        (
            "topic",
            "security",
            [{"group.id": "x"}, {"isolation.level": "x"}, {"sasl.password": [1]}, {"sasl.password": 1.5}],
        ),
        ("examples", "from", ["events", "shop.*", "shop.event?", ".x", "x.", 3]),
        ("examples", "label", ["", 3, None]),
        ("examples", "task", ["ordinal", 3]),
        (
            "examples",
            "features",
            ["all", {}, {"a": 3}, {"a": {}}, {"a": {"kind": 3}}, {"a": {"kind": ""}}, {"a": None}],
        ),
        ("examples", "hash_bits", [0, 29, True]),
        ("state", "url", ["mysql://h:3306", "mongodb://h:1,i:2/?replicaSet=r", "http://h/state", "streamtrain.db", 3]),
        ("model", "kind", ["", "Logistic", "a.b", "a:b:c", "a b", 3]),
        ("model", "alpha", [math.inf, math.nan, 2**63, b"x", [math.nan], {"a": {"b": math.inf}}]),
        ("train", "slice", [0, 4097, True, 1.5, "x", None]),
        ("train", "max_wait_ms", [0, 3_600_001]),
        ("train", "seed", [-1, 2**63]),
        ("train", "threads", [0, 1025]),
        ("train", "metrics_window", [0, 1_000_001]),
        ("train", "checkpoint", [3, {"every_slices": 0}, {"every_s": 0}, {"every_s": True}, {"keep": 1}]),
        ("retry", "initial_s", [0, -1, math.nan, "x", True]),
        ("retry", "max_s", [0, 3601, math.inf]),
        ("retry", "deadline_s", [0, math.inf, True]),
    ],
)
def test_a_value_outside_its_limits_is_refused_at_its_key(section: str, key: str, values: list[Any]) -> None:
    whole = COMPLETE.get(section, {})
    for value in values:
        told = problems(**{section: whole | {key: value}})
        assert len(told) == 1, (value, told)
        assert told[0].startswith(f"{section}.{key}"), (value, told)
        assert "not valid" not in told[0], (value, told)


@pytest.mark.parametrize(
    ("section", "accepted"),
    [
        ("source", {"include": ["*.*", "shop.ev[ae]nts"], "commit_ms": 60_000, "server_id": "4294967295"}),
        ("topic", {"bootstrap": "a-1.b_c:9092, [::1]:9093", "prefix": "_a.b-c", "partitions": "3"}),
        ("topic", {"security": {"ssl.ca.location": "/x", "sasl.oauthbearer.scope": "s", "enable.ssl.certificate.verification": True}}),
        ("examples", {"task": "regression", "hash_bits": 28, "features": {"a.b": "numeric", "on": {"kind": "x", "y": None}}}),
        ("examples", {"task": "multiclass", "classes": [1, "1", "a"]}),
        ("model", {"kind": "a.b.C_1:make", "alpha": 1e-3, "nested": {"x": [1, 2.5, None, True, "s"]}}),
        ("train", {"slice": "4096", "seed": 2**63 - 1, "device": "auto"}),
        ("retry", {"initial_s": "0.25", "deadline_s": None}),
    ],
)  # fmt: skip
def test_values_at_their_limits_are_taken(section: str, accepted: dict[str, Any]) -> None:
    whole = COMPLETE.get(section, {})
    Config.model_validate(smallest(**{section: whole | accepted}))


@pytest.mark.parametrize(
    ("examples", "told"),
    [
        (
            {"task": "multiclass"},
            "examples.classes: is required where task is multiclass: the list of the label's values",
        ),
        ({"classes": ["a", "b"]}, "examples.classes: belongs to task multiclass; task is binary"),
        (
            {"features": {"clicked": "numeric"}},
            "examples.features: holds the label itself; a model must not be given what it is to predict",
        ),
        (
            {"task": "multiclass", "classes": ["a", True]},
            "examples.classes: must hold text or whole numbers only; put quotes around true, false and null",
        ),
        (
            {"task": "multiclass", "classes": ["a", "a"]},
            "examples.classes: must hold at least two values, none of them twice",
        ),
        (
            {"from": "shop.orders"},
            "examples.from: is matched by no pattern of source.include, so nothing would ever be learned",
        ),
    ],
)
def test_examples_must_hang_together(examples: dict[str, Any], told: str) -> None:
    assert problems(examples=EXAMPLES | examples) == [told]


def test_a_source_of_sqlite_takes_no_url_of_a_server() -> None:
    source = {"kind": "sqlite", "url": "mysql://u:p@h:3306", "include": ["shop.events"]}
    assert problems(source=source) == ["source.url: must be sqlite:///FILE where source.kind is sqlite"]


def test_the_longest_pause_is_no_shorter_than_the_first() -> None:
    assert problems(retry={"initial_s": 2, "max_s": 1}) == ["retry.max_s: must be at least retry.initial_s"]


@pytest.mark.parametrize("key", ["name", "source", "topic", "examples"])
def test_what_has_no_sensible_default_is_required(key: str) -> None:
    assert problems(**{key: None}) == [f"{key}: is required"]


def test_a_configuration_cannot_be_changed() -> None:
    config = Config.model_validate(smallest())
    with pytest.raises(ValidationError):
        config.train.slice = 3
    with pytest.raises(ValidationError):
        config.model.alpha = 3  # type: ignore[attr-defined]


def test_wildcards_of_include_tell_upper_from_lower_case() -> None:
    assert problems(source=MYSQL | {"include": ["SHOP.*"]})[0].startswith("examples.from")
