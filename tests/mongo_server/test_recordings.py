"""The stand-in, held to recorded replies of a real replica set, 4.4.1.

Every reply of every conversation is compared: its fields in their order, values and types. Ids, tokens and times are
mapped: a token is taken apart, and all of it but the time and the collection's id has to be the same bytes.

What is compared less closely, and why:

- ``$clusterTime`` and ``operationTime`` of a reply: a real server writes entries of its own between those of clients.
- ``maxTimeMS`` of reads that wait is not waited out.
- Answers about the server itself (``playing.DIAGNOSTICS``): what the stand-in says has to be recorded fields of the
  recorded types; a real server says more.
"""

from __future__ import annotations

import pytest
from bson import Timestamp

from tests.mongo_server import tokens
from tests.mongo_server.documents import Document, decode, encode
from tests.mongo_server.large_messages import bytes_left_out, restored
from tests.mongo_server.playing import Player
from tests.mongo_server.recordings import Exchange, exchanges, scenarios, workload

ROLES = {
    "roles_nobody": None,
    "roles_reader": {"role": "read", "db": "shop"},
    "roles_any": {"role": "readAnyDatabase", "db": "admin"},
}
SECOND_LOST = 10
"""In ``history_lost``: the number of the write before which the oplog was rolled."""
OLDEST_ENTRY = Timestamp(1795242813, 77)
"""In ``doctor_reads``."""
BEFORE_THE_LARGE_EVENT = Timestamp(1795242827, 7)
LARGE_EVENT = "826B013B4B000000072B022C0100296E5A1004F0AA9B77A8E8416D967F13D99AC2B3AB461E5F6964002B020004"
"""The token of the event before the one that is over 16 MB, in a reply that was left out."""
NOISE_ENDED = Timestamp(1795242959, 43)
SAME_SERVER = {"checkpoint_transaction_conflicts": 17}
"""How often the failpoint was met before a conversation."""


def conversation(scenario: str) -> list[Exchange]:
    return list(restored(scenario, exchanges(scenario)))


def start_of(played: list[Exchange]) -> Timestamp:
    times = (exchange.reply["operationTime"] for exchange in played if "operationTime" in (exchange.reply or {}))
    return next(times, Timestamp(1795242000, 1))


def prepare(player: Player, scenario: str) -> None:
    """What was done on the recorded server before the conversation began."""
    player.member.failpoints.met = SAME_SERVER.get(scenario, 0)
    if scenario == "doctor_reads":
        player.mapping.times.learn(OLDEST_ENTRY, player.member.engine.clock.last)
    if scenario in ROLES:
        player.send(0, {"insert": "a", "$db": "shop", "documents": [{"_id": 1}]})
        player.log_in(ROLES[scenario])


def roll(player: Player) -> None:
    """Write until the oplog has forgotten everything else."""
    player.second = NOISE_ENDED.time
    for number in range(50):
        player.send(0, {"insert": "noise", "$db": "other", "documents": [{"_id": number}]})
    player.member.engine.oplog.roll(20)
    player.mapping.times.learn(NOISE_ENDED, player.member.engine.clock.last)


def differences(player: Player, exchange: Exchange, hold: Timestamp | None) -> list[str]:
    """How the reply to one command differs; of one left out for its size, whether the size does.

    Such a reply does not say what a majority had when a stream was read: ``hold`` does.
    """
    if exchange.reply is None or "left_out" not in exchange.reply:
        return player.play(exchange)
    player.member.engine.oplog.held = hold
    played = player.send(exchange.connection, player.command(exchange.command))
    player.member.engine.oplog.held = None
    assert played is not None
    if hold is not None:
        player.mapping.same_token(LARGE_EVENT, played["cursor"]["postBatchResumeToken"]["_data"])
    size, recorded = len(encode(played)), bytes_left_out(exchange.reply)
    return [] if size == recorded else [f"{recorded} bytes recorded, {size} played"]


def test_tokens_of_all_recorded_events_are_made_the_same() -> None:
    events = [event for scenario in scenarios() for exchange in exchanges(scenario) for event in events_of(exchange)]
    events += workload()["events"]
    assert len(events) > 2_400
    for event in events:
        token = tokens.parse(event["_id"])
        made = tokens.of_event(
            token.time, token.operation, token.uuid, event.get("documentKey"), invalid=token.from_invalidate
        )
        assert made.document == event["_id"]


def events_of(exchange: Exchange) -> list[Document]:
    cursor = (exchange.reply or {}).get("cursor", {})
    return [event for event in cursor.get("nextBatch", cursor.get("firstBatch", [])) if "operationType" in event]


def test_documents_of_every_type_come_back_as_the_same_bytes() -> None:
    for scenario in scenarios():
        for exchange in exchanges(scenario):
            for event in events_of(exchange):
                content = encode(event)
                assert encode(decode(content)) == content


@pytest.mark.parametrize("scenario", scenarios())
def test_replies_are_the_recorded_ones(scenario: str) -> None:
    played = conversation(scenario)
    replica_set = None if scenario == "standalone_refuses" else "rs0"
    with Player(start_of(played), replica_set=replica_set) as player:
        prepare(player, scenario)
        found = []
        for exchange in played:
            if scenario == "history_lost" and exchange.number == SECOND_LOST:
                roll(player)
            held = player.mapping.times.played(BEFORE_THE_LARGE_EVENT) if scenario == "event_over_16_mb" else None
            name = next(iter(exchange.command))
            found += [f"message {exchange.number}, {name}: {one}" for one in differences(player, exchange, held)]
    assert found == []
