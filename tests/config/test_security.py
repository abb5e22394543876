from pathlib import Path
from typing import Any

import pytest

from streamtrain.config import load_config
from streamtrain.config.endpoints import KafkaTopics, MysqlSource
from streamtrain.errors import ConfigError
from streamtrain.tls import Tls, TlsMode
from tests.config.samples import ENVIRON, SMALLEST, load

SOURCE = "include: [shop.events]"


def tls_of(directory: Path, section: str) -> Tls:
    config = load(directory, SMALLEST.replace(SOURCE, f"{SOURCE}, tls: {section}"))
    assert isinstance(config.source, MysqlSource)
    return config.source.tls.settings()


@pytest.mark.parametrize(
    ("section", "mode"),
    [
        ("{}", TlsMode.PREFERRED),
        ("{mode: disabled}", TlsMode.DISABLED),
        ("{ca: ca.pem}", TlsMode.VERIFY_IDENTITY),
        ("{cert: us.pem}", TlsMode.REQUIRED),
        ("{mode: verify_ca, ca: ca.pem}", TlsMode.VERIFY_CA),
        ("{mode: verify_identity}", TlsMode.VERIFY_IDENTITY),
    ],
)
def test_the_mode_follows_from_the_files_unless_it_is_set(tmp_path: Path, section: str, mode: TlsMode) -> None:
    assert tls_of(tmp_path, section).mode is mode


def test_files_are_taken_from_the_directory_of_the_configuration(tmp_path: Path) -> None:
    found = tls_of(tmp_path, "{ca: ca.pem, cert: us.pem, key: /etc/us.key}")
    assert found == Tls(TlsMode.VERIFY_IDENTITY, f"{tmp_path}/ca.pem", f"{tmp_path}/us.pem", "/etc/us.key")
    security = "security: {security.protocol: SSL, ssl.ca.location: ca.pem, ssl.key.location: /etc/us.key}"
    config = load(tmp_path, SMALLEST.replace("prefix: shop", f"prefix: shop, {security}"))
    assert isinstance(config.topic, KafkaTopics)
    assert {name: value.reveal() for name, value in config.topic.security.items()} == {
        "security.protocol": "SSL", "ssl.ca.location": f"{tmp_path}/ca.pem", "ssl.key.location": "/etc/us.key",
    }  # fmt: skip
    state = "state: {url: 'mysql://a:b@c/d', tls: {ca: ca.pem}}\n"
    assert load(tmp_path, SMALLEST + state).state.tls.settings().ca == f"{tmp_path}/ca.pem"


def test_the_systems_authorities_are_looked_for_where_they_are(tmp_path: Path) -> None:
    security = "security: {ssl.ca.location: probe}"
    config: Any = load(tmp_path, SMALLEST.replace("prefix: shop", f"prefix: shop, {security}"))
    assert config.topic.security["ssl.ca.location"].reveal() == "probe"


@pytest.mark.parametrize(
    ("section", "told"),
    [
        ("{key: us.key}", "source.tls.key: belongs to cert"),
        ("{mode: required, ca: ca.pem}", "source.tls.ca: is not used with mode required"),
        ("{mode: preferred, cert: us.pem}", "source.tls.cert: is not used with mode preferred"),
        ("{mode: VERIFY, ca: x}", "source.tls.mode: must be one of"),
        ("{certificate: x}", "source.tls.certificate: unknown key"),
    ],
)
def test_settings_that_would_have_no_effect_are_refused(tmp_path: Path, section: str, told: str) -> None:
    with pytest.raises(ConfigError) as caught:
        tls_of(tmp_path, section)
    assert told in caught.value.message


@pytest.mark.parametrize("section", ["source", "state"])
def test_options_in_a_url_are_refused_with_the_section_that_takes_them(tmp_path: Path, section: str) -> None:
    text = {
        "source": SMALLEST.replace("127.0.0.1:3306", "127.0.0.1:3306/?ssl_mode=required"),
        "state": SMALLEST + "state: {url: 'mysql://a:b@c/d?ssl_ca=x'}\n",
    }[section]
    (tmp_path / "streamtrain.yaml").write_text(text)
    with pytest.raises(ConfigError, match=rf"TLS is set by {section}\.tls"):
        load_config(tmp_path / "streamtrain.yaml", ENVIRON)
