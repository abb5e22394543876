"""What every state database must hold: fenced, whole, pruned checkpoints, and the facts written beside them."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from streamtrain.errors import ConfigError, FencedOut, NoUsableCheckpoint, StateUnavailable
from streamtrain.state.checkpoints import CheckpointStore, Writer
from streamtrain.state.database import Database
from streamtrain.state.layout import CHECKPOINT_PARTS, CHECKPOINTS
from streamtrain.state.ledger import Ledger
from streamtrain.state.opening import open_database
from streamtrain.state.records import (
    CheckpointDraft,
    DeadLetter,
    Deletion,
    LearnedRange,
    ScheduledSlice,
    state_sha256,
)
from streamtrain.topic.base import TopicPartition
from tests.servers.states import STATE_DATABASES, state_url

LOG = TopicPartition("shop.shop.events", 0)


@pytest.fixture(params=STATE_DATABASES)
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return state_url(request, tmp_path)


@pytest.fixture
def database(url: str) -> Iterator[Database]:
    opened = open_database(url)
    opened.migrate()
    yield opened
    opened.close()


class Clock:
    now_ms = 1_700_000_000_000

    def __call__(self) -> int:
        self.now_ms += 1
        return self.now_ms


@pytest.fixture
def store(database: Database) -> CheckpointStore:
    return CheckpointStore(database, Clock())


@pytest.fixture
def ledger(database: Database) -> Ledger:
    return Ledger(database, Clock())


def draft(number: int, **changes: object) -> CheckpointDraft:
    whole = CheckpointDraft(
        slice=number,
        events=number * 64,
        blobs={"base/weights": bytes([number]) * 100, "progress": b"{}", "empty": b""},
        weights_sha256="w" * 64,
        offsets={LOG: number * 64},
        resume_offsets={LOG: number * 64},
        metrics={"auc": 0.5 + number / 100},
        settings={"model.kind": "logistic"},
        versions={"torch": "2"},
    )
    return replace(whole, **changes)  # type: ignore[arg-type]


def letter(offset: int, key: str | None = '{"id":1}') -> DeadLetter:
    return DeadLetter(LOG, offset, "not_finite", "price is NaN", key, 1)


def test_what_is_saved_is_loaded(store: CheckpointStore) -> None:
    writer = store.open_run("shop", {"name": "shop"})
    saved = store.save(writer, draft(1), keep=5)
    found = store.newest("shop")
    assert found is not None
    checkpoint, blobs = found
    assert checkpoint == saved
    assert blobs == draft(1).blobs
    assert checkpoint.state_sha256 == state_sha256(draft(1).blobs)
    assert checkpoint.as_json()["offsets"] == {"shop.shop.events": {"0": 64}}
    assert store.run_config("shop") == {"name": "shop"}
    assert store.newest("another") is None


def test_run_names_that_differ_in_case_are_different_runs(store: CheckpointStore) -> None:
    store.save(store.open_run("shop", {}), draft(1), keep=5)
    store.save(store.open_run("Shop", {}), draft(2), keep=5)
    assert [one.slice for one in store.list("shop")] == [1]


def test_a_writer_that_was_replaced_cannot_commit(store: CheckpointStore) -> None:
    old = store.open_run("shop", {})
    new = store.open_run("shop", {})
    store.save(new, draft(1), keep=5)
    with pytest.raises(FencedOut):
        store.save(old, draft(2), keep=5)
    assert [one.slice for one in store.list("shop")] == [1]


def test_a_blob_larger_than_a_packet_is_stored_in_parts(database: Database, store: CheckpointStore) -> None:
    # Every byte value, so that the driver's escaping doubles some of them.
    blob = bytes(range(256)) * (160 * 1024)
    store.save(store.open_run("shop", {}), draft(1, blobs={"base/weights": blob}), keep=5)
    found = store.newest("shop")
    assert found is not None
    assert found[1]["base/weights"] == blob
    with database.transaction() as transaction:
        parts = len(transaction.select(CHECKPOINT_PARTS, {}, columns=["part"]))
    assert parts == -(-len(blob) // database.part_bytes())
    assert parts > 1


@pytest.mark.parametrize("damage", ["byte", "part", "all parts"])
def test_a_torn_checkpoint_is_refused_and_the_one_before_it_is_used(
    database: Database, store: CheckpointStore, damage: str
) -> None:
    writer = store.open_run("shop", {})
    store.save(writer, draft(1), keep=5)
    torn = store.save(writer, draft(2), keep=5)
    of_torn = {"checkpoint_id": torn.id}
    one = {**of_torn, "blob_name": "base/weights"}
    with database.transaction() as transaction:
        if damage == "byte":
            assert transaction.update(CHECKPOINT_PARTS, one, {"data": b"\x02" * 99 + b"\x03"}) == 1
        else:
            transaction.delete(CHECKPOINT_PARTS, one if damage == "part" else of_torn)
    with pytest.raises(NoUsableCheckpoint, match="torn"):
        store.blobs(torn)
    found = store.newest("shop")
    assert found is not None
    assert found[0].slice == 1


def test_if_no_checkpoint_is_whole_nothing_is_begun_anew_silently(database: Database, store: CheckpointStore) -> None:
    store.save(store.open_run("shop", {}), draft(1), keep=5)
    with database.transaction() as transaction:
        transaction.delete(CHECKPOINT_PARTS, {})
    with pytest.raises(NoUsableCheckpoint, match="none of the 1 checkpoints"):
        store.newest("shop")


def test_only_the_newest_checkpoints_are_kept(database: Database, store: CheckpointStore) -> None:
    writer = store.open_run("shop", {})
    other = store.open_run("other", {})
    store.save(other, draft(9), keep=2)
    for number in range(1, 6):
        store.save(writer, draft(number), keep=2)
    assert [one.slice for one in store.list("shop")] == [4, 5]
    assert [one.slice for one in store.list("other")] == [9]
    with database.transaction() as transaction:
        left = {row["checkpoint_id"] for row in transaction.select(CHECKPOINT_PARTS, {}, columns=["checkpoint_id"])}
        assert left == {row["id"] for row in transaction.select(CHECKPOINTS, {}, columns=["id"])}


def test_a_failed_save_leaves_nothing(store: CheckpointStore, ledger: Ledger) -> None:
    writer = store.open_run("shop", {})
    with pytest.raises(FencedOut):
        store.save(Writer("shop", writer.epoch + 1), draft(1, dead_letters=[letter(3)]), keep=5)
    assert store.list("shop") == []
    assert ledger.letters("shop") == []


def test_dead_letters_come_with_their_checkpoint_and_once(store: CheckpointStore, ledger: Ledger) -> None:
    writer = store.open_run("shop", {})
    store.save(writer, draft(1, dead_letters=[letter(3)]), keep=5)
    store.save(writer, draft(2, dead_letters=[letter(3), letter(70, key=None)]), keep=5)
    assert [(one.offset, one.reason, one.row_key) for one in ledger.letters("shop")] == [
        (3, "not_finite", '{"id":1}'),
        (70, "not_finite", None),
    ]
    assert ledger.count_letters("shop") == {"not_finite": 2}


def test_a_deleted_row_takes_its_dead_letters_with_it(store: CheckpointStore, ledger: Ledger) -> None:
    writer = store.open_run("shop", {})
    long_key = '{"id":"' + "x" * 2000 + '"}'
    letters = [letter(3), letter(4, '{"id":2}'), letter(5, long_key)]
    store.save(writer, draft(1, dead_letters=letters), keep=5)
    gone = [Deletion(LOG, 70, '{"id":1}', 2), Deletion(LOG, 71, long_key, 2)]
    store.save(writer, draft(2, deletions=gone), keep=5)
    assert [one.offset for one in ledger.letters("shop")] == [4]


def test_a_row_that_came_again_after_its_delete_keeps_its_letter(store: CheckpointStore, ledger: Ledger) -> None:
    writer = store.open_run("shop", {})
    store.save(writer, draft(1, dead_letters=[letter(9)], deletions=[Deletion(LOG, 5, '{"id":1}', 1)]), keep=5)
    assert [one.offset for one in ledger.letters("shop")] == [9]


def test_a_dropped_letter_does_not_come_back(store: CheckpointStore, ledger: Ledger) -> None:
    writer = store.open_run("shop", {})
    store.save(writer, draft(1, dead_letters=[letter(3), letter(4)]), keep=5)
    assert ledger.drop_letters("shop", [(LOG, 3)]) == 1
    store.save(writer, draft(2, dead_letters=[letter(3), letter(4)]), keep=5)
    assert [one.offset for one in ledger.letters("shop")] == [4]


def test_a_retry_is_scheduled_before_it_is_learned_and_then_gone(store: CheckpointStore, ledger: Ledger) -> None:
    writer = store.open_run("shop", {})
    store.save(writer, draft(1, dead_letters=[letter(3), letter(4), letter(70)]), keep=5)
    assert ledger.request_retry("shop", [(LOG, 3), (LOG, 70)]) == 2
    assert ledger.requested("shop", {LOG: 64}) == [(LOG, 3)]
    planned = ledger.schedule_retries(writer, 1, [(LOG, 3)])
    assert planned == [ScheduledSlice(2, LOG, 3, 4, retry=True)]
    assert ledger.scheduled("shop", after=1) == planned
    assert ledger.requested("shop", {LOG: 64}) == []
    store.save(writer, draft(2, retried=planned), keep=5)
    assert [(one.offset, one.state) for one in ledger.letters("shop")] == [(4, "open"), (70, "requested")]


def test_a_retry_that_is_rejected_again_is_open_again(store: CheckpointStore, ledger: Ledger) -> None:
    writer = store.open_run("shop", {})
    store.save(writer, draft(1, dead_letters=[letter(3)]), keep=5)
    ledger.request_retry("shop", None)
    planned = ledger.schedule_retries(writer, 1, [(LOG, 3)])
    again = replace(letter(3), reason="wrong_type")
    store.save(writer, draft(2, retried=planned, dead_letters=[again]), keep=5)
    assert [(one.reason, one.state) for one in ledger.letters("shop")] == [("wrong_type", "open")]


def test_letters_whose_records_are_gone_say_so_and_can_be_dropped(store: CheckpointStore, ledger: Ledger) -> None:
    writer = store.open_run("shop", {})
    store.save(writer, draft(1, dead_letters=[letter(3)]), keep=5)
    ledger.request_retry("shop", None)
    ledger.mark_gone(writer, [(LOG, 3)])
    assert [one.state for one in ledger.letters("shop")] == ["gone"]
    assert ledger.drop_letters("shop", None) == 1
    assert ledger.letters("shop") == []


def test_a_letter_whose_record_is_learned_after_all_is_removed(store: CheckpointStore, ledger: Ledger) -> None:
    writer = store.open_run("shop", {})
    store.save(writer, draft(1, dead_letters=[letter(3), letter(4), letter(70)]), keep=5)
    learned = [LearnedRange(LOG, 0, 64)]
    store.save(writer, draft(2, dead_letters=[letter(4)], learned=learned), keep=5)
    assert [one.offset for one in ledger.letters("shop")] == [4, 70]


def test_a_process_that_was_replaced_during_an_outage_does_not_take_the_run_back(store: CheckpointStore) -> None:
    first = store.open_run("shop", {})
    again = store.open_run("shop", {}, held=first)
    assert again.epoch > first.epoch
    newer = store.open_run("shop", {})
    with pytest.raises(FencedOut):
        store.open_run("shop", {}, held=again)
    store.save(newer, draft(1), keep=5)


def test_the_configuration_of_a_run_is_kept_by_its_writer_alone(store: CheckpointStore) -> None:
    writer = store.open_run("shop", {"version": 1})
    newer = store.open_run("shop", {"version": 2})
    assert store.run_config("shop") == {"version": 1}
    store.record_config(newer, {"version": 3})
    assert store.run_config("shop") == {"version": 3}
    with pytest.raises(FencedOut):
        store.record_config(writer, {"version": 4})


def test_a_replaced_writer_cannot_schedule(store: CheckpointStore, ledger: Ledger) -> None:
    old = store.open_run("shop", {})
    store.open_run("shop", {})
    with pytest.raises(FencedOut):
        ledger.schedule(old, [ScheduledSlice(1, LOG, 0, 64)])
    assert ledger.scheduled("shop", after=0) == []


def test_metrics_are_rows_and_a_retrained_stretch_replaces_its_own(store: CheckpointStore, ledger: Ledger) -> None:
    writer = store.open_run("shop", {})
    for number in (1, 2, 3, 2):
        store.save(writer, draft(number), keep=5)
    found = [(point.events, point.name, point.value) for point in ledger.metric_history("shop")]
    assert found == [(64, "auc", 0.51), (128, "auc", 0.52)]


def test_components_report_over_each_other(ledger: Ledger) -> None:
    ledger.report("shop", "trainer", "running", {"events": 1})
    ledger.report("shop", "trainer", "retrying", {"events": 2, "error": "broker away"})
    reported = ledger.components("shop")["trainer"]
    assert (reported["state"], reported["events"], reported["error"]) == ("retrying", 2, "broker away")


def test_accepted_changes_are_recorded(store: CheckpointStore, ledger: Ledger) -> None:
    writer = store.open_run("shop", {})
    ledger.record_config_change(writer, 7, ["train.slice: 64 -> 32"])
    assert ledger.config_changes("shop") == [(7, ["train.slice: 64 -> 32"])]


def test_migrating_twice_changes_nothing(database: Database) -> None:
    database.migrate()
    assert database.pending_migration() is None


def test_several_processes_may_migrate_an_empty_database_at_once(url: str) -> None:
    code = "import sys; from streamtrain.state.opening import open_database; open_database(sys.argv[1]).migrate()"
    processes = [
        subprocess.Popen([sys.executable, "-c", code, url], stderr=subprocess.PIPE, text=True) for _ in range(4)
    ]
    assert [process.communicate()[1] for process in processes] == [""] * 4


@pytest.mark.parametrize("scheme", ["mysql", "mongodb"])
def test_an_unreachable_server_is_retryable_and_its_password_is_not_told(scheme: str) -> None:
    database = open_database(f"{scheme}://someone:geheim@127.0.0.1:1/state", connect_timeout_s=1)
    with pytest.raises(StateUnavailable) as raised:
        database.migrate()
    database.close()
    assert "geheim" not in str(raised.value)
    assert "127.0.0.1" in str(raised.value)


@pytest.mark.parametrize("url", ["postgresql://x/y", "nonsense"])
def test_a_url_of_another_kind_is_a_configuration_error(url: str) -> None:
    with pytest.raises(ConfigError):
        open_database(url)
