"""Names of topics: which ones there can be, and which one is a table's."""

from __future__ import annotations

import re
from functools import lru_cache

from streamtrain.errors import ConfigError

# Kafka's rule (org.apache.kafka.common.internals.Topic). The file topic keeps to it, so that a name moves from one to
# the other, and so that a name is always one harmless path component.
_LEGAL = re.compile(r"[a-zA-Z0-9._-]+")
_REFUSED = re.compile(r"[^a-zA-Z0-9._-]")
_LAST_OF_ONE_UNIT = "\uffff"
# What Java's String.trim takes away.
_BLANKS = "".join(map(chr, range(ord(" ") + 1)))
MAX_NAME_LENGTH = 249


def check_name(name: str, what: str = "topic", *, max_length: int = MAX_NAME_LENGTH) -> str:
    """Give ``name`` back if Kafka would take it as a topic's name. Raises ConfigError; ``what`` says what is named."""
    if not _LEGAL.fullmatch(name) or name in {".", ".."} or len(name) > max_length:
        raise ConfigError(
            f"{name!r} cannot be the name of a {what}",
            hint=f"use up to {max_length} of the letters a-z and A-Z, digits, '.', '_' and '-'",
        )
    return name


@lru_cache(maxsize=65_536)
def topic_name(prefix: str, database: str, table: str) -> str:
    """The topic of a table: ``PREFIX.DB.TABLE`` as Debezium's DefaultTopicNamingStrategy makes a legal name of it.

    A part of blanks alone is left out; what Kafka refuses becomes ``_``, once for each unit of UTF-16, as Java counts
    characters; what is longer than a name may be is cut off. So two tables may have one topic: see
    ``connectors.topic_owners``.
    https://debezium.io/documentation/reference/stable/connectors/mysql.html#mysql-topic-names
    """
    parts = [part for part in (prefix, database, table) if part.strip(_BLANKS)]
    return _REFUSED.sub(_replacement, ".".join(parts))[:MAX_NAME_LENGTH]


def _replacement(refused: re.Match[str]) -> str:
    return "__" if refused[0] > _LAST_OF_ONE_UNIT else "_"
