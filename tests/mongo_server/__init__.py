"""A stand-in for MongoDB where no server can be had: the wire protocol, change streams and transactions, in memory.

What it answers is held to recorded replies of a real replica set (``tests/golden/mongo``).
"""

from __future__ import annotations

from tests.mongo_server.access import User
from tests.mongo_server.member import Settings
from tests.mongo_server.server import MongoServer

__all__ = ["MongoServer", "Settings", "User"]
