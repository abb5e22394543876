from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamtrain.config.document import parse
from streamtrain.errors import ConfigError


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-3", 0.001),
        ("1E6", 1e6),
        ("0.5", 0.5),
        (".5", 0.5),
        ("-3", -3),
        ("+3", 3),
        ("0", 0),
        ("true", True),
        ("false", False),
        ("null", None),
        ("~", None),
        ("'1'", "1"),
        ("010", "010"),
        ("0x1f", "0x1f"),
        ("1_000", "1_000"),
        ("12:30:00", "12:30:00"),
        ("2024-01-01", "2024-01-01"),
        ("on", "on"),
        ("no", "no"),
        ("Yes", "Yes"),
        ("True", "True"),
        (".nan", ".nan"),
        ("1.2.3", "1.2.3"),
        ("-", "-"),
    ],
)
def test_scalars_are_those_of_yaml_1_2_and_nothing_more(text: str, value: Any) -> None:
    read = parse(f"key: {text if text != '-' else repr(text)}", "file").data["key"]
    assert (read, type(read)) == (value, type(value))


@given(st.one_of(st.integers(), st.floats(allow_nan=False, allow_infinity=False)))
def test_every_number_that_python_writes_is_read_as_that_number(number: float) -> None:
    read = parse(f"key: {number!r}", "file").data["key"]
    assert (read, type(read)) == (number, type(number))


def test_the_line_of_every_key_and_element_is_known() -> None:
    lines = parse("a: 1\nb:\n  c:\n    - x\n    - y\n", "file").lines
    assert lines == {(): 1, ("a",): 1, ("b",): 2, ("b", "c"): 3, ("b", "c", 0): 4, ("b", "c", 1): 5}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a: 1\nb:\n  c: 2\n  c: 3\n", "file:4: b.c: is given twice, first on line 3"),
        ("a: 1\n'a': 2\n", "file:2: a: is given twice, first on line 1"),
        ("a:\n  1: x\n", "file:1: a: the key on line 2 is not text; write it in quotes"),
        ("true: x\n", "file:1: the key on line 1 is not text; write it in quotes"),
        ("? [a]\n: x\n", "file:1: the key on line 1 is not text; write it in quotes"),
        ("a: &x 1\nb: *x\n", r"file:2: not YAML: aliases (*name) are not supported"),
        ("a: &x [*x]\n", r"file:1: not YAML: aliases (*name) are not supported"),
        ("a: !!python/name:os.system\n", "file:1: a: has a tag; tags (!name) are not supported"),
        ("a: !mine {b: 1}\n", "file:1: a: has a tag; tags (!name) are not supported"),
        ("a: !!set {b}\n", "file:1: a: has a tag; tags (!name) are not supported"),
        ("a: !!bool yes\n", "file:1: a: is not of the type that its tag says"),
        ("a: !!int secret\n", "file:1: a: is not of the type that its tag says"),
        ("a: [1\nb: 2\n", "file:2: not YAML: expected ',' or ']', but got ':'"),
        ("a: 1\n--- \nb: 2\n", "file:2: not YAML: but found another document"),
        ("a: \x07\n", "file: not YAML: it holds a character that YAML does not allow"),
        ("a: " + "[" * 5000, "file: nested too deeply"),
    ],
)
def test_what_is_no_plain_configuration_is_refused_with_its_place(text: str, told: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse(text, "file")
    assert caught.value.message == told


def test_a_merge_key_is_a_key_like_any_other() -> None:
    assert parse("a: {<<: 1}", "file").data == {"a": {"<<": 1}}
