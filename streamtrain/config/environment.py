"""``${NAME}`` and ``${NAME:-default}`` in the text values of a configuration."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from streamtrain.config.problem import KeyPath, Problem

_REFERENCE = re.compile(r"(?P<escaped>\$\$\{)|\$\{(?:(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?P<default>:-[^{}]*)?\})?")
# What stands before a user or a password in a URL: scheme://  or  scheme://user:
_BEFORE_LOGIN = re.compile(r"[a-z][a-z0-9+.-]*://(?:[^/?#@:]*:)?")


def expand(text: str, environ: Mapping[str, str]) -> str:
    """Put in what the references of ``text`` stand for; what is put in is not searched again. ``$${`` gives ``${``.

    A default counts where the variable is not set or empty, as in the shell. A reference that is the whole user or the
    whole password of a URL is percent-encoded there, so that the variable holds the password as it is.
    Raises ValueError, naming the variable and no value.
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
    name, default = match["name"], match["default"]
    if name is None:
        raise ValueError(
            "'${' begins no reference like ${NAME} or ${NAME:-default}; write $${ for the characters alone"
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


def _is_unicode(value: str) -> bool:
    # Bytes of the environment that are not UTF-8 arrive as lone surrogates, which nothing can encode later.
    return not any("\ud800" <= character <= "\udfff" for character in value)


def _in_login(before: str, after: str) -> bool:
    return "@" in after and after[0] in ":@" and _BEFORE_LOGIN.fullmatch(before) is not None
