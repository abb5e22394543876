"""A private MariaDB 10.11."""

from __future__ import annotations

from tests.servers.database import OPEN_ROOT
from tests.servers.installation import Installation, Package
from tests.servers.private_database import Command, PrivateDatabase, Recipe

# What mariadb-install-db feeds to the server, in its order.
SYSTEM_TABLES = (
    "mysql_system_tables.sql",
    "mysql_performance_tables.sql",
    "mysql_system_tables_data.sql",
    "fill_help_tables.sql",
    "maria_add_gis_sp_bootstrap.sql",
    "mysql_sys_schema.sql",
)
ONLY_ONE_ROOT = "DELETE FROM global_priv WHERE Host <> 'localhost';\nFLUSH PRIVILEGES;\n"


def _initialise(installation: Installation) -> tuple[Command, str]:
    scripts = installation.holding(SYSTEM_TABLES[0])
    begin = "CREATE DATABASE mysql;\nUSE mysql;\nSET @auth_root_socket=NULL;\n"
    return ("--bootstrap",), "\n".join(
        (begin, *((scripts / name).read_text() for name in SYSTEM_TABLES), ONLY_ONE_ROOT, OPEN_ROOT)
    )


class PrivateMariaDB(PrivateDatabase):
    """A MariaDB of our own. ``settings`` are further options of mariadbd and win over the usual ones."""

    name = "mariadb"
    variable = "MARIADB_URL"
    recipe = Recipe(
        package=Package(program="mariadbd", version=r"Ver 10\.11\.", package="mariadb-server-core", suite="bookworm"),
        image="mariadb:10.11",
        small=(
            "--innodb-buffer-pool-size=64M",
            "--innodb-log-file-size=16M",
            "--innodb-flush-log-at-trx-commit=2",
            "--sync-binlog=0",
            "--table-open-cache=400",
        ),
        source=(
            "--server-id=1",
            "--log-bin=binlog",
            "--binlog-format=ROW",
            "--binlog-row-metadata=FULL",
            "--character-set-server=utf8mb4",
            "--local-infile=1",
        ),
        initialise=_initialise,
    )
