from __future__ import annotations

from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.mysql.address import Address, parse_url
from connectors.mysql.settings import MysqlSettings
from streamtrain.errors import ConfigError
from streamtrain.tls import Tls, TlsMode


@given(st.text(min_size=1), st.text())
def test_user_and_password_may_hold_any_character_if_they_are_escaped(user: str, password: str) -> None:
    address = parse_url(f"mysql://{quote(user, safe='')}:{quote(password, safe='')}@db.example:3307/")
    assert (address.user, address.password) == (user, password)
    assert (address.host, address.port) == ("db.example", 3307)


@pytest.mark.parametrize("password", ["p@ss", "a/b:c?d", "#x", "@", ":"])
def test_a_password_that_was_pasted_unescaped_works_too(password: str) -> None:
    assert parse_url(f"mysql://u:{password}@h:1") == Address("h", 1, "u", password)


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("mysql://u@h", Address("h", 3306, "u", "")),
        ("mariadb://u:@127.0.0.1:9/", Address("127.0.0.1", 9, "u", "")),
        ("mysql://u:p@[::1]:3306", Address("::1", 3306, "u", "p")),
        ("mysql://u:p@h/?ssl_mode=REQUIRED", Address("h", 3306, "u", "p", Tls(TlsMode.REQUIRED))),
        ("mysql://u:p@h?ssl_ca=/a/b.pem", Address("h", 3306, "u", "p", Tls(TlsMode.VERIFY_CA, ca="/a/b.pem"))),
        (
            "mysql://u:p@h?ssl_mode=verify-identity&ssl_ca=ca&ssl_cert=c&ssl_key=k",
            Address("h", 3306, "u", "p", Tls(TlsMode.VERIFY_IDENTITY, "ca", "c", "k")),
        ),
    ],
)
def test_a_url_says_where_and_how(url: str, address: Address) -> None:
    assert parse_url(url) == address


@pytest.mark.parametrize(
    "url",
    [
        "postgres://u:s3cret@h", "u:s3cret@h", "mysql://:s3cret@h", "mysql://u:s3cret@", "mysql://u:s3cret@h:99999",
        "mysql://u:s3cret@h:x", "mysql://u:s3cret@h/shop", "mysql://u:s3cret@h?sslmode=x", "mysql://u:s3cret@h?ssl_mode=x",
        "mysql://u:s3cret@h?ssl_mode=disabled&ssl_ca=x",
    ],
)  # fmt: skip
def test_what_is_no_address_is_refused_without_showing_the_password(url: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_url(url)
    assert caught.value.hint
    assert "s3cret" not in f"{caught.value} {caught.value!r}"


def test_the_password_shows_nowhere() -> None:
    address = parse_url("mysql://u:s3cret@h")
    settings = MysqlSettings("mysql://u:s3cret@h", ("a.b",), "p")
    assert "s3cret" not in f"{address} {address!r} {settings} {settings!r}"


def test_a_replica_id_is_the_same_each_time_and_high() -> None:
    ids = {MysqlSettings("", (), f"prefix-{number}").replica_id for number in range(200)}
    assert len(ids) == 200
    assert all(1 << 31 <= number < 1 << 32 for number in ids)
    assert MysqlSettings("", (), "shop").replica_id == MysqlSettings("", (), "shop").replica_id == 3334996201
    assert MysqlSettings("", (), "shop", server_id=7).replica_id == 7


def test_the_servers_own_databases_are_never_captured() -> None:
    settings = MysqlSettings("", ("*", "shop.ev?nts", "a.[bc]"), "p")
    assert settings.captures("shop", "orders")
    assert not any(
        settings.captures(name, "user") for name in ("mysql", "sys", "performance_schema", "INFORMATION_SCHEMA")
    )
    narrow = MysqlSettings("", ("shop.ev?nts", "a.[bc]"), "p")
    found = [
        (database, table)
        for database in ("shop", "a", "Shop")
        for table in ("events", "Events", "b", "d")
        if narrow.captures(database, table)
    ]
    assert found == [("shop", "events"), ("a", "b")]
