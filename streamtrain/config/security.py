"""TLS to a server of MySQL's protocol, and the files that the settings of topics name."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, Self

from pydantic import Field, model_validator

from streamtrain.config.secret import Secret
from streamtrain.config.section import Section, at_key
from streamtrain.tls import Tls, TlsMode

_FILES = ("ca", "cert", "key")
_LOCATION = ".location"
_PROBE = "probe"


class TlsFiles(Section):
    """How far TLS is insisted upon, and with which PEM files."""

    mode: Literal["disabled", "preferred", "required", "verify_ca", "verify_identity"] | None = Field(
        default=None,
        description="As MySQL's `--ssl-mode`: `preferred` takes TLS if the server offers it, `required` insists, "
        "`verify_ca` also wants the server's certificate signed by `ca`, `verify_identity` also for this host. "
        "`null`: `verify_identity` if `ca` is set, `required` if `cert` is, else `preferred`.",
    )
    ca: Path | None = Field(
        default=None, description="PEM file: the authority that signed the server's certificate. `null`: the system's."
    )
    cert: Path | None = Field(default=None, description="PEM file: our own certificate, if the account needs one.")
    key: Path | None = Field(
        default=None, description="PEM file: the key of `cert`, without a password. `null`: it is in `cert`'s file."
    )

    @model_validator(mode="after")
    def _hangs_together(self) -> Self:
        if self.key is not None and self.cert is None:
            raise at_key("key", "belongs to cert, which is not set")
        if self.ca is not None and not self._mode.verifies:
            raise at_key("ca", f"is not used with mode {self._mode.value}; set mode to verify_ca or verify_identity")
        if self.cert is not None and self._mode in {TlsMode.DISABLED, TlsMode.PREFERRED}:
            raise at_key("cert", f"is not used with mode {self._mode.value}; set mode to required or one that verifies")
        return self

    @property
    def _mode(self) -> TlsMode:
        if self.mode is not None:
            return TlsMode(self.mode)
        implied = TlsMode.REQUIRED if self.cert is not None else TlsMode.PREFERRED
        return TlsMode.VERIFY_IDENTITY if self.ca is not None else implied

    def settings(self) -> Tls:
        """What a connection is told."""
        ca, cert, key = (None if file is None else str(file) for file in (self.ca, self.cert, self.key))
        return Tls(self._mode, ca, cert, key)

    def under(self, directory: Path) -> TlsFiles:
        """The same with relative paths taken from ``directory``."""
        files = {name: getattr(self, name) for name in _FILES}
        return self.model_copy(
            update={name: directory / file for name, file in files.items() if file is not None},
        )


def located(security: dict[str, Secret], directory: Path) -> dict[str, Secret]:
    """Settings of librdkafka with the relative paths among them (``ssl.ca.location``) taken from ``directory``."""
    return {
        name: Secret(str(directory / value.reveal()))
        if name.endswith(_LOCATION) and value.reveal() != _PROBE
        else value
        for name, value in security.items()
    }
