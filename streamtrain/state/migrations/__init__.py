"""Alembic migrations of the state database, oldest first in ``versions``."""
