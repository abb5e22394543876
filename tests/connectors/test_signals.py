"""What is a signal, and what is none: nothing that stands in the topic may stop its reader."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.signals import parse

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.sampled_from(["", " ", "(", "a{99999999999}", "incremental"]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["data-collection", "filter"]), inner),
    max_leaves=5,
)
FIELDS = ("data-collections", "additional-conditions", "surrogate-key", "type")


def execute(**data: Any) -> bytes:
    named = {name.replace("_", "-"): value for name, value in data.items()}
    return orjson.dumps({"id": "1", "type": "execute-snapshot", "data": {"data-collections": ["a.b"], **named}})


@given(
    st.dictionaries(st.sampled_from(["id", "type", "data"]), VALUES), st.dictionaries(st.sampled_from(FIELDS), VALUES)
)
def test_whatever_stands_in_the_topic_is_a_signal_or_none(document: dict[str, Any], data: dict[str, Any]) -> None:
    parse(orjson.dumps(document))
    parse(orjson.dumps({"id": "1", "type": "execute-snapshot", "data": data}))


@pytest.mark.parametrize(
    "value",
    [
        execute(surrogate_key=5),
        execute(data_collections="a.b"),
        execute(data_collections=["a{99999999999}"]),
        execute(additional_conditions=[{"data-collection": "a.b", "filter": 5}]),
        execute(additional_conditions=[{"data-collection": "a.b"}]),
        orjson.dumps({"type": [], "data": {"data-collections": ["a.b"]}}),
        b"[" * 100_000,
    ],
)
def test_a_signal_with_a_value_of_another_type_is_none(value: bytes) -> None:
    assert parse(value) is None


def test_a_blank_column_is_none_as_for_debezium() -> None:
    signal = parse(execute(surrogate_key=" "))
    assert signal is not None
    assert signal.by is None
