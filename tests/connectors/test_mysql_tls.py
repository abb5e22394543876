"""TLS and logins on real servers: what is verified, who is let in, and one line with the way out where it fails."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path

import pytest

from connectors.mysql.address import address
from connectors.mysql.connection import Connection
from connectors.mysql.source import MysqlSource
from streamtrain.errors import AccessDenied, ConfigError, SourceUnavailable
from streamtrain.state.opening import open_database
from streamtrain.tls import Tls, TlsMode
from tests.connectors.mysql_capture import opened, read_to_end, seen, settings_for
from tests.servers import Database as Server
from tests.servers import PrivateMariaDB, PrivateMySQL
from tests.servers.certificates import Authority, Certificate

pytestmark = pytest.mark.servers

PASSWORD = "p@ss/wörd:'1"
QUOTED = PASSWORD.replace("'", "''")
ESCAPED = "p%40ss%2Fw%C3%B6rd%3A%271"


@dataclass
class Servers:
    """A server known by its address, one whose certificate is another host's, and one without TLS."""

    flavor: str
    right: Server
    elsewhere: Server
    bare: Server
    authority: Authority
    stranger: Authority
    client: Certificate


@pytest.fixture(scope="module", params=["mysql", "mariadb"])
def servers(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    kind = {"mysql": PrivateMySQL, "mariadb": PrivateMariaDB}[request.param]
    without = "--tls-version=" if request.param == "mysql" else "--skip-ssl"
    folder = tmp_path_factory.mktemp("certificates")
    authority, stranger = Authority(folder, "authority"), Authority(folder / "elsewhere", "stranger")

    def options(certificate: Certificate) -> tuple[str, ...]:
        return (f"--ssl-ca={authority.ca}", f"--ssl-cert={certificate.cert}", f"--ssl-key={certificate.key}")

    with ExitStack() as started:
        right, elsewhere, bare = (
            started.enter_context(kind(*settings))
            for settings in (
                options(authority.certify("right", "127.0.0.1")),
                options(authority.certify("elsewhere", "db.example")),
                (without,),
            )
        )
        for name, clause in {"plain": "", "secure": "REQUIRE SSL", "known": "REQUIRE X509"}.items():
            right.execute(
                f"CREATE USER {name}@'%' IDENTIFIED BY '{QUOTED}' {clause}",
                f"GRANT SELECT, REPLICATION SLAVE, REPLICATION CLIENT, RELOAD ON *.* TO {name}@'%'",
            )
        yield Servers(request.param, right, elsewhere, bare, authority, stranger, authority.certify("client"))


def cipher(server: Server, tls: Tls, user: str = "plain", password: str = ESCAPED) -> str:
    """The cipher of a connection; empty if it has none."""
    where = address(f"mysql://{user}:{password}@127.0.0.1:{server.port}", tls)
    with closing(Connection(where)) as connection:
        found: str = connection.query("SHOW STATUS LIKE 'Ssl_cipher'")[0][1]
    return found


def as_root(server: Server, tls: Tls) -> str:
    return cipher(server, tls, "root", "streamtrain")


def test_each_mode_that_wants_tls_has_it_and_the_one_that_does_not_has_none(servers: Servers) -> None:
    ca = str(servers.authority.ca)
    for tls in (
        Tls(), Tls(TlsMode.REQUIRED), Tls(TlsMode.VERIFY_CA, ca), Tls(TlsMode.VERIFY_IDENTITY, ca),
    ):  # fmt: skip
        assert cipher(servers.right, tls)
    assert cipher(servers.right, Tls(TlsMode.DISABLED)) == ""
    assert as_root(servers.bare, Tls()) == ""


@pytest.mark.parametrize("mode", [TlsMode.VERIFY_CA, TlsMode.VERIFY_IDENTITY])
def test_a_server_of_another_authority_is_refused_at_once(servers: Servers, mode: TlsMode) -> None:
    for ca in (str(servers.stranger.ca), None):
        with pytest.raises(AccessDenied, match="certificate verify failed") as caught:
            cipher(servers.right, Tls(mode, ca))
        assert caught.value.hint.startswith("set source.tls.ca to ")


def test_a_server_with_the_certificate_of_another_host_is_refused_unless_the_host_is_not_looked_at(
    servers: Servers,
) -> None:
    ca = str(servers.authority.ca)
    with pytest.raises(AccessDenied, match=r"not valid for '127\.0\.0\.1'") as caught:
        as_root(servers.elsewhere, Tls(TlsMode.VERIFY_IDENTITY, ca))
    assert "by a name of its certificate" in caught.value.hint
    assert as_root(servers.elsewhere, Tls(TlsMode.VERIFY_CA, ca))


def test_a_server_without_tls_is_refused_where_tls_is_required(servers: Servers) -> None:
    with pytest.raises(AccessDenied, match="SSL is required") as caught:
        as_root(servers.bare, Tls(TlsMode.REQUIRED))
    assert "--ssl-cert" in caught.value.hint


def test_a_client_certificate_opens_the_account_that_wants_one(servers: Servers) -> None:
    client = servers.client
    for cert, key in ((client.cert, client.key), (client.both, None)):
        tls = Tls(TlsMode.VERIFY_IDENTITY, str(servers.authority.ca), str(cert), None if key is None else str(key))
        assert cipher(servers.right, tls, "known")
    with pytest.raises(AccessDenied) as caught:
        cipher(servers.right, Tls(TlsMode.REQUIRED), "known")
    assert "source.tls.cert" in caught.value.hint


def test_a_client_certificate_of_another_authority_is_told(servers: Servers) -> None:
    strange = servers.stranger.certify("client")
    # Whether the server gets to say why it hangs up is a matter of time.
    with pytest.raises((AccessDenied, SourceUnavailable)) as caught:
        cipher(servers.right, Tls(TlsMode.REQUIRED, None, str(strange.cert), str(strange.key)), "known")
    assert "source.tls.cert" in caught.value.hint


def test_a_wrong_password_and_a_login_without_the_tls_it_needs_are_told_without_the_password(servers: Servers) -> None:
    with pytest.raises(AccessDenied, match="error 1045") as caught:
        cipher(servers.right, Tls(), password="s3cret")
    assert caught.value.hint.startswith("check user, password and host of source.url")
    assert "s3cret" not in f"{caught.value!r} {caught.value} {caught.value.__context__!r}"
    with pytest.raises(AccessDenied) as caught:
        cipher(servers.right, Tls(TlsMode.DISABLED), "secure")
    assert "source.tls.mode: required" in caught.value.hint


def test_files_that_are_no_certificates_are_named(tmp_path: Path, servers: Servers) -> None:
    empty = tmp_path / "empty.pem"
    empty.touch()
    ca, client = str(servers.authority.ca), servers.client
    for tls, named in (
        (Tls(TlsMode.VERIFY_CA, str(tmp_path / "missing.pem")), "missing.pem"),
        (Tls(TlsMode.VERIFY_CA, str(empty)), "empty.pem"),
        (Tls(TlsMode.VERIFY_CA, ca, str(client.cert), str(servers.stranger.certify("x").key)), str(client.cert)),
        (Tls(TlsMode.VERIFY_CA, ca, str(client.key)), str(client.key)),
    ):
        with pytest.raises(ConfigError, match="cannot be used") as caught:
            cipher(servers.right, tls)
        assert named in caught.value.message
        assert caught.value.hint


def test_rows_come_over_a_verified_connection_by_snapshot_and_by_stream(servers: Servers) -> None:
    tls = Tls(TlsMode.VERIFY_IDENTITY, str(servers.authority.ca), str(servers.client.cert), str(servers.client.key))
    with servers.right.fresh_database() as database:
        servers.right.execute("CREATE TABLE t (id INT PRIMARY KEY, v LONGTEXT, w LONGTEXT)", database=database)
        servers.right.execute("INSERT INTO t VALUES (1, 'read', '')", database=database)
        url = f"mysql://known:{ESCAPED}@127.0.0.1:{servers.right.port}"
        with opened(MysqlSource(settings_for(servers.right, f"{database}.t", url=url, tls=tls))) as source:
            rows = seen(read_to_end(source)[0])
            large = "x" * 10_000_000  # twice: more than one packet, and many records of TLS
            servers.right.execute(
                f"INSERT INTO t VALUES (2, REPEAT('x', {len(large)}), REPEAT('x', {len(large)}))", database=database
            )
            rows += seen(read_to_end(source)[0])
    assert [after for _, _, after in rows] == [(1, "read", ""), (2, large, large)]


@pytest.mark.parametrize("tls", [Tls(TlsMode.DISABLED), Tls(TlsMode.REQUIRED)])
def test_each_servers_way_of_logging_in_works_with_and_without_tls(servers: Servers, tls: Tls) -> None:
    plugin = {"mysql": "caching_sha2_password", "mariadb": "mysql_native_password"}[servers.flavor]
    column = "SELECT plugin FROM mysql.user WHERE user = 'plain'"
    assert servers.right.execute(column) == [(plugin,)]
    servers.right.execute("FLUSH PRIVILEGES")  # MySQL forgets whom it knows: the whole password is asked for, by RSA
    for _ in ("exchanged in full", "from the server's memory"):
        assert bool(cipher(servers.right, tls)) == (tls.mode is TlsMode.REQUIRED)


def test_the_state_database_is_reached_by_the_same_settings(servers: Servers) -> None:
    ca, client = str(servers.authority.ca), servers.client
    with servers.right.fresh_database() as name:
        servers.right.execute(f"GRANT ALL ON {name}.* TO known@'%'")
        url = f"mysql://known:{ESCAPED}@127.0.0.1:{servers.right.port}/{name}"
        identified = Tls(TlsMode.VERIFY_IDENTITY, ca, str(client.cert), str(client.key))
        with closing(open_database(url, tls=identified)) as state:
            state.migrate()
            assert state.pending_migration() is None
        for tls, hint in (
            (Tls(TlsMode.VERIFY_CA, str(servers.stranger.ca)), "set state.tls.ca to "),
            (Tls(TlsMode.REQUIRED), "state.tls"),
        ):
            with closing(open_database(url, tls=tls)) as state, pytest.raises(AccessDenied) as caught:
                state.migrate()
            assert hint in caught.value.hint
            assert PASSWORD not in f"{caught.value!r}"
            assert ESCAPED not in f"{caught.value!r} {caught.value.__cause__!r}"


GREETING = (
    b"\x0a9.7.0\0" + b"\1\0\0\0" + b"12345678\0" + b"\xff\xf7" + b"\x21" + b"\2\0" + b"\xff\x81" + b"\x15" + bytes(10)
    + b"123456789012\0" + b"caching_sha2_password\0"
)  # fmt: skip


@pytest.mark.parametrize("method", ["mysql_clear_password", "dialog", "mysql_old_password"])
def test_a_server_that_asks_for_the_password_in_the_clear_does_not_get_it(method: str) -> None:
    """Whoever answers in the server's place could ask so."""
    got = bytearray()
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        listener.settimeout(10)

        def impostor() -> None:
            session, _ = listener.accept()
            with closing(session):
                session.settimeout(10)
                session.sendall(len(GREETING).to_bytes(3, "little") + b"\0" + GREETING)
                got.extend(session.recv(4096))
                asked = b"\xfe" + method.encode() + b"\0" + b"\2Password: "
                session.sendall(len(asked).to_bytes(3, "little") + b"\2" + asked)
                while more := session.recv(4096):
                    got.extend(more)

        thread = threading.Thread(target=impostor)
        thread.start()
        with pytest.raises(AccessDenied, match="in the clear") as caught:
            Connection(address(f"mysql://me:s3cret@127.0.0.1:{listener.getsockname()[1]}", Tls(TlsMode.DISABLED)))
        thread.join()
    assert b"me\0" in got
    assert b"s3cret" not in got
    assert "verify_ca" in caught.value.hint
