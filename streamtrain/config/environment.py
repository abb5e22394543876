"""``${NAME}``, ``${NAME:-default}`` and ``${file:/PATH}`` in the text values of a configuration."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

from streamtrain.config.problem import KeyPath, Problem

_REFERENCE = re.compile(
    r"(?P<escaped>\$\$\{)"
    r"|\$\{(?:file:(?P<file>/[^{}]+)\}|(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?P<default>:-[^{}]*)?\})?"
)
_LONGEST_FILE = 65_536
# What stands before a user or a password in a URL: scheme://  or  scheme://user:
_BEFORE_LOGIN = re.compile(r"[a-z][a-z0-9+.-]*://(?:[^/?#@:]*:)?")


def expand(text: str, environ: Mapping[str, str]) -> str:
    """Put in what the references of ``text`` stand for; what is put in is not searched again. ``$${`` gives ``${``.

    A default counts where the variable is not set or empty, as in the shell. A file is put in without the line break at its
    end. A reference that is the whole user or the
    whole password of a URL is percent-encoded there, so that variable or file holds the password as it is.
    Raises ValueError, naming the variable or the file and no value.
    """
    expanded, end = "", 0
    for match in _REFERENCE.finditer(text):
        expanded += text[end : match.start()]
        end = match.end()
        value = "${" if match["escaped"] else _value(match, environ)
        expanded += quote(value, safe="") if _in_login(expanded, text[end:]) else value
    return expanded + text[end:]


def expand_all(data: Any, environ: Mapping[str, str], problems: list[Problem], path: KeyPath = ()) -> Any:
    """``data`` with every text value in it expanded. What cannot be is added to ``problems`` and left as it was."""
    if isinstance(data, dict):
        return {key: expand_all(value, environ, problems, (*path, key)) for key, value in data.items()}
    if isinstance(data, list):
        return [expand_all(value, environ, problems, (*path, index)) for index, value in enumerate(data)]
    if not isinstance(data, str):
        return data
    try:
        return expand(data, environ)
    except ValueError as error:
        problems.append(Problem(path, str(error)))
        return data


def _value(match: re.Match[str], environ: Mapping[str, str]) -> str:
    if match["file"] is not None:
        return _content(Path(match["file"]))
    name, default = match["name"], match["default"]
    if name is None:
        raise ValueError(
            "'${' begins no reference like ${NAME}, ${NAME:-default} or ${file:/PATH}; write $${ for the characters alone"
        )
    value = environ.get(name)
    if value is None and default is None:
        raise ValueError(f"environment variable {name} is not set; set it, or write ${{{name}:-default}}")
    if not value and default is not None:
        value = default.removeprefix(":-")
    value = value or ""
    if not _is_unicode(value):
        raise ValueError(f"environment variable {name} is not UTF-8")
    return value


def _content(path: Path) -> str:
    try:
        with path.open("rb") as file:
            held = file.read(_LONGEST_FILE + 1)
    except OSError as error:
        raise ValueError(f"file {path} cannot be read: {error.strerror}") from None
    if len(held) > _LONGEST_FILE:
        raise ValueError(f"file {path} is longer than the {_LONGEST_FILE} bytes that a value may have")
    try:
        text = held.decode()
    except UnicodeDecodeError:
        raise ValueError(f"file {path} is not UTF-8") from None
    return text.removesuffix("\n").removesuffix("\r")


def _is_unicode(value: str) -> bool:
    # Bytes of the environment that are not UTF-8 arrive as lone surrogates, which nothing can encode later.
    return not any("\ud800" <= character <= "\udfff" for character in value)


def _in_login(before: str, after: str) -> bool:
    return "@" in after and after[0] in ":@" and _BEFORE_LOGIN.fullmatch(before) is not None
