"""Where the demo's files are, and its configurations."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from streamtrain.errors import ConfigError

_MARKER = ".streamtrain-demo"
_CONFIG = """\
name: {name}
source: {{kind: sqlite, url: "sqlite:///shop.db", include: ["main.events"]}}
topic: {{kind: file, directory: topics, prefix: shop}}
state: {{url: "sqlite:///state.db"}}
examples:
  from: main.events
  label: clicked
  features: {{{features}}}
model: {{kind: ftrl}}
train: {{checkpoint: {{every_slices: 25, every_s: 1, keep: 500}}}}
"""


@dataclass(frozen=True, slots=True)
class Places:
    """The demo's directory."""

    directory: Path

    @property
    def shop(self) -> Path:
        """The application's database."""
        return self.directory / "shop.db"

    @property
    def state(self) -> Path:
        """The state database."""
        return self.directory / "state.db"

    @property
    def topics(self) -> Path:
        """The topics."""
        return self.directory / "topics"

    @property
    def report(self) -> Path:
        """The page that the demo leaves."""
        return self.directory / "report.html"

    def config(self, name: str) -> Path:
        """The configuration of a run."""
        return self.directory / f"{name}.yaml"

    def log(self, name: str) -> Path:
        """What a command said."""
        return self.directory / f"{name}.log"

    def prepare(self, names: tuple[str, ...], features: dict[str, str]) -> None:
        """An empty directory with the configurations of these runs.

        Raises ConfigError if there is something there that no demo has left.
        """
        if self.directory.exists():
            if any(self.directory.iterdir()) and not (self.directory / _MARKER).exists():
                raise ConfigError(f"{self.directory} is not empty and not a demo's", hint="give another --directory")
            shutil.rmtree(self.directory)
        self.directory.mkdir(parents=True)
        (self.directory / _MARKER).touch()
        listed = ", ".join(f"{name}: {kind}" for name, kind in features.items())
        for name in names:
            self.config(name).write_text(_CONFIG.format(name=name, features=listed))
