from __future__ import annotations

from typing import Any

import pytest

from streamtrain.errors import ConfigError
from streamtrain.features.spec import FeatureSpec, parse_features


def test_a_kind_alone_and_a_kind_with_options_are_read_in_order() -> None:
    assert parse_features({"user": "categorical", "price": {"kind": "numeric", "log": True}}) == (
        FeatureSpec("user", "categorical", {"values": None}),
        FeatureSpec("price", "numeric", {"standardize": True, "log": True}),
    )


@pytest.mark.parametrize(
    ("given", "message", "hint"),
    [
        ("numric", "examples.features.price: unknown kind 'numric'", "did you mean 'numeric'?"),
        ("zzz", "examples.features.price: unknown kind 'zzz'", "valid: boolean, categorical, datetime, numeric"),
        (
            {"kind": "numeric", "standardise": True},
            "examples.features.price: unknown option 'standardise'",
            "did you mean 'standardize'?",
        ),
        ({"kind": "boolean", "log": True}, "examples.features.price: unknown option 'log'", "there is no option"),
        ({"kind": "numeric", "log": 1}, "examples.features.price.log: must be true or false, not 1", ""),
        (
            {"kind": "datetime", "unit": "hours"},
            "examples.features.price.unit: must be one of auto, days, s, ms, us, ns, not 'hours'",
            "",
        ),
        ({"kind": "categorical", "values": []}, "examples.features.price.values: must be a list of texts", ""),
        ({"kind": "categorical", "values": [1.5]}, "examples.features.price.values: must be a list of texts", ""),
        ({"log": True}, "examples.features.price: must be a kind", "valid kinds: boolean"),
        (7, "examples.features.price: must be a kind", ""),
    ],
)
def test_what_is_not_known_is_refused_with_its_path_and_the_way_out(given: Any, message: str, hint: str) -> None:
    with pytest.raises(ConfigError) as refused:
        parse_features({"price": given})
    assert message in refused.value.message
    assert hint in refused.value.hint


def test_no_features_at_all_are_refused() -> None:
    with pytest.raises(ConfigError, match="no features"):
        parse_features({})
