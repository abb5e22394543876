from __future__ import annotations

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.mysql.position import LogPosition, PreparedXa, binlog_number
from streamtrain.errors import PositionLost


def at(file: str, offset: int) -> LogPosition:
    return LogPosition("mysql", "server", file, offset, None)


def test_log_files_are_ordered_by_number_not_by_name() -> None:
    assert at("binlog.999999", 4).is_before(at("binlog.1000000", 4))
    assert not at("binlog.1000000", 4).is_before(at("binlog.999999", 4))
    assert at("binlog.000007", 100).is_before(at("binlog.000007", 1_000))
    assert not at("binlog.000007", 100).is_before(at("binlog.000007", 100))
    assert binlog_number("host.name-bin.000042") == 42


@given(
    st.builds(
        LogPosition,
        st.sampled_from(["mysql", "mariadb"]), st.text(), st.just("binlog.000001"), st.integers(4, 2**40),
        st.none() | st.just(""), st.integers(0, 2**40), st.none() | st.text(), st.lists(st.text()).map(tuple),
        st.lists(
            st.builds(
                PreparedXa,
                st.text(), st.text(), st.just("binlog.000001"), st.integers(4, 2**40), st.none() | st.text(),
                st.none() | st.text(), st.integers(0, 2**40),
                st.lists(st.tuples(st.integers(0, 9), st.integers(10, 99)), max_size=2).map(tuple),
            ),
            max_size=2,
        ).map(tuple),
        st.none() | st.lists(st.text()).map(tuple),
    )
)  # fmt: skip
def test_a_position_comes_back_from_json_as_it_went(position: LogPosition) -> None:
    assert LogPosition.from_json(orjson.loads(orjson.dumps(position.to_json()))) == position


def test_a_position_in_the_format_before_prepared_transactions_is_read() -> None:
    position = LogPosition("mysql", "server", "binlog.000001", 4, "", 3, "uuid:7", ("a.b",))
    document = {**position.to_json(), "format": 1}
    del document["prepared"]
    assert LogPosition.from_json(document) == position


@pytest.mark.parametrize(
    "document",
    [
        {}, {"format": 2}, {"format": 1}, {"format": 3}, {"sequence": 7, "database": "x"},
        {**at("binlog.000001", 4).to_json(), "more": 1}, {**at("binlog.000001", 4).to_json(), "file": "binlog"},
        {**at("binlog.000001", 4).to_json(), "gtids": "0-1-2"}, {**at("binlog.000001", 4).to_json(), "include": 3}, {**at("binlog.000001", 4).to_json(), "file": None},
    ],
)  # fmt: skip
def test_another_kind_of_position_is_refused(document: dict[str, object]) -> None:
    with pytest.raises(PositionLost) as caught:
        LogPosition.from_json(document)
    assert caught.value.hint
