"""The first tables: runs, checkpoints and their parts, dead letters, deletions, schedule, metrics, components."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

NAME = sa.String(length=190).with_variant(
    mysql.VARCHAR(190, charset="utf8mb4", collation="utf8mb4_bin"), "mysql", "mariadb"
)
TOPIC = sa.String(length=249).with_variant(
    mysql.VARCHAR(249, charset="ascii", collation="ascii_bin"), "mysql", "mariadb"
)
KEY = sa.String(length=512).with_variant(
    mysql.VARCHAR(512, charset="utf8mb4", collation="utf8mb4_bin"), "mysql", "mariadb"
)
LONG_TEXT = sa.Text().with_variant(mysql.LONGTEXT(), "mysql", "mariadb")
LONG_BLOB = sa.LargeBinary().with_variant(mysql.LONGBLOB(), "mysql", "mariadb")
ID = sa.BigInteger().with_variant(sa.INTEGER(), "sqlite")


TABLE_OPTIONS = {
    "mysql_engine": "InnoDB",
    "mysql_charset": "utf8mb4",
    "mariadb_engine": "InnoDB",
    "mariadb_charset": "utf8mb4",
}


# MySQL commits at each statement here, before the revision is written: an upgrade that was killed is run again over what
# it had made, and makes the rest.
def _create_table(name: str, *parts: sa.schema.SchemaItem) -> None:
    op.create_table(name, *parts, if_not_exists=True, **TABLE_OPTIONS)


def _create_index(name: str, table: str, columns: list[str]) -> None:
    present = {index["name"] for index in sa.inspect(op.get_bind()).get_indexes(table)}
    if name not in present:
        op.create_index(name, table, columns)


def upgrade() -> None:
    """Create the tables of the first version."""
    _create_table(
        "streamtrain_components",
        sa.Column("run", NAME, nullable=False),
        sa.Column("component", sa.String(length=32), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("detail", LONG_TEXT, nullable=False),
        sa.Column("updated_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("run", "component"),
    )
    _create_table(
        "streamtrain_runs",
        sa.Column("name", NAME, nullable=False),
        sa.Column("epoch", sa.BigInteger(), nullable=False),
        sa.Column("created_ms", sa.BigInteger(), nullable=False),
        sa.Column("parent", NAME, nullable=True),
        sa.Column("config", LONG_TEXT, nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
    _create_table(
        "streamtrain_checkpoints",
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.Column("run", NAME, nullable=False),
        sa.Column("epoch", sa.BigInteger(), nullable=False),
        sa.Column("format", sa.Integer(), nullable=False),
        sa.Column("slice", sa.BigInteger(), nullable=False),
        sa.Column("events", sa.BigInteger(), nullable=False),
        sa.Column("created_ms", sa.BigInteger(), nullable=False),
        sa.Column("weights_sha256", sa.String(length=64), nullable=False),
        sa.Column("state_sha256", sa.String(length=64), nullable=False),
        sa.Column("offsets", LONG_TEXT, nullable=False),
        sa.Column("resume_offsets", LONG_TEXT, nullable=False),
        sa.Column("metrics", LONG_TEXT, nullable=False),
        sa.Column("settings", LONG_TEXT, nullable=False),
        sa.Column("versions", LONG_TEXT, nullable=False),
        sa.ForeignKeyConstraint(
            ["run"],
            ["streamtrain_runs.name"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    _create_index("streamtrain_checkpoints_by_run", "streamtrain_checkpoints", ["run", "id"])
    _create_table(
        "streamtrain_config_changes",
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.Column("run", NAME, nullable=False),
        sa.Column("checkpoint_id", ID, nullable=False),
        sa.Column("created_ms", sa.BigInteger(), nullable=False),
        sa.Column("differences", LONG_TEXT, nullable=False),
        sa.ForeignKeyConstraint(
            ["run"],
            ["streamtrain_runs.name"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    _create_table(
        "streamtrain_dead_letters",
        sa.Column("run", NAME, nullable=False),
        sa.Column("topic", TOPIC, nullable=False),
        sa.Column("partition", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("offset", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("reason", sa.String(length=64), nullable=False),
        sa.Column("message", LONG_TEXT, nullable=False),
        sa.Column("row_key", KEY, nullable=True),
        sa.Column("slice", sa.BigInteger(), nullable=False),
        sa.Column("created_ms", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.ForeignKeyConstraint(
            ["run"],
            ["streamtrain_runs.name"],
        ),
        sa.PrimaryKeyConstraint("run", "topic", "partition", "offset"),
    )
    _create_index("streamtrain_dead_letters_by_key", "streamtrain_dead_letters", ["run", "row_key"])
    _create_table(
        "streamtrain_deletions",
        sa.Column("run", NAME, nullable=False),
        sa.Column("topic", TOPIC, nullable=False),
        sa.Column("partition", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("offset", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("row_key", KEY, nullable=True),
        sa.Column("slice", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["run"],
            ["streamtrain_runs.name"],
        ),
        sa.PrimaryKeyConstraint("run", "topic", "partition", "offset"),
    )
    _create_table(
        "streamtrain_metrics",
        sa.Column("run", NAME, nullable=False),
        sa.Column("events", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("value", sa.Float(precision=53), nullable=False),
        sa.Column("created_ms", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["run"],
            ["streamtrain_runs.name"],
        ),
        sa.PrimaryKeyConstraint("run", "events", "name"),
    )
    _create_table(
        "streamtrain_schedule",
        sa.Column("run", NAME, nullable=False),
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("topic", TOPIC, nullable=False),
        sa.Column("partition", sa.Integer(), nullable=False),
        sa.Column("start_offset", sa.BigInteger(), nullable=False),
        sa.Column("end_offset", sa.BigInteger(), nullable=False),
        sa.Column("retry", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["run"],
            ["streamtrain_runs.name"],
        ),
        sa.PrimaryKeyConstraint("run", "number"),
    )
    _create_table(
        "streamtrain_checkpoint_parts",
        sa.Column("checkpoint_id", ID, nullable=False),
        sa.Column("blob_name", NAME, nullable=False),
        sa.Column("part", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("data", LONG_BLOB, nullable=False),
        sa.ForeignKeyConstraint(["checkpoint_id"], ["streamtrain_checkpoints.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("checkpoint_id", "blob_name", "part"),
    )


def downgrade() -> None:
    """Refuse: going back before the first version would be deleting every run."""
    raise NotImplementedError("drop the streamtrain_ tables by hand if that is what is wanted")
