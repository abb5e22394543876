"""The packets of a dump -> the events of the log."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from connectors.mysql.binlog.decoder import EventDecoder
from connectors.mysql.binlog.events import Event, TransactionPayload
from connectors.mysql.binlog.plain import Found
from connectors.mysql.packets import LargePayload, PacketReader

_EVENT = 0x00


class LogEvents:
    """Gives the events one by one, those of a packed transaction too, or small transactions as one where that is asked for."""

    def __init__(self, packets: PacketReader, decoder: EventDecoder, end: Callable[[bytes], None]) -> None:
        """``end`` is given what the server says instead of sending another event; it raises unless that is a good end."""
        self._packets = packets
        self._decoder = decoder
        self._end = end
        self._packed: Iterator[Event] | None = None
        """What is left of a transaction that came as one event."""
        self._plain: tuple[bytes, list[Found]] = (b"", [])
        """What is left of the transactions that were found whole, the next one last, and the bytes in which they lie."""

    @property
    def received(self) -> int:
        """Bytes that have arrived, of events that are not whole yet too."""
        return self._packets.received

    def read(self, timeout_s: float, largest: int = 0) -> Event | None:
        """The next event; None if none came within ``timeout_s``, or after the end.

        ``largest``, to be given between two transactions only: a plain one of at most so many bytes may come as one event.
        """
        data, found = self._plain
        if not found and largest and self._packed is None and self._decoder.checksummed:
            data, found = self._plain = self._packets.plain_transactions(largest)
            found.reverse()
        if found:
            return self._decoder.decode_plain(data, found.pop())
        return self._read(timeout_s)

    def _read(self, timeout_s: float) -> Event | None:
        while True:
            if self._packed is not None:
                event = next(self._packed, None)
                if event is not None:
                    return event
                self._packed = None
            packet = self._packets.read_any(timeout_s)
            if packet is None:
                return None
            if isinstance(packet, LargePayload):
                event = self._decoder.decode(packet.rest)
            elif packet[0] == _EVENT:
                event = self._decoder.decode(packet[1:])
            else:
                self._end(packet)
                return None
            if not isinstance(event, TransactionPayload):
                return event
            self._packed = event.events
