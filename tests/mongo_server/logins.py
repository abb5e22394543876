"""Logging in with a name and a password: the server's half of SCRAM-SHA-256 (RFC 5802, RFC 7677)."""

from __future__ import annotations

import base64
import hashlib
import hmac

from tests.mongo_server.access import Access, User
from tests.mongo_server.errors import CommandError

ITERATIONS = 4096
NO_CHANNEL_BINDING = "biws"
"""``n,,`` in base64."""


def _failed() -> CommandError:
    return CommandError(18, "Authentication failed.")


def _fields(message: str) -> dict[str, str]:
    return dict(part.split("=", 1) for part in message.split(","))  # type: ignore[misc]


class Login:
    """One conversation: the client's two messages and the answers to them."""

    def __init__(self, access: Access, database: str, payload: bytes) -> None:
        self._bare = payload.decode().removeprefix("n,,")
        fields = _fields(self._bare)
        found = access.users.get(fields["n"].replace("=2C", ",").replace("=3D", "="))
        if found is None or found.database != database:
            raise _failed()
        self.user: User = found
        self._nonce = fields["r"] + "c3RhbmQtaW4"
        self._salt = hashlib.sha256(found.name.encode()).digest()[:16]

    def challenge(self) -> bytes:
        """The server's first message."""
        salt = base64.b64encode(self._salt).decode()
        return f"r={self._nonce},s={salt},i={ITERATIONS}".encode()

    def verdict(self, payload: bytes) -> bytes:
        """The server's last message; raises error 18 for a wrong password."""
        message = payload.decode()
        fields = _fields(message)
        without_proof = message.rpartition(",p=")[0]
        signed = ",".join([self._bare, self.challenge().decode(), without_proof]).encode()
        salted = hashlib.pbkdf2_hmac("sha256", self.user.password.encode(), self._salt, ITERATIONS)
        client_key = hmac.digest(salted, b"Client Key", "sha256")
        signature = hmac.digest(hashlib.sha256(client_key).digest(), signed, "sha256")
        proof = bytes(one ^ other for one, other in zip(client_key, signature, strict=True))
        sent = base64.b64decode(fields["p"])
        if fields["c"] != NO_CHANNEL_BINDING or fields["r"] != self._nonce or not hmac.compare_digest(proof, sent):
            raise _failed()
        server_key = hmac.digest(salted, b"Server Key", "sha256")
        return b"v=" + base64.b64encode(hmac.digest(server_key, signed, "sha256"))
