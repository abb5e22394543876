"""The rows of a SELECT that has been sent, taken as they arrive, so that other work goes on while the server reads."""

from __future__ import annotations

from collections.abc import Callable

from connectors.mysql.packets import PacketReader

Check = Callable[[bytes], bytes]
"""Raises the server's error that a packet holds; else gives it back."""

_EOF = 0xFE
_ERROR = 0xFF
_LONGEST_EOF = 9


class ResultRows:
    """One answer of the server. To be read until ``ended`` before anything else is asked on its connection.

    https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_com_query_response_text_resultset.html
    """

    def __init__(self, packets: PacketReader, check: Check, columns: int) -> None:
        self._packets = packets
        self._check = check
        self._definitions_left = columns + 2  # their number before them, and an EOF after
        self.ended = False

    def fileno(self) -> int:
        """The descriptor by which to wait for more, once a read gave nothing."""
        return self._packets.fileno()

    def read(self, timeout_s: float, late: Callable[[], bool]) -> tuple[list[bytes], int]:
        """The rows that have arrived, as the server sent them, and their bytes; waits at most ``timeout_s`` seconds for each packet.

        Returns when nothing more came within that time, when ``late`` says so, or at the end.
        """
        rows, size = self._arrived(timeout_s, late)
        if self.ended:
            self._packets.release()
        return rows, size

    def _arrived(self, timeout_s: float, late: Callable[[], bool]) -> tuple[list[bytes], int]:
        rows: list[bytes] = []
        size = 0
        while not self.ended:
            if not self._definitions_left and (run := self._packets.rows()):
                rows += run
                size += sum(map(len, run))
                if late():
                    break
                continue
            packet = self._packets.read(timeout_s)
            if packet is None:
                break
            first = packet[0]
            if first >= _EOF:
                if first == _ERROR:
                    self.ended = True
                    self._packets.release()
                    self._check(packet)
                if len(packet) < _LONGEST_EOF:
                    if self._definitions_left:
                        self._definitions_left = 0
                        continue
                    self.ended = True
                    break
            if self._definitions_left:
                self._definitions_left -= 1
                continue
            rows.append(packet)
            size += len(packet)
        return rows, size
