"""What single values must be. Each rule returns the value or raises ValueError with a text that does not hold it."""

from __future__ import annotations

import math
import re
from typing import Any

from streamtrain.config.secret import Secret, Url

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_PREFIX = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")
_BROKER = re.compile(r"(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.%]+\]):[0-9]{1,5}")
_MODEL = re.compile(r"[a-z][a-z0-9_]*|[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*:[A-Za-z_]\w*")
# Settings outside these families would let a configuration take away what the writer and the reader promise.
_SECURITY = re.compile(r"(?:security|sasl|ssl|https|enable\.ssl|enable\.sasl)\.[a-z0-9_.]+")


def not_boolean(value: Any) -> Any:
    """Numbers: pydantic would read ``true`` as 1."""
    if isinstance(value, bool):
        raise ValueError("must be a number")  # noqa: TRY004  pydantic collects ValueError alone
    return value


def run_name(value: str) -> str:
    """A run's name: it becomes part of a Kafka transactional id and a key in the state database."""
    if not _NAME.fullmatch(value):
        raise ValueError("must be 1 to 100 letters, digits, '.', '_' or '-', beginning with a letter or digit")
    return value


def topic_prefix(value: str) -> str:
    """What topic names begin with; Kafka's own alphabet."""
    if not _PREFIX.fullmatch(value):
        raise ValueError("must be 1 to 128 letters, digits, '.', '_' or '-', beginning with none of '.' and '-'")
    return value


def table_pattern(value: str) -> str:
    """``DATABASE.TABLE``, wildcards allowed."""
    database, dot, table = value.partition(".")
    if not (database and dot and table):
        raise ValueError("must be DATABASE.TABLE; shell wildcards may stand in both")
    return value


def one_table(value: str) -> str:
    """``DATABASE.TABLE``, one of them."""
    if any(character in value for character in "*?["):
        raise ValueError("must name one table, without wildcards")
    return table_pattern(value)


def broker_list(value: str) -> str:
    """``HOST:PORT[,HOST:PORT]...``."""
    for broker in value.split(","):
        if not _BROKER.fullmatch(broker.strip()) or not 0 < int(broker.rpartition(":")[2]) < 65536:
            raise ValueError("must be HOST:PORT, or several of them with commas between")
    return value


def librdkafka_settings(value: Any) -> Any:
    """TLS and SASL settings by librdkafka's names, as the text that it takes."""
    if not isinstance(value, dict):
        return value
    strange = sorted(key for key in value if not _SECURITY.fullmatch(str(key)))
    if strange:
        raise ValueError(
            f"takes librdkafka's TLS and SASL settings only, by their full names (sasl.password); not {', '.join(strange)}"
        )
    return {key: _setting(setting) for key, setting in value.items()}


def server_url(url: Url) -> Url:
    """The URL of a MySQL or MariaDB server."""
    if url.scheme != "mysql":
        raise ValueError("must begin with mysql:// (MariaDB's too)")
    if url.database or url.has_options:
        raise ValueError("must end with the port: tables are named by source.include, TLS is set by source.tls")
    return url


def sqlite_url(url: Url) -> Url:
    """The URL of an SQLite file."""
    if url.scheme != "sqlite":
        raise ValueError("must be sqlite:///FILE where source.kind is sqlite")
    return url


def mongo_url(url: Secret) -> Secret:
    """The URL of a MongoDB deployment."""
    if not url.reveal().startswith(("mongodb://", "mongodb+srv://")):
        raise ValueError("must begin with mongodb:// or mongodb+srv://")
    return url


def state_url(url: Url) -> Url:
    """The URL of a state database."""
    if url.scheme not in {"sqlite", "mysql", "mongodb", "mongodb+srv"}:
        raise ValueError("must begin with sqlite:///, mysql:// (MariaDB's too) or mongodb://")
    if url.scheme != "sqlite" and not url.database:
        raise ValueError(f"must name the database: {url.scheme}://USER:PASSWORD@HOST:PORT/DATABASE")
    if url.scheme == "mysql" and url.has_options:
        raise ValueError("must end with the database: TLS is set by state.tls")
    return url


def model_name(value: str) -> str:
    """A registered model, or where to import a function that builds one."""
    if not _MODEL.fullmatch(value):
        raise ValueError("must be a registered name like logistic, or package.module:function")
    return value


def label_classes(values: list[Any]) -> list[Any]:
    """The values of a multiclass label."""
    if any(isinstance(value, bool) or not isinstance(value, str | int) for value in values):
        raise ValueError("must hold text or whole numbers only; put quotes around true, false and null")
    if len(values) < 2 or len(set(values)) < len(values):
        raise ValueError("must hold at least two values, none of them twice")
    return [option(value) for value in values]


def option(value: Any) -> Any:
    """An option that is passed on: a JSON value that every JSON library keeps as it is; mappings are sorted by key."""
    if isinstance(value, dict):
        return {key: option(inner) for key, inner in sorted(value.items())}
    if isinstance(value, list):
        return [option(inner) for inner in value]
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError("must be a finite number")
    if isinstance(value, int) and not -(2**63) <= value < 2**63:
        raise ValueError("must fit in 64 bits")
    if value is not None and not isinstance(value, str | int | float):
        raise ValueError("must be text, a number, true, false, null, a list or a mapping")
    return value


def _setting(value: Any) -> Any:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, int) else value
