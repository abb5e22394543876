"""Signals that ask for the end, wherever they find the process."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
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


@pytest.mark.timeout(20)
def test_signals_that_land_anywhere_in_a_wait_never_hang_it() -> None:
    # With threading.Event in place of the pipe this hangs: its lock is held by the very wait that the handler interrupts.
    stop, ended = Stop(), threading.Event()
    before = signal.signal(signal.SIGUSR1, lambda *_: stop.ask())
    main = threading.get_ident()

    def disturb() -> None:
        for _ in range(2_000):
            signal.pthread_kill(main, signal.SIGUSR1)
            time.sleep(1e-5)  # room for the waits between the signals
        ended.set()

    disturbing = threading.Thread(target=disturb, daemon=True)
    disturbing.start()
    while not ended.is_set():
        stop.wait(1e-6)
    disturbing.join()
    signal.signal(signal.SIGUSR1, before)
    assert stop()


def test_asking_more_often_than_a_pipe_holds_bytes_blocks_nobody() -> None:
    stop = Stop()
    for _ in range(70_000):
        stop.ask()
    assert stop.wait(600)


def test_a_second_signal_ends_the_process_at_once() -> None:
    code = (
        "import os, signal; from streamtrain.cli.stopping import Stop; Stop().install();"
        "os.kill(os.getpid(), signal.SIGTERM); os.kill(os.getpid(), signal.SIGTERM); print('still here')"
    )
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (128 + signal.SIGTERM, "")
