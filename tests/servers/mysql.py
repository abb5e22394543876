"""A private MySQL 9.7."""

from __future__ import annotations

from tests.servers.database import OPEN_ROOT
from tests.servers.installation import Installation, Package
from tests.servers.private_database import Command, PrivateDatabase, Recipe


def _initialise(_: Installation) -> tuple[Command, str]:
    return ("--initialize-insecure", "--init-file=/dev/stdin"), OPEN_ROOT


class PrivateMySQL(PrivateDatabase):
    """A MySQL of our own. ``settings`` are further options of mysqld and win over the usual ones."""

    name = "mysql"
    variable = "MYSQL_URL"
    recipe = Recipe(
        package=Package(program="mysqld", version=r"Ver 9\.", package="mysql-server-core", suite="sid"),
        image="mysql:9.7",
        small=(
            "--innodb-buffer-pool-size=64M",
            "--innodb-redo-log-capacity=16M",
            "--innodb-flush-log-at-trx-commit=2",
            "--sync-binlog=0",
            "--table-open-cache=400",
            "--performance-schema-digests-size=200",
            "--performance-schema-max-table-instances=500",
            "--mysqlx=OFF",
        ),
        source=(
            "--server-id=1",
            "--log-bin=binlog",
            "--gtid-mode=ON",
            "--enforce-gtid-consistency=ON",
            "--binlog-row-metadata=FULL",
            "--local-infile=1",
            "--secure-file-priv=",
        ),
        initialise=_initialise,
    )
