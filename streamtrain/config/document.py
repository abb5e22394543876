"""Reads YAML into plain values, keeping the line of every key. The one module that imports yaml.

Scalars are read as YAML 1.2 reads them: ``1e-3`` is a number; ``on``, ``off``, ``yes``, ``no``, ``12:30``, ``010`` and
``2024-01-01`` are text, where YAML 1.1 makes truth values, base-60 and octal numbers and dates of them.
Format: https://yaml.org/spec/1.2.2/#103-core-schema (of which hexadecimal and octal numbers, ``.inf`` and ``.nan`` are
left out). Aliases and tags are refused: a configuration has no need of them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from streamtrain.config.problem import KeyPath, Problem, refusal
from streamtrain.errors import ConfigError

_TAG = "tag:yaml.org,2002:"
_SCALARS: Mapping[str, Callable[[str], Any]] = {
    _TAG + "null": {"": None, "~": None, "null": None}.__getitem__,
    _TAG + "bool": {"true": True, "false": False}.__getitem__,
    _TAG + "int": int,
    _TAG + "float": float,
    _TAG + "str": str,
}


@dataclass(frozen=True, slots=True)
class Document:
    """The values of a file, and the line (from 1) on which each key or list element begins."""

    data: Any
    lines: Mapping[KeyPath, int]


def parse(text: str, where: str) -> Document:
    """Read one YAML document. Raises ConfigError naming ``where`` and line; the text itself is never quoted."""
    node = _composed(text, where)
    reader = _Reader()
    data = None if node is None else reader.value(node, ())
    if reader.problems:
        raise refusal(where, reader.problems, reader.lines)
    return Document(data, reader.lines)


class _Loader(yaml.SafeLoader):
    """Resolves plain scalars by the table below alone, and refuses aliases."""

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012  PyYAML declares and fills it so

    def compose_node(self, parent: Node | None, index: Any) -> Node | None:
        if self.check_event(yaml.AliasEvent):
            mark = self.peek_event().start_mark  # type: ignore[no-untyped-call]
            raise yaml.MarkedYAMLError(problem="aliases (*name) are not supported", problem_mark=mark)
        return super().compose_node(parent, index)


_Loader.add_implicit_resolver(_TAG + "null", re.compile(r"(?:~|null|)\Z"), ["~", "n", ""])
_Loader.add_implicit_resolver(_TAG + "bool", re.compile(r"(?:true|false)\Z"), ["t", "f"])
# Python reads whole numbers of up to 4,300 digits; longer ones fall to the next rule.
_Loader.add_implicit_resolver(_TAG + "int", re.compile(r"[-+]?(?:0|[1-9][0-9]{0,4000})\Z"), list("-+0123456789"))
_Loader.add_implicit_resolver(
    _TAG + "float",
    re.compile(r"[-+]?(?:(?:0|[1-9][0-9]*)(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]+)?\Z"),
    list("-+.0123456789"),
)


def _composed(text: str, where: str) -> Node | None:
    try:
        return yaml.compose(text, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        line = f":{error.problem_mark.line + 1}" if error.problem_mark else ""
        raise ConfigError(f"{where}{line}: not YAML: {error.problem}") from None
    except yaml.YAMLError:
        raise ConfigError(f"{where}: not YAML: it holds a character that YAML does not allow") from None
    except RecursionError:
        raise ConfigError(f"{where}: nested too deeply") from None


class _Reader:
    """Makes plain values of nodes, collecting problems and lines on the way."""

    def __init__(self) -> None:
        self.lines: dict[KeyPath, int] = {}
        self.problems: list[Problem] = []

    def value(self, node: Node, path: KeyPath) -> Any:
        """The value of one node; None where there is a problem."""
        self.lines.setdefault(path, node.start_mark.line + 1)
        if isinstance(node, MappingNode) and node.tag == _TAG + "map":
            return self._mapping(node, path)
        if isinstance(node, SequenceNode) and node.tag == _TAG + "seq":
            return [self.value(element, (*path, index)) for index, element in enumerate(node.value)]
        if isinstance(node, ScalarNode) and node.tag in _SCALARS:
            try:
                return _SCALARS[node.tag](node.value)
            except (KeyError, ValueError):
                return self._wrong(path, "is not of the type that its tag says")
        return self._wrong(path, "has a tag; tags (!name) are not supported")

    def _mapping(self, node: MappingNode, path: KeyPath) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key_node, value_node in node.value:
            if not isinstance(key_node, ScalarNode) or key_node.tag != _TAG + "str":
                self._wrong(path, f"the key on line {key_node.start_mark.line + 1} is not text; write it in quotes")
                continue
            key = key_node.value
            here = (*path, key)
            if key in found:
                self._wrong(here, f"is given twice, first on line {self.lines[here]}")
            self.lines[here] = key_node.start_mark.line + 1
            found[key] = self.value(value_node, here)
        return found

    def _wrong(self, path: KeyPath, text: str) -> None:
        self.problems.append(Problem(path, text))
