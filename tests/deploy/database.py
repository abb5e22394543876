"""A private MySQL with the flags of the mysql service, set up by its init.sh, and the generator that fills it."""

from __future__ import annotations

import os
import subprocess
import sys

from tests.deploy import compose
from tests.servers import debian
from tests.servers.cache import cached
from tests.servers.mysql import PrivateMySQL

SERVICE = compose.services()["mysql"]
INIT = compose.ROOT / "deploy/mysql/init.sh"
INIT_SQL = "/etc/streamtrain/init.sql"
# Each holds what would end a string of SQL or of a shell.
PASSWORDS = {
    "SOURCE_PASSWORD": 'it\'s "quoted" \\',
    "STATE_PASSWORD": "$(id); -- `x` /*",
    "GENERATOR_PASSWORD": "%s ${HOME} #",
}


def client(program: str) -> tuple[str, ...]:
    """MySQL's own command-line client ``program``, as the image has it."""
    prefix = cached("mysql-client-core-sid", lambda folder: debian.unpack("mysql-client-core", "sid", folder))
    return debian.command(prefix, f"usr/bin/{program}")


def set_up(server: PrivateMySQL) -> None:
    """What the image's entrypoint does with init.sh: source it, and feed what it says to the client."""
    mounted = compose.bind_mounts(SERVICE)[INIT_SQL]
    script = f"set -eo pipefail\ndocker_process_sql() {{ cat; }}\n{INIT.read_text()}".replace(INIT_SQL, str(mounted))
    sql = subprocess.run(("bash", "-c", script), env=os.environ | PASSWORDS, capture_output=True, check=True).stdout
    as_root(server, "mysql", stdin=sql)


def as_root(server: PrivateMySQL, program: str, *arguments: str, stdin: bytes = b"") -> bytes:
    """What MySQL's client ``program`` prints, logged in as root."""
    login = ("--protocol=tcp", "--host=127.0.0.1", f"--port={server.port}", f"--user={server.address.user}")
    return subprocess.run(
        (*client(program), "--no-defaults", *login, *arguments),
        input=stdin,
        env=os.environ | {"MYSQL_PWD": server.address.password},
        stdout=subprocess.PIPE,
        check=True,
    ).stdout


def generate(server: PrivateMySQL, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run the generator as its service does, against the private server and as fast as it can."""
    service = compose.services()["generator"]
    declared = {name: str(value) for name, value in service["environment"].items()}
    login = {"MYSQL_HOST": "127.0.0.1", "MYSQL_PORT": str(server.port)}
    password = {"MYSQL_PASSWORD": PASSWORDS["GENERATOR_PASSWORD"]}
    command = (sys.executable, compose.ROOT / "deploy/generator/generate.py")
    speed = {"RATE": "1000000", "SEED": "7"}
    chosen = declared | login | password | speed | environ
    return subprocess.run(command, env=chosen, capture_output=True, text=True, timeout=60, check=False)
