"""What our private MySQL and MariaDB have in common: made by a recipe, from a copy of an initialised data directory."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from tests.servers import docker
from tests.servers.cache import cached
from tests.servers.database import PASSWORD, Address, Database
from tests.servers.errors import ServerUnavailable
from tests.servers.installation import Installation, Package, install
from tests.servers.instances import InstanceFolder
from tests.servers.ports import free_port
from tests.servers.process import Process
from tests.servers.server import PrivateServer
from tests.servers.system import run, say

Command = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Recipe:
    """How one kind of database server is had, initialised and started.

    ``initialise`` is given the installation and the program with its paths; it returns the options, and the standard
    input, with which the program fills its data directory and ends.
    """

    package: Package
    image: str
    small: Command  # settings that keep a test server small and quick; also in force while it is initialised
    source: Command  # settings that capture needs of a source
    initialise: Callable[[Installation], tuple[Command, str]]


class PrivateDatabase(Database, PrivateServer):
    """A database server of our own. ``settings`` are further options of its program and win over the recipe's."""

    recipe: ClassVar[Recipe]

    def __init__(self, *settings: str) -> None:
        self.fetch()
        port = free_port()
        folder = InstanceFolder(self.name)
        log = folder.path / "server.log"
        runner = self._runner_for(folder.path, log, port, (*self.recipe.small, *self.recipe.source, *settings))
        PrivateServer.__init__(self, runner, folder, port=port, log_path=log)
        Database.__init__(self, Address("127.0.0.1", port))

    @classmethod
    def fetch(cls) -> None:
        """Bring all that a start needs into the cache; raises ServerUnavailable if the server cannot be had."""
        if installation := cls._installation():
            cls._template(installation)
        else:
            docker.pull(cls.recipe.image)

    @classmethod
    def _installation(cls) -> Installation | None:
        """The program to run; None if a container has to stand in."""
        try:
            return install(cls.recipe.package)
        except ServerUnavailable as missing:
            docker.require_engine(missing, cls.variable)
            return None

    @classmethod
    def _runner_for(cls, folder: Path, log: Path, port: int, settings: Command) -> Process | docker.Container:
        if (installation := cls._installation()) is None:
            environment = {"MYSQL_ROOT_PASSWORD": PASSWORD, "MYSQL_ROOT_HOST": "%"}
            return docker.Container(docker.Image(cls.recipe.image, 3306, environment, settings), port=port, log=log)
        data, temporary = folder / "data", folder / "tmp"
        shutil.copytree(cls._template(installation), data)
        temporary.mkdir()
        # Not the machine's: a MariaDB that starts removes the temporary tables in its directory, another server's too.
        where = (f"--port={port}", "--bind-address=127.0.0.1", f"--tmpdir={temporary}")
        return Process((*_program(installation, data), *where, *settings), log=log, folder=folder)

    @classmethod
    def _template(cls, installation: Installation) -> Path:
        """An initialised data directory to copy, made once per installation and recipe."""
        options, statements = cls.recipe.initialise(installation)
        settings = (*options, "--skip-log-bin", *cls.recipe.small)

        def initialise(folder: Path) -> None:
            say(f"initialising a data directory of {cls.name} ...")
            run((*_program(installation, folder), *settings), stdin=statements.encode())
            (folder / "auto.cnf").unlink(missing_ok=True)  # each copy of a MySQL's gets a server UUID of its own

        return cached(installation.cache_name(f"{cls.name}-data", *settings, statements), initialise)


def _program(installation: Installation, data: Path) -> Command:
    return (
        *installation.command,
        "--no-defaults",
        *(("--user=root",) if os.geteuid() == 0 else ()),
        f"--basedir={installation.home}",
        f"--plugin-dir={installation.home}/lib/mysql/plugin",
        f"--lc-messages-dir={installation.holding('english/errmsg.sys')}",
        f"--datadir={data}",
        "--socket=server.sock",  # relative to the data: a socket's whole path may not be longer than 107 bytes
        "--pid-file=server.pid",
    )
