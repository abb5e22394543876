"""No two tables have one topic at a time, though names of topics know fewer characters than names of tables."""

from __future__ import annotations

import pytest

from connectors.topic_owners import TopicOwners, own_topics_check, require_own_topics
from streamtrain.errors import ConfigError

TWINS = [
    (("shop", "a b"), ("shop", "a_b")),
    (("shop", "ä"), ("shop", "ö")),
    (("a.b", "c"), ("a", "b.c")),
    (("a b", "c"), ("a_b", "c")),
    (("shop", "t" * 300), ("shop", "t" * 301)),
]


@pytest.mark.parametrize(("one", "other"), TWINS)
def test_two_tables_with_one_topic_are_refused_by_their_names_with_a_way_out(
    one: tuple[str, str], other: tuple[str, str]
) -> None:
    with pytest.raises(ConfigError, match="have one topic") as refused:
        require_own_topics("p", [one, ("shop", "apart"), other])
    told = refused.value
    assert all(repr(part) in told.message for part in (*one, *other))
    assert "source.exclude" in told.hint
    assert ".".join(other) in told.hint
    (check,) = own_topics_check("p", [one, other])
    assert (check.status, check.found, check.remedy) == ("fail", told.message, told.hint)


def test_tables_with_topics_of_their_own_are_taken_again_and_again() -> None:
    owners = TopicOwners("p")
    for table in [("shop", "a b"), ("shop", "a-b"), ("shop", "A_b"), ("shops", "a b")] * 2:
        owners.claim(table)
    assert list(own_topics_check("p", [("shop", "a b"), ("shop", "a-b")])) == []


def test_a_topic_is_free_again_when_its_table_is_gone() -> None:
    owners = TopicOwners("p")
    owners.claim(("shop", "a b"))
    owners.release(("shop", "a_b"))
    with pytest.raises(ConfigError):
        owners.claim(("shop", "a_b"))
    owners.release(("shop", "a b"))
    owners.claim(("shop", "a_b"))


def test_of_tables_that_were_there_the_first_one_has_the_topic() -> None:
    owners = TopicOwners("p")
    owners.begin([("shop", "a b"), ("shop", "a_b")])
    owners.claim(("shop", "a b"))
    with pytest.raises(ConfigError, match=r"'a b' and 'shop'\.'a_b'"):
        owners.claim(("shop", "a_b"))


def test_a_copy_goes_its_own_way() -> None:
    owners = TopicOwners("p")
    owners.claim(("shop", "a b"))
    copy = owners.copy()
    copy.release(("shop", "a b"))
    copy.claim(("shop", "a_b"))
    owners.claim(("shop", "a b"))


@pytest.mark.parametrize("database", ["transaction", "dead-letters"])
def test_no_collection_goes_to_a_topic_of_the_connector(database: str) -> None:
    with pytest.raises(ConfigError, match=f"the topic of .* and '{database}'.' '"):
        TopicOwners("p").claim((database, " "))
