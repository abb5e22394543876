"""The demo's processes and threads end with it."""

from __future__ import annotations

import os
import signal
import sqlite3
import sys
import threading
from contextlib import closing
from pathlib import Path

import pytest

from streamtrain.demo.places import Places
from streamtrain.demo.processes import Command, exit_on_sigterm
from streamtrain.demo.traffic import Traffic, Written
from streamtrain.demo.writing import Writing
from streamtrain.errors import FatalError


def terminate_within(function: str) -> None:
    """Send SIGTERM to this process as soon as its main thread is in a function of this name."""
    main = threading.main_thread().ident
    assert main is not None
    while True:
        frame = sys._current_frames().get(main)
        while frame is not None:
            if frame.f_code.co_name == function:
                os.kill(os.getpid(), signal.SIGTERM)
                return
            frame = frame.f_back


@pytest.mark.timeout(60)
def test_sigterm_ends_the_command_that_is_waited_for(tmp_path: Path) -> None:
    places = Places(tmp_path / "demo")
    places.prepare(("demo",), {"price": "numeric"})
    with closing(Traffic(places.shop, 1)) as traffic:
        traffic.step(1)
    before = signal.getsignal(signal.SIGTERM)
    command = Command(places.log("connect"), "connect", str(places.config("demo")))
    killer = threading.Thread(target=terminate_within, args=("_wait",))
    killer.start()
    with exit_on_sigterm(), pytest.raises(SystemExit) as ended:
        command.finish()
    killer.join()
    assert ended.value.code == 143
    assert signal.getsignal(signal.SIGTERM) is before
    with pytest.raises(ProcessLookupError):
        os.kill(command.pid, 0)


def test_a_second_sigterm_does_not_cut_the_ending_short() -> None:
    with exit_on_sigterm():
        with pytest.raises(SystemExit):
            os.kill(os.getpid(), signal.SIGTERM)
        os.kill(os.getpid(), signal.SIGTERM)


def result(writing: Writing) -> Written:
    while (written := writing.written()) is None:
        pass
    return written


@pytest.mark.timeout(20)
def test_an_error_in_the_writing_thread_is_raised_where_its_result_is_asked_for(tmp_path: Path) -> None:
    traffic = Traffic(tmp_path / "shop.db", 1)
    with sqlite3.connect(tmp_path / "shop.db") as connection:
        connection.execute("CREATE TRIGGER full BEFORE INSERT ON events BEGIN SELECT RAISE(ABORT, 'disk is full'); END")
    writing = Writing(traffic, 10, 1e6)
    writing.start()
    with pytest.raises(FatalError, match=r"shop\.db cannot be written: disk is full"):
        result(writing)
    traffic.close()


@pytest.mark.timeout(20)
def test_the_writing_thread_tells_what_it_wrote(tmp_path: Path) -> None:
    traffic = Traffic(tmp_path / "shop.db", 1)
    writing = Writing(traffic, 10, 1e6)
    assert writing.written() is None
    writing.start()
    assert result(writing).inserted == 10
    traffic.close()
