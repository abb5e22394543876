from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.mysql.gtid import GtidPosition, GtidSet

A, B = "3e11fa47-71ca-11e1-9e33-c80aa9429562", "4e11fa47-71ca-11e1-9e33-c80aa9429562"

gtids = st.builds(
    "{}:{}".format,
    st.sampled_from([A, B, f"{A}:tag", f"{B}:other_tag"]),
    st.one_of(st.integers(1, 12), st.integers(1, 2**63 - 2)),
)


def set_of(members: Any) -> GtidSet:
    made = GtidSet()
    for gtid in members:
        made.add(gtid)
    return made


@given(st.lists(gtids))
def test_a_set_reads_back_what_it_prints(members: list[str]) -> None:
    made = set_of(members)
    assert GtidSet.parse(str(made)) == made
    assert str(GtidSet.parse(str(made))) == str(made)


@given(st.lists(gtids), st.lists(gtids))
def test_sets_behave_as_sets_do(ours: list[str], theirs: list[str]) -> None:
    one, other = set_of(ours), set_of(theirs)
    assert one.covers(other) == set(ours).issuperset(theirs)
    assert one.minus(other) == set_of(set(ours) - set(theirs))
    assert (one == other) == (set(ours) == set(theirs))
    assert bool(one) == bool(ours)


@given(st.lists(gtids), st.randoms(use_true_random=False))
def test_the_order_of_adding_does_not_show(members: list[str], random: Any) -> None:
    shuffled = list(members)
    random.shuffle(shuffled)
    assert str(set_of(members)) == str(set_of(shuffled))


@given(st.lists(gtids), gtids)
def test_a_copy_is_a_set_of_its_own(members: list[str], more: str) -> None:
    made = set_of(members)
    text, twin = str(made), made.copy()
    twin.add(more)
    assert str(made) == text
    assert twin.covers(made)


def test_the_servers_notation_is_read_with_line_breaks_capitals_and_overlaps() -> None:
    text = f"{A.upper()}:1-3:5-9:4,\n{B}:7:tag:1-2:5:more:9,{A}:10"
    assert str(GtidSet.parse(text)) == f"{A}:1-10,{B}:7:more:9:tag:1-2:5"


@pytest.mark.parametrize(
    "text", ["x", A, f"{A}:", f"{A}:0", f"{A}:1-", f"{A}:tag", f"{A}:1:tag", f"{A}:1tag:1", f"{A}:1-2-3", "0-1-2"]
)
def test_what_is_no_set_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a GTID set"):
        GtidSet.parse(text)


def test_an_interval_that_goes_backwards_is_empty_as_on_the_server() -> None:
    assert not GtidSet.parse(f"{A}:5-3")


def number(value: int) -> bytes:
    return value.to_bytes(8, "little")


def test_a_set_is_encoded_with_half_open_intervals_and_with_tags_only_if_there_are_any() -> None:
    uuid = bytes.fromhex(A.replace("-", ""))
    assert GtidSet.parse(f"{A}:1-3:7").encode() == (
        number(1) + uuid + number(2) + number(1) + number(4) + number(7) + number(8)
    )
    assert GtidSet.parse(f"{A}:1:tag:2").encode() == (
        b"\1\2\0\0\0\0\0\1"
        + uuid + b"\0" + number(1) + number(1) + number(2)
        + uuid + b"\6tag" + number(1) + number(2) + number(3)
    )  # fmt: skip
    assert GtidSet().encode() == number(0)


def test_a_mariadb_position_keeps_the_last_transaction_of_each_domain() -> None:
    position = GtidPosition.parse("0-1-100, 7-2-5")
    position.add("0-3-101")
    assert str(position) == "0-3-101,7-2-5"
    assert position.covers(GtidPosition.parse("0-1-100"))
    assert position.covers(GtidPosition.parse(""))
    assert GtidPosition.parse("") == GtidPosition()
    assert not position.covers(GtidPosition.parse("0-1-102"))
    assert not position.covers(GtidPosition.parse("1-1-1"))
    twin = position.copy()
    twin.add("7-2-6")
    assert str(position) == "0-3-101,7-2-5"


@pytest.mark.parametrize("text", ["0-1", "a-b-c", "0-1-2-3", A])
def test_what_is_no_mariadb_position_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a MariaDB GTID"):
        GtidPosition.parse(text)
