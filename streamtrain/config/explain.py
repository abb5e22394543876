"""Turns pydantic's errors into what a user can act on: key path, what is wrong, the nearest valid name. Never a value."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from streamtrain.config.keys import keys, kind_of
from streamtrain.config.models import NOT_YET, TAGGED
from streamtrain.config.problem import KeyPath, Problem

_MAPPING = "must be a mapping of keys to values"
_TEXTS: Mapping[str, str] = {
    "missing": "is required",
    "string_type": "must be text; a number or true needs quotes here",
    "string_too_short": "must not be empty",
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_parsing_size": "must be a whole number of ordinary size",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number",
    "float_parsing": "must be a number",
    "finite_number": "must be a finite number",
    "path_type": "must be text: a path",
    "list_type": "must be a list",
    "dict_type": _MAPPING,
    "model_type": _MAPPING,
    "model_attributes_type": _MAPPING,
    "dataclass_type": _MAPPING,
    "greater_than": "must be more than {gt}",
    "greater_than_equal": "must be at least {ge}",
    "less_than_equal": "must be at most {le}",
    "too_short": "must hold at least {min_length}",
    "at_key": "{reason}",
    "value_error": "{error}",
}
_UNION = frozenset({"union_tag_invalid", "union_tag_not_found"})
_QUOTED = re.compile("'([^']*)'")


def explain(error: ValidationError) -> list[Problem]:
    """One problem for each of pydantic's, in the order of the models."""
    return [_problem(detail) for detail in error.errors(include_url=False)]


def _problem(detail: ErrorDetails) -> Problem:
    path, form = _read_location(detail["loc"])
    kind, context = detail["type"], detail.get("ctx", {})
    if kind == "extra_forbidden":
        return Problem(path, _unknown(_names(path[:-1]), str(path[-1]), form))
    if detail["input"] is None and kind != "missing":
        return Problem(path, "has no value: give it one, or leave the key out")
    if kind in _UNION:
        return _no_such_form(path, detail["input"])
    if kind == "literal_error":
        text = _must_be_one_of(path, detail["input"], _QUOTED.findall(str(context["expected"])))
        return Problem(path, f"{text}, or a mapping" if path in TAGGED else text)
    if kind == "at_key":
        path = (*path, *str(context["key"]).split("."))
    # A text of pydantic's own may quote the value, so a kind of error that is not listed is told without it.
    return Problem(path, _TEXTS.get(kind, "is not valid").format(**context))


def _read_location(location: Sequence[str | int]) -> tuple[KeyPath, str | None]:
    """The key path, and which of several forms its section has, if it has."""
    path: KeyPath = ()
    form: str | None = None
    steps = iter(location)
    for step in steps:
        path = (*path, step)
        if path in TAGGED:
            form = str(next(steps, "")) or None
    return path, form


def _no_such_form(path: KeyPath, given: Mapping[str, Any]) -> Problem:
    kinds = list(dict.fromkeys(kind for found in _children(_names(path)).values() for kind in found if kind))
    path = (*path, "kind")
    if "kind" not in given:
        return Problem(path, f"is required: one of {', '.join(kinds)}")
    return Problem(path, _must_be_one_of(path, given["kind"], kinds))


def _must_be_one_of(path: KeyPath, given: object, valid: Sequence[str]) -> str:
    if not isinstance(given, str):
        given = ""
    if re.fullmatch(NOT_YET.get(_names(path), "(?!)"), given):
        return f"is not available in this version; available: {', '.join(valid)}"
    if len(valid) == 1:
        return f"must be {valid[0]}"
    nearest = get_close_matches(given, valid, 1)
    return f"must be one of {', '.join(valid)}" + (f"; did you mean {nearest[0]}?" if nearest else "")


def _unknown(parent: tuple[str, ...], name: str, form: str | None) -> str:
    children = _children(parent)
    if name in children:
        *others, last = filter(None, children[name])
        kinds = f"{', '.join(others)} and {last}" if others else last
        return f"belongs to kind {kinds}; kind is {form}"
    valid = [child for child, kinds in children.items() if form in kinds or form is None]
    elsewhere = [key.path for key in keys() if key.name == name]
    nearest = get_close_matches(name, valid, 1) or elsewhere[:1]
    if nearest:
        return f"unknown key; did you mean {nearest[0]}?"
    return f"unknown key; the keys here are {', '.join(valid)}"


def _children(parent: tuple[str, ...]) -> dict[str, list[str | None]]:
    """The keys of a section, each with the kinds of that section that have it."""
    children: dict[str, list[str | None]] = {}
    for key in keys():
        steps = tuple(key.path.split("."))
        if steps[: len(parent)] == parent and len(steps) > len(parent):
            children.setdefault(steps[len(parent)], []).append(kind_of(key.section))
    return children


def _names(path: KeyPath) -> tuple[str, ...]:
    return tuple(step for step in path if isinstance(step, str))
