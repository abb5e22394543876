"""Whose each topic is: two tables must not go to one, where nobody could tell their rows apart.

Names of topics know fewer characters than names of tables (``streamtrain.topic.names``): ``a b`` and ``a_b`` have one topic.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from connectors.checks import Check
from streamtrain.errors import ConfigError
from streamtrain.topic.names import topic_name

Name = tuple[str, str]
"""A table or collection, as (database, name)."""


class TopicOwners:
    """The tables that go to the topics of one connector, each its own as long as it has its name."""

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix
        self._owners: dict[str, str] = {}
        self.begin(())

    def begin(self, tables: Iterable[Name]) -> None:
        """Forget all and begin with these, of which the first one has a topic that is several ones'."""
        self._owners = {
            f"{self._prefix}.transaction": "the topic of transactions",
            f"{self._prefix}.dead-letters": "the topic of dead letters",
        }
        self.add(tables)

    def copy(self) -> TopicOwners:
        """Another one with the same tables, which goes its own way."""
        other = TopicOwners(self._prefix)
        other._owners = dict(self._owners)
        return other

    def add(self, tables: Iterable[Name]) -> None:
        """Take note of tables that are there; a topic that is another's stays so."""
        for table in tables:
            self._owners.setdefault(self._topic(table), _shown(table))

    def claim(self, table: Name) -> None:
        """Take note of a table that goes to its topic from now on. Raises ConfigError if that is another's."""
        topic, name = self._topic(table), _shown(table)
        owner = self._owners.setdefault(topic, name)
        if owner != name:
            raise ConfigError(
                f"{owner} and {name} have one topic, {topic}, where their records could not be told apart",
                hint=f"leave one of them out with source.include or source.exclude (`{'.'.join(table)}`), or rename it: '_' "
                "stands for what Kafka refuses in a topic's name",
            )

    def release(self, table: Name) -> None:
        """A table is gone, or has another name: its topic may be another's."""
        topic = self._topic(table)
        if self._owners.get(topic) == _shown(table):
            del self._owners[topic]

    def _topic(self, table: Name) -> str:
        return topic_name(self._prefix, *table)


def require_own_topics(prefix: str, tables: Iterable[Name]) -> None:
    """Raise ConfigError if two of these tables have one topic."""
    owners = TopicOwners(prefix)
    for table in tables:
        owners.claim(table)


def own_topics_check(prefix: str, tables: Iterable[Name]) -> Iterator[Check]:
    """What a doctor says of tables of which two have one topic; else nothing."""
    try:
        require_own_topics(prefix, tables)
    except ConfigError as error:
        yield Check("topics of tables", "fail", error.message, "a topic for each table", error.hint)


def _shown(table: Name) -> str:
    """The two parts apart: dots may be in both."""
    database, name = table
    return f"{database!r}.{name!r}"
