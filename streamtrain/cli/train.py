"""``streamtrain train``: topics -> model."""

from __future__ import annotations

import time
from typing import Annotated

import typer

from streamtrain import log
from streamtrain.cli import build
from streamtrain.cli.display import Display
from streamtrain.cli.options import ConfigFile
from streamtrain.cli.reporting import ComponentReport
from streamtrain.cli.session import TrainingSession
from streamtrain.cli.stopping import Stop
from streamtrain.config.models import Config
from streamtrain.errors import RetryableError
from streamtrain.retrying import Outage, keep_running
from streamtrain.trainer.worker import TrainingProgress

_log = log.get("trainer")


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(train)


def train(
    config: ConfigFile,
    until_caught_up: Annotated[
        bool, typer.Option("--until-caught-up", help="End at the end of the log as it stands when this begins.")
    ] = False,
    max_events: Annotated[
        int | None, typer.Option("--max-events", min=1, help="End after this many change records.")
    ] = None,
    accept_config: Annotated[
        bool,
        typer.Option("--accept-config", help="Go on although settings that decide the weights have changed; recorded."),
    ] = False,
) -> None:
    """Train the model from the topic, exactly once, and checkpoint it with its offsets.

    Goes on from the newest whole checkpoint. Ctrl-C and SIGTERM finish the slice, checkpoint and leave; after any other end
    the next start reaches the same state, bit for bit.
    """
    loaded = build.load(config)
    session = TrainingSession(
        loaded, max_events=max_events, until_caught_up=until_caught_up, accept_config=accept_config
    )
    learn(loaded, session, Stop().install())


def learn(config: Config, session: TrainingSession, stop: Stop) -> None:
    """Train until the session's limit is reached or a stop is asked for, through outages."""
    build.pin_threads(config)
    with ComponentReport(config, "trainer") as report, Display("train") as display:

        def attempt(outage: Outage) -> None:
            def working(progress: TrainingProgress) -> None:
                outage.healthy()
                display.show(_shown(progress))

            session.run(stop, working)

        def retrying(error: RetryableError, wait_s: float) -> None:
            _log.warning("retrying", why=error.message, in_s=round(wait_s, 1))
            report.retrying(error, wait_s)

        keep_running(attempt, build.backoff(config), on_retry=retrying, wait=stop.wait, clock=time.monotonic)


def _shown(progress: TrainingProgress) -> dict[str, object]:
    chosen = ("auc", "log_loss", "baseline_log_loss", "accuracy", "mae")
    scores = {name: progress.metrics[name] for name in chosen if name in progress.metrics}
    return {
        "events": progress.events,
        "slices": progress.slices,
        "lag": progress.lag_records,
        "checkpoints": progress.checkpoints,
        **scores,
    }
