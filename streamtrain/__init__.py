"""Online learning from the change log of a database, exactly once.

Importing the package loads nothing else: the connectors run without torch, the trainer without a database driver.
"""

__version__ = "0.1.0"
