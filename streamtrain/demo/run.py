"""The demo from beginning to end: traffic, capture, training, a kill, a resumption, and the proof."""

from __future__ import annotations

import time
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path

from rich.console import Console

from streamtrain.demo.facts import Kill, events_before, report_of
from streamtrain.demo.live import Screen, View
from streamtrain.demo.places import Places
from streamtrain.demo.processes import Command, exit_on_sigterm
from streamtrain.demo.report import Timing, render
from streamtrain.demo.traffic import Traffic, Written
from streamtrain.demo.writing import Writing
from streamtrain.errors import FatalError
from streamtrain.state.checkpoints import CheckpointStore
from streamtrain.state.ledger import Ledger
from streamtrain.state.opening import open_database

RUN, UNDISTURBED = "demo", "undisturbed"
FEATURES = {
    "user_id": "categorical",
    "item": "categorical",
    "device": "categorical",
    "price": "numeric",
    "weekend": "boolean",
    "created_at": "datetime",
}
_ROWS_PER_S = 800.0
_LOOK_S = 0.2
_TELL_S = 2.0
# About a third of the way through, at a slice's beginning: read, not yet learned, and not in any checkpoint.
_KILL_AT_SHARE = 0.35
_SLICE = 64


def run(directory: Path, rows: int, seed: int) -> int:
    """Run the demo in ``directory``. Returns the exit code: 0 if the killed run ended in the undisturbed one's state."""
    with exit_on_sigterm():
        return _Demo(Places(directory), rows, seed).run()


class _Demo:
    """One run of the demo."""

    def __init__(self, places: Places, rows: int, seed: int) -> None:
        self._places = places
        self._rows = rows
        self._seed = seed
        self._kill_at_slice = int(rows * _KILL_AT_SHARE) // _SLICE
        self._console = Console()
        self._view = View()
        self._written = Written()
        self._timings: list[Timing] = []
        self._began_s = time.monotonic()

    def run(self) -> int:
        self._places.prepare((RUN, UNDISTURBED), FEATURES)
        began = datetime.now().astimezone()
        traffic = Traffic(self._places.shop, self._seed)
        self._database = open_database(f"sqlite:///{self._places.state}")
        self._database.migrate()
        try:
            with Screen(self._console) as screen:
                kill = self._live(screen, traffic)
                self._prove(screen)
            report = report_of(self._database, (RUN, UNDISTURBED), kill, self._written, self._timings)
        finally:
            traffic.close()
            self._database.close()
        page = report(began.strftime("%Y-%m-%d %H:%M:%S %Z"), self._seed, self._commands())
        self._places.report.write_text(render(page), encoding="utf-8")
        return self._conclude(page.resumed_sha256, page.undisturbed_sha256)

    def _live(self, screen: Screen, traffic: Traffic) -> Kill:
        """The line at work, until everything that the application wrote has been learned."""
        self._say(f"an application writes {self._rows:,} rows to main.events; a connector and a trainer follow")
        writing = Writing(traffic, self._rows, _ROWS_PER_S)
        started_s = time.monotonic()
        with ExitStack() as commands:
            train = self._train(commands, crash_at=f"train.sliced:{self._kill_at_slice}")
            connect = self._connect(commands)
            self._await_start(screen, connect, train)
            writing.start()
            kill: Kill | None = None
            told_s = time.monotonic()
            while not self._caught_up(writing.written()):
                connect.killed()
                if kill is None and train.killed():
                    kill = self._killed(train)
                    train = self._train(commands)
                elif kill is not None:
                    self._raise_if_killed_again(train)
                self._look()
                screen.show(self._view)
                if time.monotonic() - told_s > _TELL_S:
                    told_s = time.monotonic()
                    screen.tell(self._view)
                time.sleep(_LOOK_S)
        if kill is None:
            raise FatalError("the trainer was to be killed and was not", hint="give the demo more --rows")
        self._timings.append(Timing("live: write, capture, learn, kill, resume", time.monotonic() - started_s))
        self._say("everything is learned; connector and trainer have ended cleanly")
        self._look()
        screen.show(self._view)
        return kill

    def _await_start(self, screen: Screen, connect: Command, train: Command) -> None:
        """Wait until connector and trainer have started, so that every row is seen to be captured and learned."""
        while not {"connector", "trainer"} <= set(self._ledger().components(RUN)):
            connect.killed()
            train.killed()
            screen.show(self._view)
            time.sleep(_LOOK_S)

    def _connect(self, commands: ExitStack) -> Command:
        connect = Command(self._places.log("connect"), "connect", str(self._places.config(RUN)))
        commands.callback(connect.stop)
        return connect

    def _train(self, commands: ExitStack, crash_at: str | None = None) -> Command:
        train = Command(self._places.log("train"), "train", str(self._places.config(RUN)), crash_at=crash_at)
        commands.callback(train.stop)
        return train

    def _killed(self, train: Command) -> Kill:
        learned = events_before(self._places.topics, (self._kill_at_slice - 1) * _SLICE)
        kill = Kill(at_events=learned, resumed_from=self._store().list(RUN)[-1])
        self._say(f"the trainer (pid {train.pid}) was killed by SIGKILL in the middle of a slice")
        self._say(
            f"another trainer goes on from checkpoint {kill.resumed_from.id}, at {kill.resumed_from.events:,} events"
        )
        return kill

    def _raise_if_killed_again(self, train: Command) -> None:
        if train.killed():
            raise FatalError("the resumed trainer was killed too, by somebody else")

    def _caught_up(self, written: Written | None) -> bool:
        """Whether all has been written, captured and learned."""
        if written is None:
            return False
        self._written = written
        return self._view.events >= written.inserted + written.updated + written.deleted

    def _look(self) -> None:
        parts = self._ledger().components(RUN)
        trainer, connector = parts.get("trainer", {}), parts.get("connector", {})
        self._view.captured = connector.get("rows", self._view.captured)
        self._view.slices = trainer.get("slices", self._view.slices)
        self._view.events = trainer.get("events", self._view.events)
        self._view.lag = max(0, self._view.captured - self._view.events)
        self._view.metrics = trainer.get("metrics", self._view.metrics)
        self._view.checkpoints = len(self._store().list(RUN))

    def _prove(self, screen: Screen) -> None:
        """Train once more over the same topic, undisturbed."""
        self._say("now a trainer that nothing disturbs learns the same topic from its beginning")
        screen.show(self._view)
        started_s = time.monotonic()
        words = ("train", str(self._places.config(UNDISTURBED)), "--until-caught-up")
        Command(self._places.log(UNDISTURBED), *words).finish()
        self._timings.append(Timing("undisturbed: learn the same topic", time.monotonic() - started_s))
        self._timings.append(Timing("altogether", time.monotonic() - self._began_s))

    def _conclude(self, resumed: str, undisturbed: str) -> int:
        self._console.print(f"\nstate_sha256, killed and resumed  {resumed}", soft_wrap=True)
        self._console.print(f"state_sha256, undisturbed         {undisturbed}", soft_wrap=True)
        equal = resumed == undisturbed
        self._console.print("equal, bit for bit" if equal else "DIFFERENT", style="bold green" if equal else "bold red")
        self._console.print(f"report: {self._places.report}", soft_wrap=True)
        return 0 if equal else 1

    def _commands(self) -> list[str]:
        config = self._places.config(RUN)
        return [
            f"streamtrain demo --rows {self._rows} --seed {self._seed}",
            f"streamtrain status {config}",
            f"streamtrain checkpoints {config}",
            f"streamtrain replay {config} --from beginning --verify",
        ]

    def _say(self, line: str) -> None:
        self._view.happened.append(f"{time.monotonic() - self._began_s:5.1f} s  {line}")

    def _ledger(self) -> Ledger:
        return Ledger(self._database, lambda: 0)

    def _store(self) -> CheckpointStore:
        return CheckpointStore(self._database, lambda: 0)
