"""Fetch the servers, or run some of them until Ctrl-C and print where they are."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import threading
from collections.abc import Sequence
from contextlib import ExitStack

from tests.servers import PrivateKafka, PrivateMariaDB, PrivateMySQL, ServerUnavailable
from tests.servers.apicurio import PrivateApicurio
from tests.servers.debezium import Debezium

SERVERS: dict[str, type[PrivateMySQL | PrivateMariaDB | PrivateKafka]] = {
    server.name: server for server in (PrivateMySQL, PrivateMariaDB, PrivateKafka)
}

# What tests start, but no person has a use for by itself.
LIBRARIES: dict[str, type[Debezium | PrivateApicurio]] = {"debezium": Debezium, "apicurio": PrivateApicurio}


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    # SIGINT too: a shell that starts this in the background has it ignored, and Python leaves that as it is.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        options.action(options.servers or list(SERVERS))
    except ServerUnavailable as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 0
    return 0


def fetch(names: Sequence[str]) -> None:
    """Bring servers into the cache, but those that the environment names."""
    for name in names:
        if name in LIBRARIES:
            LIBRARIES[name].fetch()
        elif SERVERS[name].variable not in os.environ:
            SERVERS[name].fetch()


def run(names: Sequence[str]) -> None:
    """Start servers, print NAME=ADDRESS lines, and keep them up until a signal comes."""
    with ExitStack() as started:
        for name in names:
            server = SERVERS[name]()
            started.enter_context(server)
            address = server.bootstrap if isinstance(server, PrivateKafka) else server.url
            print(f"{server.variable}={address}", flush=True)
        # Not pause(): a signal that comes just before it would be waited for again, for ever.
        never = threading.Event()
        while not never.wait(1.0):
            pass


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.servers", description=__doc__)
    commands = parser.add_subparsers(required=True)
    for action, names in ((fetch, [*SERVERS, *LIBRARIES]), (run, list(SERVERS))):
        command = commands.add_parser(action.__name__, help=action.__doc__)
        command.add_argument("servers", nargs="*", metavar="SERVER", choices=[*names, []], help=", ".join(names))
        command.set_defaults(action=action)
    return parser


if __name__ == "__main__":
    sys.exit(main())
