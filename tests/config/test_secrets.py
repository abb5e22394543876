import copy
import json
import traceback
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from streamtrain.config import Config, Secret, Url, load_config, overlay, stored_form
from streamtrain.errors import ConfigError
from tests.config.samples import PASSWORD, SMALLEST, load, smallest


def told_of(text: str) -> str:
    try:
        return str(Url(text))
    except ValueError as error:
        return "".join(traceback.format_exception(error))


def urls(password: str) -> list[str]:
    return [f"mysql://me:{password}@db:3306", f"mysql://me:{password}@db/state?ssl_key_password={password}"]


def test_a_secret_is_seen_by_asking_for_it_and_in_no_other_way() -> None:
    secret = Secret(PASSWORD)
    assert secret.reveal() == PASSWORD
    assert [str(secret), repr(secret), f"{secret}"] == ["***", "Secret('***')", "***"]


def test_each_host_of_a_url_of_mongodb_is_read() -> None:
    url = Url(f"mongodb://me:{PASSWORD}@[::1]:27018,b.example,c:1/state?replicaSet=rs0")
    assert str(url) == "mongodb://me:***@[::1]:27018,b.example,c:1/state?***"
    assert (url.host, url.port, url.database) == ("::1", 27018, "state")
    for hosts in ("a,", "a:x,b", "a,b:0", ",b", "a,b:99999"):
        with pytest.raises(ValueError, match="is not a URL"):
            Url(f"mongodb://me:{PASSWORD}@{hosts}/state")


@pytest.mark.parametrize("text", urls(PASSWORD))
def test_a_url_shows_all_but_its_secrets(text: str) -> None:
    url = Url(text)
    assert url.reveal() == text
    assert PASSWORD not in f"{url} {url!r} {url.password}"
    assert str(url).startswith("mysql://me:***@db")
    assert copy.deepcopy(url) == url


def test_a_url_without_a_password_is_shown_whole() -> None:
    for text in ("mysql://db:3306", "mysql://me@db", "sqlite:///a b.db", "sqlite:////srv/x.db"):
        assert str(Url(text)) == text


def test_two_secrets_are_equal_only_if_they_are_of_one_kind() -> None:
    assert Secret("mysql://a") != Url("mysql://a")
    assert Url("mysql://a") == Url("mysql://a") != Url("mysql://b")
    assert len({Url("mysql://a"), Url("mysql://a"), Secret("mysql://a")}) == 2


@given(st.text("abc:/?#@[]%. 1&=\\\n", min_size=1, max_size=12))
def test_no_password_however_written_shows_in_what_is_told_of_it(password: str) -> None:
    assert "zq" not in told_of(f"mysql://me:zq{password}zq@db:3306/state")


def test_a_password_with_a_port_like_beginning_is_not_taken_for_a_port() -> None:
    for password in ("12/x", "12?x", "12#x", "12@x"):
        with pytest.raises(ValueError, match="percent code"):
            Url(f"mysql://me:{password}@db:3306/state")


@pytest.mark.parametrize("text", ["", "db", "mysql", "mysql://", "mysql:///x", "mysql://db:x", "mysql://d b", "://db", "mysql://db:0",
                                  "mysql://db:99999", "mysql://[::1", "sqlite:", "sqlite://", "sqlite:///", "sqlite:///:memory:",
                                  "sqlite:///a?mode=ro", "sqlite:a.db"])  # fmt: skip
def test_what_is_no_url_of_a_server_or_a_file_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"is not a URL|must be sqlite|must name a file"):
        Url(text)


def test_a_server_has_no_path() -> None:
    with pytest.raises(ValueError, match="a mysql URL has no file path"):
        _ = Url("mysql://db").path


SECURE = SMALLEST.replace(
    "prefix: shop", 'prefix: shop, security: {sasl.username: me, sasl.password: "${MYSQL_PASSWORD}"}'
)


def test_no_form_of_a_configuration_shows_its_secrets(tmp_path: Path) -> None:
    config = load(tmp_path, SECURE + 'state: {url: "mysql://me:${MYSQL_PASSWORD}@db/state"}\n')
    shown = [
        str(config),
        repr(config),
        str(config.model_dump()),
        config.model_dump_json(),
        json.dumps(stored_form(config)),
    ]
    assert [PASSWORD in one for one in shown] == [False] * len(shown)


def test_the_stored_form_says_everything_else(tmp_path: Path) -> None:
    stored = stored_form(load(tmp_path, SECURE))
    assert stored["source"]["url"] == "mysql://streamtrain:***@127.0.0.1:3306"
    assert stored["topic"]["security"] == {"sasl.username": "***", "sasl.password": "***"}
    assert stored["examples"]["from"] == "shop.events"
    assert stored["train"]["slice"] == 64
    assert json.loads(json.dumps(stored)) == stored


def test_an_overlay_keeps_the_secrets_themselves(tmp_path: Path) -> None:
    state = 'state: {url: "mysql://me:${MYSQL_PASSWORD}@db/state"}\n'
    config = overlay(load(tmp_path, SECURE + state), ["train.slice=2"])
    assert config.state.url.password.reveal() == PASSWORD
    assert config.source.kind == "mysql"
    assert config.topic.kind == "kafka"
    assert config.source.url.password.reveal() == PASSWORD
    assert config.topic.security["sasl.password"].reveal() == PASSWORD


WRONG = [
    "name: '${MYSQL_PASSWORD}!'",
    "source: '${MYSQL_PASSWORD}'",
    "source: {kind: '${MYSQL_PASSWORD}'}",
    "source: {kind: mysql, url: '${MYSQL_PASSWORD}', include: ['${MYSQL_PASSWORD}']}",
    "source: {kind: sqlite, url: 'mysql://a:${MYSQL_PASSWORD}@h', include: '${MYSQL_PASSWORD}'}",
    "topic: {kind: kafka, bootstrap: '${MYSQL_PASSWORD}', prefix: '${MYSQL_PASSWORD} ', partitions: '${MYSQL_PASSWORD}'}",
    "topic: {kind: kafka, bootstrap: 'a:1', prefix: a, security: {group.id: '${MYSQL_PASSWORD}'}}",
    "topic: {kind: kafka, bootstrap: 'a:1', prefix: a, security: {sasl.password: ['${MYSQL_PASSWORD}']}}",
    "topic: {kind: file, prefix: a, format: '${MYSQL_PASSWORD}', bootstrap: '${MYSQL_PASSWORD}'}",
    "state: {url: '${MYSQL_PASSWORD}'}",
    "state: ['${MYSQL_PASSWORD}']",
    "examples: {from: '${MYSQL_PASSWORD}', label: ['${MYSQL_PASSWORD}'], task: '${MYSQL_PASSWORD}', classes: '${MYSQL_PASSWORD}'}",
    "examples: {from: a.b, label: c, features: '${MYSQL_PASSWORD}'}",
    "examples: {from: a.b, label: c, features: {a: ['${MYSQL_PASSWORD}']}}",
    "model: {kind: '${MYSQL_PASSWORD} '}",
    "train: {device: '${MYSQL_PASSWORD}', slice: '${MYSQL_PASSWORD}', checkpoint: '${MYSQL_PASSWORD}'}",
    "retry: {max_s: '${MYSQL_PASSWORD}', deadline_s: ['${MYSQL_PASSWORD}']}",
]


@pytest.mark.parametrize("section", WRONG)
def test_no_error_shows_a_value_of_the_file(tmp_path: Path, section: str) -> None:
    key = section.partition(":")[0]
    kept = [line for line in SMALLEST.splitlines() if not line.startswith(key)]
    (tmp_path / "streamtrain.yaml").write_text("\n".join([*kept, section]))
    with pytest.raises(ConfigError) as caught:
        load_config(tmp_path / "streamtrain.yaml", {"MYSQL_PASSWORD": PASSWORD})
    told = "".join(traceback.format_exception(caught.value))
    assert key in told
    assert PASSWORD not in told


def test_pydantics_own_error_shows_no_value_either() -> None:
    with pytest.raises(ValidationError) as caught:
        Config.model_validate(smallest(name=f"{PASSWORD}!", state={"url": f"mysql://a:{PASSWORD}@"}))
    assert PASSWORD not in str(caught.value)
