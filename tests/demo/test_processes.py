"""The demo's processes and threads end with it."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from streamtrain.demo.places import Places
from streamtrain.demo.processes import exit_on_sigterm
from streamtrain.demo.traffic import Traffic, Written
from streamtrain.demo.writing import Writing
from streamtrain.errors import FatalError

DEMO = """
import sys
from contextlib import ExitStack
from pathlib import Path
from streamtrain.demo.places import Places
from streamtrain.demo.processes import Command, exit_on_sigterm

places = Places(Path(sys.argv[1]))
with exit_on_sigterm(), ExitStack() as children:
    command = Command(places.log("connect"), "connect", str(places.config("demo")))
    children.callback(command.stop)
    print(command.pid, flush=True)
    command.finish()
"""


@pytest.mark.timeout(60)
def test_sigterm_ends_the_command_that_is_waited_for(tmp_path: Path) -> None:
    places = Places(tmp_path / "demo")
    places.prepare(("demo",), {"price": "numeric"})
    with closing(Traffic(places.shop, 1)) as traffic:
        traffic.step(1)
    words = [sys.executable, "-c", DEMO, str(places.directory)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as demo:
        assert demo.stdout is not None
        pid = int(demo.stdout.readline())
        demo.terminate()
        assert demo.wait() == 143
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


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
