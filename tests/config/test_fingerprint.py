import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamtrain.config import Config, deciding_settings, difference, overlay
from streamtrain.config.fingerprint import DECIDES, DOES_NOT_DECIDE
from streamtrain.config.keys import keys
from tests.config.samples import smallest

FILE = {"kind": "file", "prefix": "shop"}
BASE = Config.model_validate(smallest(model={"kind": "ftrl", "alpha": 0.1}))
ON_FILES = Config.model_validate(smallest(topic=FILE))

# A value for each key that differs from what BASE has: of the keys that decide, then of those that do not.
DECIDING = {
    "topic.prefix": "other",
    "examples.from": "shop.orders",
    "examples.label": "bought",
    "examples.task": "regression",
    "examples.classes": None,  # alone it cannot change: see the test of multiclass
    "examples.features": "{price: numeric}",
    "examples.hash_bits": 12,
    "model.kind": "mlp",
    "model.*": None,  # see the tests of options
    "train.slice": 32,
    "train.seed": 1,
    "train.threads": 2,
    "train.device": None,  # auto and cpu are one device in this version
    "train.metrics_window": 500,
}
INDIFFERENT = {
    "name": "other",
    "source.kind": None,  # see the test of another source
    "source.url": "mysql://other:secret@elsewhere:3307",
    "source.tls.mode": "required",
    "source.tls.ca": "elsewhere.pem",
    "source.tls.cert": "elsewhere.pem",
    "source.tls.key": None,  # only with a certificate
    "source.include": "['shop.*']",
    "source.exclude": "['shop.others']",
    "source.column_exclude_list": "['shop.*.secret']",
    "source.column_include_list": "['shop.*.*']",
    "source.column_mask_with_chars": "{shop.events.secret: 3}",
    "source.column_truncate_to_chars": "{shop.events.secret: 3}",
    "source.column_mask_hash_v2.columns": None,  # only with a salt
    "source.column_mask_hash_v2.salt": None,
    "source.column_mask_hash_v2.algorithm": None,
    "source.message_key_columns": "{shop.events: [at]}",
    "source.skip_messages_without_change": True,
    "source.skipped_operations": "[t]",
    "source.tombstones_on_delete": False,
    "source.max_record_bytes": 9,
    "source.snapshot": "no_data",
    "source.include_schema_changes": False,
    "source.server_id": 9,
    "source.signals": True,
    "source.snapshot_keys": {"shop.events": "at"},
    "source.snapshot_sessions": 3,
    "source.after": "lookup",
    "source.store": "elsewhere.db",
    "source.large_events": "dead_letter",
    "source.rows": "{shop.events: [price, user.id]}",
    "source.decimal_handling_mode": "double",
    "source.bigint_unsigned_handling_mode": "long",
    "source.binary_handling_mode": "hex",
    "source.time_precision_mode": "connect",
    "source.transaction_metadata": True,
    "source.include_query": True,
    "source.commit_ms": 10,
    "source.commit_rows": 10,
    "source.heartbeat_ms": 1000,
    "topic.kind": None,  # see the test of another source
    "topic.bootstrap": "elsewhere:9092",
    "topic.security": "{sasl.password: x}",
    "topic.directory": "elsewhere",
    "topic.format": "json_with_schemas",
    "topic.registry.url": "[http://elsewhere:8081]",
    "topic.registry.user": None,  # only with a password
    "topic.registry.password": None,
    "topic.registry.token": None,  # only with a URL
    "topic.registry.ca": None,
    "topic.registry.subjects": None,
    "topic.partitions": 3,
    "topic.replication": 3,
    "state.url": "mysql://a:b@c/d",
    "state.tls.mode": "required",
    "state.tls.ca": "elsewhere.pem",
    "state.tls.cert": "elsewhere.pem",
    "state.tls.key": None,  # only with a certificate
    "train.max_wait_ms": 5,
    "train.checkpoint.every_slices": 5,
    "train.checkpoint.every_s": 5,
    "train.checkpoint.keep": 5,
    "retry.initial_s": 1,
    "retry.max_s": 60,
    "retry.deadline_s": 60,
}


MONGOS_OWN = ("source.after", "source.store", "source.large_events", "source.rows")
ON_MONGO = overlay(BASE, ["source={kind: mongo, url: 'mongodb://h/', include: [shop.events]}"])


def changed(key: str, value: Any) -> list[str]:
    bases = {"topic.directory": ON_FILES} | dict.fromkeys(MONGOS_OWN, ON_MONGO)
    base = bases.get(key, BASE)
    also = ["source.include=['shop.*']"] if key == "examples.from" else []
    return difference(deciding_settings(base), deciding_settings(overlay(base, [*also, f"{key}={value}"])))


def test_every_key_is_listed_as_deciding_or_as_not_deciding_and_none_as_both() -> None:
    assert {key.path for key in keys()} == DECIDES | DOES_NOT_DECIDE
    assert not DECIDES & DOES_NOT_DECIDE


def test_every_key_is_tried_below() -> None:
    assert set(DECIDING) == DECIDES
    assert set(INDIFFERENT) == DOES_NOT_DECIDE


@pytest.mark.parametrize(("key", "value"), [item for item in DECIDING.items() if item[1] is not None])
def test_a_key_that_decides_shows_as_a_difference(key: str, value: Any) -> None:
    assert [line.partition(":")[0] for line in changed(key, value) if line.startswith(key)]
    assert all(line.startswith(key) for line in changed(key, value))


@pytest.mark.parametrize(("key", "value"), [item for item in INDIFFERENT.items() if item[1] is not None])
def test_a_key_that_does_not_decide_shows_no_difference(key: str, value: Any) -> None:
    assert changed(key, value) == []


def test_the_settings_of_the_smallest_configuration_are_these() -> None:
    assert deciding_settings(BASE) == {
        "examples.classes": None,
        "examples.features": "auto",
        "examples.from": "shop.events",
        "examples.hash_bits": 18,
        "examples.label": "clicked",
        "examples.task": "binary",
        "model.alpha": 0.1,
        "model.kind": "ftrl",
        "topic.prefix": "shop",
        "train.device": "cpu",
        "train.metrics_window": 10_000,
        "train.seed": 0,
        "train.slice": 64,
        "train.threads": 1,
    }


def test_another_source_and_another_kind_of_topic_decide_nothing() -> None:
    other = Config.model_validate(smallest(source={"kind": "none"}, topic=FILE, model={"kind": "ftrl", "alpha": 0.1}))
    assert difference(deciding_settings(BASE), deciding_settings(other)) == []


def test_the_order_in_which_features_and_options_are_written_decides_nothing() -> None:
    written = [
        "examples.features={b: numeric, a: {kind: text, y: {d: 1, c: 2}, x: 1}}",
        "examples.features={a: {x: 1, y: {c: 2, d: 1}, kind: text}, b: {kind: numeric}}",
    ]
    one, other = (json.dumps(deciding_settings(overlay(BASE, [setting]))) for setting in written)
    assert one == other


def test_the_order_of_classes_decides() -> None:
    multiclass = [
        deciding_settings(overlay(BASE, ["examples.task=multiclass", f"examples.classes={classes}"]))
        for classes in ("[a, b]", "[b, a]")
    ]
    assert difference(*multiclass) == ['examples.classes: ["a", "b"] -> ["b", "a"]']


def test_a_device_of_auto_is_the_device_that_it_stands_for() -> None:
    assert changed("train.device", "cpu") == []
    assert deciding_settings(BASE)["train.device"] == "cpu"


def test_features_and_options_are_told_one_by_one() -> None:
    old = deciding_settings(
        overlay(BASE, ["examples.features={price: numeric, title: {kind: text, tokenizer: jieba}}"])
    )
    new = deciding_settings(overlay(BASE, ["examples.features={price: categorical, title: text}", "model.beta=1"]))
    assert difference(old, new) == [
        'examples.features.price.kind: "numeric" -> "categorical"',
        'examples.features.title.tokenizer: "jieba" -> (not set)',
        "model.beta: (not set) -> 1",
    ]


def test_columns_whose_names_hold_dots_never_share_a_key() -> None:
    one = overlay(BASE, ["examples.features={a.b: {kind: x, c: 1}, a: {kind: x, b.c: 2}}"])
    settings = deciding_settings(one)
    assert [key for key in settings if key.startswith("examples.features")] == [
        'examples.features."a.b".c',
        'examples.features."a.b".kind',
        'examples.features.a."b.c"',
        "examples.features.a.kind",
    ]


@pytest.mark.parametrize(("old", "new"), [(1, True), (0, False), (1, 1.0), ("1", 1), (None, "null")])
def test_values_that_python_takes_for_equal_are_told_apart(old: Any, new: Any) -> None:
    assert len(difference({"model.x": old}, {"model.x": new})) == 1
    assert difference({"model.x": old}, {"model.x": old}) == []


def test_nothing_set_is_told_apart_from_null() -> None:
    assert difference({}, {"model.x": None}) == ["model.x: (not set) -> null"]


values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.text(min_size=1).filter(lambda name: name != "kind"), values, max_size=4))
def test_settings_survive_json_and_give_every_option_its_own_key(options: dict[str, Any]) -> None:
    settings = deciding_settings(Config.model_validate(smallest(model={"kind": "ftrl", **options})))
    assert len([key for key in settings if key.startswith("model.")]) == len(options) + 1
    assert difference(settings, json.loads(json.dumps(settings))) == []


def test_no_secret_is_among_the_settings() -> None:
    assert "Tr0ub4dor" not in json.dumps(deciding_settings(BASE))
