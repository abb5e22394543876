"""Commands as real processes that start in milliseconds: forked from a server that has torch and the rest loaded.

A process of its own to the last consequence (SIGKILL ends it and nothing else), without the seconds that importing torch
takes each time.
"""

from __future__ import annotations

import multiprocessing
import os
import sys
from collections.abc import Sequence
from multiprocessing.context import ForkServerProcess
from pathlib import Path

from streamtrain import faults

_PRELOADED = [
    "streamtrain.cli.app",
    "streamtrain.cli.session",
    "streamtrain.cli.replaying",
    "streamtrain.cli.predicting",
]

_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(_PRELOADED)


def start(words: Sequence[str], output: Path, errors: Path, crash_at: str | None = None) -> ForkServerProcess:
    """Run ``streamtrain WORDS...``; standard output and error go to these files."""
    process = _context.Process(target=_run, args=(list(words), str(output), str(errors), crash_at or ""))
    process.start()
    return process


def _run(words: list[str], output: str, errors: str, crash_at: str) -> None:
    for descriptor, path in ((1, output), (2, errors)):
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        os.dup2(file, descriptor)
        os.close(file)
    sys.stdout, sys.stderr = os.fdopen(1, "w"), os.fdopen(2, "w")
    faults.arm(crash_at)
    from streamtrain.cli.app import main

    try:
        main(words)
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
