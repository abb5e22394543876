"""``streamtrain connect``: source -> topics."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Annotated

import typer

from connectors.relay import CaptureProgress, Relay
from connectors.source import SnapshotProgress
from streamtrain import log
from streamtrain.cli import build
from streamtrain.cli.display import Display
from streamtrain.cli.memory import collect_seldom, give_back_large_blocks
from streamtrain.cli.options import ConfigFile
from streamtrain.cli.reporting import ComponentReport
from streamtrain.cli.stopping import Stop
from streamtrain.config.models import Config
from streamtrain.errors import RetryableError
from streamtrain.retrying import Outage, keep_running

_log = log.get("connector")
_QUIET_S = 30.0
"""Longer than a commit may take that will fail."""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(connect)


def connect(
    config: ConfigFile,
    until_caught_up: Annotated[
        bool, typer.Option("--until-caught-up", help="End once all that is committed now has been published.")
    ] = False,
) -> None:
    """Publish the committed changes of the source to its topics, exactly once.

    Begins with a snapshot of the tables, then follows the log; goes on where the last committed transaction left off. Ctrl-C
    and SIGTERM end it cleanly; any other end loses nothing either.
    """
    capture(build.load(config), Stop().install(), until_caught_up=until_caught_up)


def capture(config: Config, stop: Stop, *, until_caught_up: bool) -> None:
    """Relay until asked to stop, through outages."""
    give_back_large_blocks()
    collect_seldom()
    build.source(config)  # a wrong kind is told before anything is waited for
    with ComponentReport(config, "connector") as report, Display("capture") as display:

        def observe(progress: CaptureProgress) -> None:
            values = {"rows": progress.rows, "transactions": progress.transactions, "lag_ms": progress.lag_ms,
                      "snapshot": progress.snapshot, **_reading(progress.reading)}  # fmt: skip
            display.show(values)
            report.running(values)

        def attempt(outage: Outage) -> None:
            source, writer = build.source(config), build.writer(config)
            try:
                relay = Relay(
                    source, writer, build.serializer(config), build.relay_settings(config), build.relay_clocks()
                )
                relay.open()
                _log.info("connected", topics=config.topic.prefix)
                relay.run(stop, ending_outage(outage, observe, time.monotonic), until_caught_up=until_caught_up)
            finally:
                source.close()
                writer.close()

        def retrying(error: RetryableError, wait_s: float) -> None:
            _log.warning("retrying", why=error.message, hint=error.hint, in_s=round(wait_s, 1))
            report.retrying(error, wait_s)

        keep_running(attempt, build.backoff(config), on_retry=retrying, wait=stop.wait, clock=time.monotonic)
        report.stopped()


def ending_outage(
    outage: Outage, observe: Callable[[CaptureProgress], None], clock: Callable[[], float]
) -> Callable[[CaptureProgress], None]:
    """``observe`` for one run of a relay, which also tells the outage when work got done.

    That is when a transaction was committed, or when there has been nothing to commit for a while. Neither rows that were
    merely read and sent count, nor that the first of them are still awaited: a topic that fails at every commit would
    never reach the retry deadline. ``clock`` gives seconds that only rise.
    """
    committed, quiet_since = 0, clock()

    def working(progress: CaptureProgress) -> None:
        nonlocal committed, quiet_since
        if progress.unpublished:
            quiet_since = clock()
        if progress.transactions > committed or clock() - quiet_since >= _QUIET_S:
            outage.healthy()
        committed = progress.transactions
        observe(progress)

    return working


def _reading(progress: SnapshotProgress | None) -> dict[str, object]:
    """How far a snapshot has come, as it is shown. The server's estimate of a table's rows may be a good deal off."""
    if progress is None:
        return {}
    percent = min(99, 100 * progress.table_rows // progress.table_estimate) if progress.table_estimate else None
    return {
        "kind": progress.kind,
        "paused": progress.paused or None,
        "reading": progress.table,
        "table_rows": progress.table_rows,
        "percent": percent,
        "tables_left": progress.tables_left,
        "rows_per_s": round(progress.rows_per_s),
    }
