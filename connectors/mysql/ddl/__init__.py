"""Follows what DDL in the log does to the structure of tables. Pure: statements and structures in, structures out."""
