"""``streamtrain up``: connector and trainer together, supervised."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Sequence

import typer

from streamtrain import log
from streamtrain.cli import build
from streamtrain.cli.options import ConfigFile
from streamtrain.cli.stopping import LIFELINE, Stop
from streamtrain.errors import FatalError

_log = log.get("up")

_POLL_S = 0.2
_LEAVE_S = 60.0
# A part that was killed comes back after 1 s, 2 s, 4 s … at most 30 s; one that ran this long begins at 1 s again.
_SETTLED_S = 60.0
_LONGEST_S = 30.0


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(up)


def up(context: typer.Context, config: ConfigFile) -> None:
    """Run connector and trainer as two processes and keep them running.

    A part that is killed is started again and goes on where it was; a part that gives up (its last line says why) ends the
    whole. Ctrl-C and SIGTERM end both cleanly, and so do they end when this command itself is killed.
    """
    loaded = build.load(config)
    stop = Stop().install()
    commands = ["train"] if loaded.source.kind == "none" else ["connect", "train"]
    lifeline, _held = os.pipe()  # the other end goes with this process, however it ends
    parts = [_Part([command, str(config), *common_options(context)], lifeline) for command in commands]
    try:
        for part in parts:
            part.start()
        while not stop.wait(_POLL_S):
            for part in parts:
                part.supervise()
    finally:
        for part in parts:
            part.ask_to_stop()
        for part in parts:
            part.wait()


def common_options(context: typer.Context) -> list[str]:
    """How this command was told to log, as options for its parts."""
    given = context.parent.params if context.parent is not None else {}
    options = ["--debug"] if given.get("debug") else []
    return [*options, "--log-format", given["log_format"]] if "log_format" in given else options


class _Part:
    """One supervised process: ``streamtrain WORDS...``, of which the first is the command."""

    def __init__(self, words: Sequence[str], lifeline: int) -> None:
        self._command = words[0]
        self._lifeline = lifeline
        self._words = words
        self._process: subprocess.Popen[bytes] | None = None
        self._started_s = 0.0
        self._restart_s: float | None = None
        self._delay_s = 1.0

    def start(self) -> None:
        # A session of its own: Ctrl-C on the terminal reaches this process alone, which then ends its parts in order.
        self._process = subprocess.Popen(  # noqa: S603 - this interpreter, with the command, path and options that we were given
            [sys.executable, "-m", "streamtrain", *self._words],
            env={**os.environ, LIFELINE: str(self._lifeline)},
            pass_fds=(self._lifeline,),
            start_new_session=True,
        )
        self._started_s = time.monotonic()
        self._restart_s = None
        _log.info("started", part=self._command, pid=self._process.pid)

    def supervise(self) -> None:
        """Start the part again if it was killed. Raises FatalError if it gave up."""
        now = time.monotonic()
        if self._restart_s is not None:
            if now >= self._restart_s:
                self.start()
            return
        code = self._process.poll() if self._process is not None else None
        if code is None:
            return
        if code >= 0:
            raise FatalError(f"`{self._command}` ended with exit code {code}", hint="its last lines above say why")
        if now - self._started_s > _SETTLED_S:
            self._delay_s = 1.0
        _log.warning("killed, will be started again", part=self._command, signal=-code, in_s=self._delay_s)
        self._restart_s = now + self._delay_s
        self._delay_s = min(_LONGEST_S, self._delay_s * 2)

    def ask_to_stop(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()

    def wait(self) -> None:
        if self._process is None:
            return
        try:
            self._process.wait(_LEAVE_S)
        except subprocess.TimeoutExpired:
            _log.warning("does not end, killed; it goes on from its last commit", part=self._command)
            self._process.kill()
            self._process.wait()
