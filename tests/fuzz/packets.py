"""A damaged log as the packets that a server sends, damaged once more: what is found whole in them lies in them."""

from __future__ import annotations

import random
import struct
from collections.abc import Sequence

from connectors.mysql.binlog.plain import plain_transactions
from tests.fuzz.mutations import change

LONGEST = 0xFFFFFF


def framed(stream: Sequence[bytes]) -> list[bytes]:
    """A packet for each event that fits into one."""
    events = [event for event in stream if len(event) + 1 < LONGEST]
    return [
        struct.pack("<I", len(event) + 1 | (number & 0xFF) << 24) + b"\0" + event for number, event in enumerate(events)
    ]


def misplaced(stream: Sequence[bytes], rng: random.Random) -> str:
    """Search from every packet on; what is found outside of the data, or empty."""
    packets = framed(stream)
    data = b"".join(packets)
    if rng.random() < 0.5 and data:
        changed = bytearray(data)
        change(changed, rng, rng.randrange(len(changed)))
        data = bytes(changed)
    at, largest = 0, rng.choice([50, 400, 1 << 14, 1 << 30])
    for number, packet in enumerate(packets):
        if at > len(data):
            break
        found, behind, _ = plain_transactions(data, at, number & 0xFF, largest)
        for transaction in found:
            for change_found in transaction[4]:
                start, end = change_found[-2:]
                if not at <= start <= end <= behind:
                    return f"rows from {start} to {end} in packets from {at} to {behind}"
        if not at <= behind <= len(data):
            return f"transactions that end at {behind} of {len(data)}"
        at += len(packet)
    return ""
