"""Alembic's entry: runs the migrations on the connection that ``Database.migrate`` holds."""

from alembic import context

from streamtrain.state.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    version_table="streamtrain_migrations",
)
context.run_migrations()
