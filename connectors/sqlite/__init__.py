"""Changes of a SQLite file, from a change table that triggers feed. What it promises and what not: ``source.py``."""
