"""Signals that ask for the end, wherever they find the process."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator

import pytest

from streamtrain.cli.stopping import Stop


@pytest.fixture
def stop() -> Iterator[Stop]:
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield Stop().install()
    for number, handler in before.items():
        signal.signal(number, handler)


def test_a_wait_lasts_its_time_and_says_that_nobody_asked(stop: Stop) -> None:
    assert not stop.wait(0.001)
    assert not stop.wait(-1)
    assert not stop()


@pytest.mark.timeout(20)
def test_a_signal_ends_the_wait_under_way_and_every_later_one(stop: Stop) -> None:
    threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGTERM)).start()
    assert stop.wait(600)
    assert stop.wait(600)
    assert stop()


@pytest.mark.timeout(20)
def test_another_thread_can_ask_and_wait() -> None:
    stop, answers = Stop(), list[bool]()
    waiting = threading.Thread(target=lambda: answers.append(stop.wait(600)))
    waiting.start()
    stop.ask()
    waiting.join()
    assert answers == [True]


@pytest.mark.timeout(60)
def test_signals_that_land_anywhere_in_a_wait_never_hang_it() -> None:
    # The timer hits the waits at every instruction in turn. With threading.Event in place of the pipe this hangs at once:
    # its lock is held by the wait that the handler interrupts. There are more signals than a pipe holds bytes, too.
    stop, signals = Stop(), 0

    def ask(*_: object) -> None:
        nonlocal signals
        signals += 1
        for _again in range(100):
            stop.ask()

    before = signal.signal(signal.SIGALRM, ask)
    signal.setitimer(signal.ITIMER_REAL, 1e-4, 1e-4)
    try:
        while signals < 1_000:
            stop.wait(1e-6)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert stop()


def test_a_second_signal_ends_the_process_at_once() -> None:
    code = (
        "import os, signal; from streamtrain.cli.stopping import Stop; Stop().install();"
        "os.kill(os.getpid(), signal.SIGTERM); os.kill(os.getpid(), signal.SIGTERM); print('still here')"
    )
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (128 + signal.SIGTERM, "")
