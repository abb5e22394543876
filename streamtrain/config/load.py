"""Reads a configuration file, and lays single settings over a configuration that is there."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from streamtrain.config.document import parse
from streamtrain.config.environment import expand_all
from streamtrain.config.explain import explain
from streamtrain.config.models import Config
from streamtrain.config.problem import KeyPath, Problem, refusal
from streamtrain.config.secret import REVEAL
from streamtrain.config.security import located
from streamtrain.errors import ConfigError


def load_config(path: Path | str, environ: Mapping[str, str]) -> Config:
    """The configuration in the YAML file ``path``.

    References like ``${NAME}`` are taken from ``environ``; relative paths in it (SQLite files, the directory of file
    topics, certificates) from the directory that holds the file. Raises ConfigError: each problem on a line of its own, with file, line
    and key path, and no values.
    """
    where = str(path)
    document = parse(_text(Path(path)), where)
    if not isinstance(document.data, dict):
        raise ConfigError(
            f"{where}: holds no mapping of keys to values", hint="`streamtrain init` writes one to begin with"
        )
    problems: list[Problem] = []
    data = expand_all(document.data, environ, problems)
    if problems:
        raise refusal(where, problems, document.lines)
    # Not resolve(): a mounted file may be a link into a directory that is replaced under us, as Kubernetes does.
    return _located(_validated(data, where, document.lines), Path(path).absolute().parent)


def overlay(config: Config, settings: Iterable[str]) -> Config:
    """``config`` with ``KEY=VALUE`` settings laid over it, as ``--set`` gives them; a later one wins.

    KEY is a dotted path (``train.slice``, ``examples.features.price``); VALUE is read as YAML, a mapping replaces what is
    there. References to the environment are not expanded, the shell has done that; relative paths are taken from the
    working directory. Raises ConfigError, as for a file.
    """
    data = config.model_dump(by_alias=True, context=REVEAL)
    for section in ("source", "topic"):
        # Without what was not set: a default of the kind that is there would be a wrong key under another kind.
        data[section] = getattr(config, section).model_dump(exclude_unset=True, context=REVEAL)
    problems: list[Problem] = []
    for setting in settings:
        key, equals, value = setting.partition("=")
        if not equals or not all(key.split(".")):
            raise ConfigError(
                "--set takes KEY=VALUE, where KEY is a dotted path", hint="for example --set train.slice=128"
            )
        _put(data, tuple(key.split(".")), parse(value, f"--set {key}").data, problems)
    if problems:
        raise refusal("--set", problems)
    return _located(_validated(data, "--set", {}), Path.cwd())


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ConfigError(
            f"{path}: there is no such file", hint="`streamtrain init` writes one to begin with"
        ) from None
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: is not UTF-8 at byte {error.start}", hint="save it as UTF-8") from None
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from error


def _validated(data: Mapping[str, Any], where: str, lines: Mapping[KeyPath, int]) -> Config:
    try:
        return Config.model_validate(data)
    except ValidationError as error:
        problems = explain(error)
    # Raised out here, so that pydantic's error, which holds the values, is no part of the traceback.
    raise refusal(where, problems, lines)


def _put(data: dict[str, Any], path: tuple[str, ...], value: Any, problems: list[Problem]) -> None:
    *parents, name = path
    here: Any = data
    for depth, parent in enumerate(parents, 1):
        here = here.setdefault(parent, {})
        if not isinstance(here, dict):
            problems.append(Problem(path[:depth], "has no keys below it; set it as a whole"))
            return
    here[name] = value


def _located(config: Config, directory: Path) -> Config:
    """``config`` with its relative paths taken from ``directory``."""
    state = {"url": config.state.url.under(directory), "tls": config.state.tls.under(directory)}
    moved: dict[str, Any] = {"state": config.state.model_copy(update=state)}
    if config.source.kind == "mysql":
        moved["source"] = config.source.model_copy(update={"tls": config.source.tls.under(directory)})
    if config.source.kind == "sqlite":
        moved["source"] = config.source.model_copy(update={"url": config.source.url.under(directory)})
    if config.source.kind == "mongo":
        files = {"store": directory / config.source.store, "tls": config.source.tls.under(directory)}
        moved["source"] = config.source.model_copy(update=files)
    topic: dict[str, Any] = {}
    if config.topic.kind == "kafka":
        topic["security"] = located(config.topic.security, directory)
    if config.topic.kind == "file":
        topic["directory"] = directory / config.topic.directory
    if config.topic.registry is not None and config.topic.registry.ca is not None:
        topic["registry"] = config.topic.registry.model_copy(update={"ca": directory / config.topic.registry.ca})
    moved["topic"] = config.topic.model_copy(update=topic)
    return config.model_copy(update=moved)
