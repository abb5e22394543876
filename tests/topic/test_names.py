"""Each table has the topic that Debezium gives it, whatever characters its name is made of."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamtrain.topic.names import MAX_NAME_LENGTH, check_name, topic_name

LEGAL = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-"


@pytest.mark.parametrize(
    ("database", "table", "topic"),
    [
        ("shop", "events", "p.shop.events"),
        ("shop", "a b", "p.shop.a_b"),
        ("shop", "`", "p.shop._"),
        ("shop", "$a", "p.shop._a"),
        ("büro", "Straße", "p.b_ro.Stra_e"),
        ("shop", "u\u0308", "p.shop.u_"),
        ("shop", "😀", "p.shop.__"),
        ("shop", "system.views", "p.shop.system.views"),
        ("my-shop", "a.b", "p.my-shop.a.b"),
        ("shop", ".", "p.shop.."),
        ("shop", " ", "p.shop"),
        ("shop", "a\n", "p.shop.a_"),
        ("shop", "t" * 300, f"p.shop.{'t' * 242}"),
    ],
)
def test_what_kafka_refuses_is_replaced_as_debezium_replaces_it(database: str, table: str, topic: str) -> None:
    assert topic_name("p", database, table) == topic


# Names hold no single halves of a pair: they come from UTF-8.
PARTS = st.text(st.characters(exclude_categories=["Cs"])).filter(lambda part: max(part, default=" ") > " ")


@given(PARTS, PARTS)
def test_every_name_is_one_that_kafka_takes(database: str, table: str) -> None:
    assert check_name(topic_name("p", database, table))


@given(PARTS, PARTS)
def test_every_unit_of_utf_16_is_one_character_of_the_name(database: str, table: str) -> None:
    units = f"p.{database}.{table}".encode("utf-16-le")
    expected = [chr(int.from_bytes(units[at : at + 2], "little")) for at in range(0, len(units), 2)]
    kept = [unit if unit in LEGAL else "_" for unit in expected]
    assert topic_name("p", database, table) == "".join(kept)[:MAX_NAME_LENGTH]


@given(st.text(LEGAL, min_size=1, max_size=120), st.text(LEGAL, min_size=1, max_size=120))
def test_a_name_that_kafka_takes_stays_as_it_is(database: str, table: str) -> None:
    assert topic_name("p", database, table) == f"p.{database}.{table}"
