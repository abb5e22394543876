"""Free ports of the loopback interface."""

from __future__ import annotations

import random
import socket
from pathlib import Path

LOWEST = 10_000
EPHEMERAL_RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")

_given: set[int] = set()


def free_port() -> int:
    """A port that nothing listens on, not handed out before by this process.

    It lies below the range from which the system takes the ports of outgoing connections. A port inside that range is
    not safe to come back to: while the server is down, a client that keeps trying may be given it as its own.
    """
    highest = _first_ephemeral_port()
    while True:
        port = random.SystemRandom().randrange(LOWEST, highest)
        if port not in _given and _can_bind(port):
            _given.add(port)
            return port


def _first_ephemeral_port() -> int:
    if not EPHEMERAL_RANGE.exists():
        return 32_768
    return max(LOWEST + 1_000, int(EPHEMERAL_RANGE.read_text().split()[0]))


def _can_bind(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
