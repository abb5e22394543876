"""Who gets in: roles that are enough and what is said where one is missing, certificates, files named in a configuration."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pymongo
import pytest

from connectors.checks import Check
from connectors.mongo.doctor import examine
from streamtrain.cli import build
from streamtrain.envelope import Op
from streamtrain.errors import AccessDenied, ConfigError
from streamtrain.tls import Tls, TlsMode
from tests.connectors.mongo_capture import drained, flat, opened, settings
from tests.mongo_server import MongoServer, User
from tests.servers.certificates import Authority
from tests.servers.mongo import Mongo

Started = Callable[..., MongoServer]
X509 = "&authMechanism=MONGODB-X509"


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@pytest.fixture
def with_tls(mongo_server: Started, authority: Authority) -> MongoServer:
    """Speaks TLS alone, and lets in who has the certificate `reader`."""
    own = authority.certify("server", "127.0.0.1")
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(own.cert, own.key)
    tls.load_verify_locations(authority.ca)
    tls.verify_mode = ssl.CERT_OPTIONAL
    server = mongo_server(tls=tls)
    server.add_user(User("CN=reader", "$external", "", [{"role": "read", "db": "shop"}]))
    return server


def test_a_certificate_is_a_login_and_its_files_are_named_as_seen_from_the_configuration(
    with_tls: MongoServer, authority: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader = authority.certify("reader")
    (tmp_path / "streamtrain.yaml").write_text(f"""
name: shop
source:
  kind: mongo
  url: {with_tls.url}{X509}
  tls: {{ca: {authority.ca.name}, cert: {reader.both.name}}}
  include: [shop.events]
topic: {{kind: file, directory: topics, prefix: shop}}
examples: {{from: shop.events, label: clicked, features: {{price: numeric}}}}
""")
    monkeypatch.chdir("/")
    config = build.load(tmp_path / "streamtrain.yaml")
    with opened(build.source(config)._settings) as source:
        assert drained(source)[0] == []


def test_a_server_of_another_authority_is_refused_at_once_with_the_way_out(
    with_tls: MongoServer, tmp_path: Path
) -> None:
    other = Authority(tmp_path / "other")
    trusting = Tls(TlsMode.VERIFY_IDENTITY, ca=str(other.ca))
    with (
        pytest.raises(AccessDenied) as refused,
        opened(settings(with_tls.url, tmp_path, "shop.events", tls=trusting, timeout_s=0.5)),
    ):
        pass
    assert "source.tls.ca" in refused.value.hint
    assert "Topology" not in refused.value.message


ON_SHOP, EVERYWHERE = {"role": "read", "db": "shop"}, {"role": "readAnyDatabase", "db": "admin"}
MONITOR = {"role": "clusterMonitor", "db": "admin"}
ENOUGH = {
    ("shop.events",): ON_SHOP,
    ("shop.*",): ON_SHOP,
    ("shop.events", "other.events"): EVERYWHERE,
    ("*.*",): EVERYWHERE,
}
"""What is captured, and the one role that it takes: as recorded in ``roles_reader`` and ``roles_any``."""


@pytest.fixture
def guarded(mongo_server: Started) -> MongoServer:
    """Asks for a login; two databases have documents."""
    server = mongo_server(version=(4, 4, 1))
    with pymongo.MongoClient[Any](server.url) as client:
        client.shop.events.insert_one({"_id": 1})
        client.other.events.insert_one({"_id": 2})
    return server


def as_one_with(server: MongoServer, *roles: dict[str, str]) -> str:
    """The URL of a user who has these roles."""
    server.add_user(User("streamtrain", "admin", "geheim", list(roles)))
    return f"mongodb://streamtrain:geheim@127.0.0.1:{server.port}/?replicaSet=rs0&authSource=admin"


def failed(checks: list[Check]) -> dict[str, str]:
    """What to do about each failure."""
    return {check.name: check.remedy for check in checks if check.status == "fail"}


@pytest.mark.parametrize("include", ENOUGH)
def test_the_role_that_is_written_down_is_enough_to_read_what_there_is_and_to_follow_it(
    guarded: MongoServer, tmp_path: Path, include: tuple[str, ...]
) -> None:
    url = as_one_with(guarded, ENOUGH[include])
    guarded.add_user(User("writer", "admin", "w", [{"role": "root", "db": "admin"}]))
    assert failed(examine(settings(url, tmp_path, *include))) == {}
    writing = f"mongodb://writer:w@127.0.0.1:{guarded.port}/?authSource=admin"
    with opened(settings(url, tmp_path, *include)) as source, pymongo.MongoClient[Any](writing) as client:
        read = {(change.name, change.op) for change in flat(drained(source)[0])}
        client.shop.events.update_one({"_id": 1}, {"$set": {"v": 1}})
        streamed = [(change.name, change.op) for change in flat(drained(source)[0])]
    others = {("other.events", Op.READ)} if ENOUGH[include] is EVERYWHERE else set()
    assert read == {("shop.events", Op.READ)} | others
    assert streamed == [("shop.events", Op.UPDATE)]


@pytest.mark.parametrize("include", ENOUGH)
def test_without_that_role_the_doctor_gives_the_command_that_grants_it(
    guarded: MongoServer, tmp_path: Path, include: tuple[str, ...]
) -> None:
    role = ENOUGH[include]
    instead = ON_SHOP if role is EVERYWHERE else {"role": "read", "db": "other"}
    url = as_one_with(guarded, instead, MONITOR)
    command = f"db.grantRolesToUser('USER', [{{role: '{role['role']}', db: '{role['db']}'}}])"
    assert failed(examine(settings(url, tmp_path, *include)))["mongodb rights"] == command
    with pytest.raises(AccessDenied), opened(settings(url, tmp_path, *include)):
        pass


def test_only_with_a_role_more_the_doctor_sees_how_far_the_log_reaches_back(
    guarded: MongoServer, tmp_path: Path
) -> None:
    for roles, sees in (((ON_SHOP,), False), ((ON_SHOP, MONITOR), True)):
        checks = examine(settings(as_one_with(guarded, *roles), tmp_path, "shop.events"))
        (oplog,) = (check for check in checks if check.name == "mongodb oplog")
        assert oplog.status == "warn"
        assert oplog.found.startswith("reaches back 0.0 h") == sees
        assert ("clusterMonitor" in oplog.remedy) != sees


def test_a_login_that_is_refused_is_told_without_the_password(guarded: MongoServer, tmp_path: Path) -> None:
    as_one_with(guarded, ON_SHOP)
    url = f"mongodb://streamtrain:verborgen@127.0.0.1:{guarded.port}/?replicaSet=rs0&authSource=admin"
    with pytest.raises(AccessDenied) as refused, opened(settings(url, tmp_path, "shop.events")):
        pass
    (check,) = examine(settings(url, tmp_path, "shop.events"))
    assert check.status == "fail"
    assert "verborgen" not in f"{refused.value} {check}"


def shown(error: BaseException | None) -> str:
    """All that an error and those behind it tell of themselves."""
    if error is None:
        return ""
    told = f"{error} {error!r} {error.args} {getattr(error, 'hint', '')}"
    return told + shown(error.__cause__) + shown(error.__context__)


@pytest.mark.parametrize(
    "url",
    [
        "mongodb://user:se/geheim@host:27017/",
        "mongodb://user:se/geheim@host",
        "mongodb://user:se/ge/geheim@host/?replicaSet=rs0",
        "mongodb://user:12/geheim@host:27017",
        "mongodb://user:12/se?geheim=1@host",
        "mongodb://user:12?geheim=1@host/",
        "mongodb://user:se?geheim@host/",
        "mongodb://user:se@geheim@host/",
        "mongodb://user:se%geheim@host/",
        "mongodb://user:se:geheim@host/",
        "mongodb://user:geheim@host:port/",
        "mongodb://user:geheim@host:99999/",
        "mongodb://user:geheim@/",
        "mongodb://user:geheim@host/?replicaSet",
        "mongodb://user:geheim@host/a b/",
        "mongodb+srv://user:se/geheim@host/",
        "mongodb+srv://user:geheim@one.example,two.example/",
        "mongo://user:geheim@host/",
        "user:geheim@host",
    ],
)
def test_nothing_of_a_url_that_cannot_be_read_is_shown(tmp_path: Path, url: str) -> None:
    chosen = settings(url, tmp_path, "shop.events")
    with pytest.raises(ConfigError) as refused, opened(chosen):
        pass
    (check,) = examine(chosen)
    assert "geheim" not in f"{shown(refused.value)} {check} {chosen!r}"
    assert "percent-encoded" in refused.value.hint
    assert (check.status, check.remedy) == ("fail", refused.value.hint)


def test_a_tls_file_that_is_not_there_is_told_as_such(tmp_path: Path) -> None:
    url = f"mongodb://user:geheim@host/?tls=true&tlsCAFile={tmp_path}/none.pem"
    with pytest.raises(ConfigError) as refused, opened(settings(url, tmp_path, "shop.events")):
        pass
    assert "No such file" in refused.value.message
    assert "geheim" not in shown(refused.value)


def test_the_doctor_tells_which_collections_lack_the_images_that_are_asked_for(
    mongo_from_6_0: Mongo, tmp_path: Path
) -> None:
    server = mongo_from_6_0
    with pymongo.MongoClient[Any](server.url) as client:
        client.shop.create_collection("kept", changeStreamPreAndPostImages={"enabled": True})
        client.shop.create_collection("bare")

    def told(**others: Any) -> dict[str, Check]:
        return {check.name: check for check in examine(settings(server.url, tmp_path, "shop.*", **others))}

    assert not {"mongodb post-images", "mongodb pre-images"} & told().keys()
    post, before = told(after="post_image")["mongodb post-images"], told(after="lookup")["mongodb pre-images"]
    assert (post.status, before.status) == ("fail", "warn")
    with pymongo.MongoClient[Any](server.url) as client:
        assert "shop.bare" in post.found
        assert "collMod: 'bare'" in post.remedy
        client.shop.command({"collMod": "bare", "changeStreamPreAndPostImages": {"enabled": True}})
    assert "mongodb post-images" not in told(after="post_image")


def test_the_doctor_tells_of_a_standalone_of_no_collection_of_a_router_and_of_a_store_that_cannot_be_made(
    mongo_server: Started, tmp_path: Path
) -> None:
    (check,) = examine(settings(mongo_server(replica_set=None).url, tmp_path, "shop.events"))
    assert (check.status, "--replSet" in check.remedy) == ("fail", True)
    checks = {check.name: check for check in examine(settings(mongo_server(sharded=True).url, tmp_path, "shop.none"))}
    assert "sharded" in checks["mongodb server"].found
    assert [checks[name].status for name in ("mongodb collections", "mongodb oplog", "mongodb store")] == [
        "warn", "warn", "ok",
    ]  # fmt: skip
    (tmp_path / "file").touch()
    nowhere = settings(mongo_server().url, tmp_path, "shop.none", store=tmp_path / "file" / "documents.db")
    assert "mongodb store" in failed(examine(nowhere))
