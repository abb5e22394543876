"""TLS to the servers of MySQL's protocol and of MongoDB's: how far it is insisted upon, with which files, and what its failures mean.

The modes and their names are those of MySQL's ``--ssl-mode``
(https://dev.mysql.com/doc/refman/9.4/en/connection-options.html#option_general_ssl-mode). Only a server that is verified
is known to be the one that is meant: `required` keeps listeners out, not those who answer in the server's place.
"""

from __future__ import annotations

import re
import ssl
from dataclasses import dataclass
from enum import Enum
from typing import Any

from streamtrain.errors import ConfigError


class TlsMode(Enum):
    """How far TLS is insisted upon."""

    DISABLED = "disabled"
    PREFERRED = "preferred"
    REQUIRED = "required"
    VERIFY_CA = "verify_ca"
    VERIFY_IDENTITY = "verify_identity"

    @property
    def verifies(self) -> bool:
        """Whether the server has to prove who it is."""
        return self in {TlsMode.VERIFY_CA, TlsMode.VERIFY_IDENTITY}


@dataclass(frozen=True, slots=True)
class Tls:
    """TLS mode and PEM files: the authority's certificate, and the client's own with its key."""

    mode: TlsMode = TlsMode.PREFERRED
    ca: str | None = None
    cert: str | None = None
    key: str | None = None

    def context(self) -> ssl.SSLContext | None:
        """What a connection is wrapped by; None where TLS is not insisted upon. Raises ConfigError on unusable files."""
        if self.mode in {TlsMode.DISABLED, TlsMode.PREFERRED}:
            return None
        try:
            context = ssl.create_default_context(cafile=self.ca)
            # The certificates that MySQL makes for itself lack what strict verification asks for.
            context.verify_flags &= ~ssl.VERIFY_X509_STRICT
            context.check_hostname = self.mode is TlsMode.VERIFY_IDENTITY
            context.verify_mode = ssl.CERT_REQUIRED if self.mode.verifies else ssl.CERT_NONE
            if self.cert:
                # Without a password of its own, OpenSSL would ask for an encrypted key's on the terminal, and wait.
                context.load_cert_chain(self.cert, self.key, password="")
        except (OSError, ValueError) as error:
            files = ", ".join(file for file in (self.ca, self.cert, self.key) if file)
            raise ConfigError(
                f"the TLS files {files} cannot be used: {error}",
                hint="name PEM files that this process may read; the key without a password",
            ) from None
        return context

    def mongo_options(self, section: str) -> dict[str, Any]:
        """The options of MongoDB's drivers; ``section`` holds the settings. Raises ConfigError on what they cannot do.

        MongoDB's servers do not negotiate: where nothing is insisted upon, the URL says whether TLS is spoken.
        """
        if self.mode is TlsMode.PREFERRED:
            return {}
        if self.mode is TlsMode.DISABLED:
            return {"tls": False}
        if self.key not in {None, self.cert}:
            raise ConfigError(
                f"{section}.key cannot be a file of its own for MongoDB", hint="put key and certificate into cert"
            )
        files = {"tlsCAFile": self.ca, "tlsCertificateKeyFile": self.cert}
        return {
            "tls": True,
            "tlsAllowInvalidCertificates": not self.mode.verifies,
            "tlsAllowInvalidHostnames": self.mode is not TlsMode.VERIFY_IDENTITY,
            **{option: file for option, file in files.items() if file is not None},
        }


@dataclass(frozen=True, slots=True)
class Refusal:
    """A handshake that failed: what mends it, and whether it would fail again (``final``) or may have been chance."""

    hint: str
    final: bool = True


def refusal(failure: BaseException | None, section: str) -> Refusal | None:
    """What to make of the error of a driver, or of a client of HTTP, if TLS is behind it; else None.

    ``section`` holds the settings.
    """
    error = _handshake_error(failure)
    reason, said = _told(failure) if error is None else (error.reason or "", getattr(error, "verify_message", ""))
    distrusted = f"set {section}.cert and {section}.key to a certificate that it trusts"
    if isinstance(error, ssl.SSLCertVerificationError) or reason == "CERTIFICATE_VERIFY_FAILED":
        return Refusal(_unverified(said, section))
    if "ALERT" in reason:
        return Refusal(f"the server refused our certificate: {distrusted}")
    if isinstance(error, ssl.SSLEOFError):  # some servers say why they hang up, some do not get to it
        return Refusal(f"if the server is up, it may have refused our certificate: {distrusted}", final=False)
    if reason in {"WRONG_VERSION_NUMBER", "UNSUPPORTED_PROTOCOL"}:
        return Refusal("the server offers no version of TLS that is safe: update it")
    return None


def _unverified(said: str, section: str) -> str:
    if "mismatch" in said:
        return (
            f"connect to the host by a name of its certificate, or set {section}.mode: verify_ca, which trusts every "
            "server with a certificate of the authority"
        )
    return f"set {section}.ca to the certificate of the authority that signed the server's"


def _handshake_error(failure: BaseException | None) -> ssl.SSLError | None:
    """The error of TLS that a driver's error was raised over. PyMySQL keeps some apart, as ``original_exception``."""
    while failure is not None and not isinstance(failure, ssl.SSLError):
        failure = getattr(failure, "original_exception", None) or failure.__cause__ or failure.__context__
    return failure


_OPENSSL = re.compile(r"\[SSL: (\w+)\] (.*)")


def _told(failure: BaseException | None) -> tuple[str, str]:
    """Reason and text of an error of TLS of which only the text is left, as PyMongo keeps it of a server that it watches."""
    found = _OPENSSL.search(str(failure))
    return ("", "") if found is None else (found[1], found[2])
