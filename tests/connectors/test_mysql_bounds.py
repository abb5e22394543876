"""Keys as the modes show them, compared with places in a table: on both servers, around a bound that tells digits apart."""

from __future__ import annotations

from contextlib import closing
from typing import Any

import pytest

from connectors.mysql.connection import Connection
from connectors.mysql.snapshots.bounds import Bound, OrderColumn, Ordering, can_be_ordered
from connectors.mysql.structure import Column
from connectors.mysql.value_modes import CONVERSIONS, ValueModes, conversion
from connectors.mysql.value_types import declared_type
from tests.connectors.mysql_capture import settings_for
from tests.servers import Database

DIGITS = "1234567890123456789012345678901234"
KEYS: dict[str, list[Any]] = {
    "bigint unsigned": [0, 1 << 63, (1 << 64) - 2, (1 << 64) - 1],
    "decimal(65,30)": [
        f"-{DIGITS}.{'0' * 29}1",
        f"{DIGITS}.{'0' * 30}",
        f"{DIGITS}.{'0' * 29}1",
        f"{DIGITS}.{'0' * 29}2",
    ],
    "varbinary(9)": ["", "AA==", "AAA=", "+/8="],
}
"""Default values, in their order."""
MODES = [
    ValueModes(),
    ValueModes(decimal="precise", bigint_unsigned="long", binary="hex"),
    ValueModes(decimal="precise", bigint_unsigned="precise", binary="base64-url-safe"),
    ValueModes(decimal="string", bigint_unsigned="precise", binary="base64"),
]


@pytest.mark.parametrize("declared", KEYS)
@pytest.mark.parametrize("modes", MODES)
def test_keys_keep_their_order_in_every_mode(mysql: Database, declared: str, modes: ValueModes) -> None:
    column = Column("k", declared, nullable=False)
    type_ = declared_type(column)
    assert type_ is not None
    assert can_be_ordered(column, modes)
    convert = CONVERSIONS.get(conversion(type_, modes), lambda value: value)
    keys = [(convert(value),) for value in KEYS[declared]]
    texts = ["", "00", "0000", "fbff"] if declared.startswith("varbinary") else [str(value) for value in KEYS[declared]]
    with closing(Connection(settings_for(mysql, "nothing.*").address)) as connection:
        ordering = Ordering([OrderColumn(0, column)], connection, modes)
        for place, text in enumerate(texts):
            assert ordering.beyond(keys, Bound((text,))) == [other > place for other in range(len(keys))]
