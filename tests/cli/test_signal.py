"""``streamtrain signal``: what it sends is what a connector reads."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from connectors.signals import parse
from streamtrain.cli import build
from streamtrain.cli.app import main
from streamtrain.cli.signalling import TopicSignals
from streamtrain.topic.base import Messages

SOURCES = {
    "mysql": 'kind: mysql, url: "mysql://u:p@127.0.0.1:1"',
    "mongo": 'kind: mongo, url: "mongodb://u:p@127.0.0.1:1/?replicaSet=rs0", store: documents.db',
}
CONFIG = """
name: x
source: {{{source}, include: ["shop.*"], signals: {signals}}}
topic: {{kind: file, directory: {directory}, prefix: shop}}
examples: {{from: shop.events, label: clicked}}
"""


def written(tmp_path: Path, signals: str = "true", kind: str = "mysql") -> Path:
    file = tmp_path / "streamtrain.yaml"
    file.write_text(CONFIG.format(source=SOURCES[kind], directory=tmp_path / "topics", signals=signals))
    return file


def run(*words: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(list(words))
    return int(ended.value.code or 0)


@pytest.mark.parametrize("kind", list(SOURCES))
def test_each_signal_is_read_once_from_where_the_last_was_read(tmp_path: Path, kind: str) -> None:
    file = written(tmp_path, kind=kind)
    config = build.load(file)
    channel = TopicSignals(lambda: build.plain_reader(config), "shop")
    assert channel.read(None) == (0, ())
    tables = ("--table", "shop.orders", "--table", r"shop\.u.*")
    assert run("signal", str(file), "snapshot", "start", *tables, "--where", "a > 1") == 0
    offset, values = channel.read(0)
    assert run("signal", str(file), "snapshot", "pause") == 0
    later, more = channel.read(offset)
    channel.close()
    first, second = parse(values[0]), parse(more[0])
    assert first is not None
    assert second is not None
    assert (first.kind, second.kind) == ("execute-snapshot", "pause-snapshot")
    assert [first.concerns(name) for name in ("shop.orders", "shop.users", "shop.orders2")] == [True, True, False]
    assert first.condition("shop.users") == "a > 1"
    again = TopicSignals(lambda: build.plain_reader(config), "shop")
    assert again.read(later) == (later, [])
    again.close()
    assert again.read(None) == (later, [])
    again.close()


@pytest.mark.parametrize(
    ("signals", "words"),
    [("false", ["start", "--table", "shop.a"]), ("true", ["start"]), ("true", ["stop", "--where", "a"])],
)
def test_a_signal_that_would_do_nothing_is_refused(tmp_path: Path, signals: str, words: list[str]) -> None:
    assert run("signal", str(written(tmp_path, signals)), "snapshot", *words) == 2


def test_messages_that_no_registry_knows_are_passed_over_and_stop_nothing(tmp_path: Path) -> None:
    file = written(tmp_path)
    config = build.load(file)
    with closing(build.signal_writer(config)) as writer:
        writer.ensure_topic("shop-signal", 1)
        framed = b"\0\0\0\0\x01" + b'{"id": "1"}'
        writer.send("shop-signal", Messages([b"other", b"shop"], [framed, framed]))
        writer.commit(b"{}")
    source = build.source(config)
    channel = source._signals  # type: ignore[attr-defined]
    offset, values = channel.read(0)
    channel.close()
    assert (offset, [parse(value) for value in values]) == (2, [None])
