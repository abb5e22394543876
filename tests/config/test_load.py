from pathlib import Path

import pytest

from streamtrain.config import FileTopics, KafkaTopics, MysqlSource, SqliteSource, load_config
from streamtrain.errors import ConfigError
from tests.config.samples import ENVIRON, PASSWORD, SMALLEST, load

LOCAL = """\
name: local
source: {kind: sqlite, url: "sqlite:///shop.db", include: [main.events]}
topic: {kind: file, prefix: shop}
examples: {from: main.events, label: clicked}
"""


def failure(directory: Path, text: str, environ: dict[str, str] | None = None) -> str:
    with pytest.raises(ConfigError) as caught:
        load(directory, text, environ)
    assert caught.value.exit_code == 2
    return caught.value.message.replace(str(directory) + "/", "")


def test_four_lines_configure_a_run_for_one_table(tmp_path: Path) -> None:
    config = load(tmp_path)
    assert isinstance(config.source, MysqlSource)
    assert isinstance(config.topic, KafkaTopics)
    assert config.source.url.password.reveal() == PASSWORD
    assert (config.source.url.host, config.source.url.port) == ("127.0.0.1", 3306)
    assert config.topic_name == "shop.shop.events"
    assert (config.model.kind, config.train.slice, config.train.checkpoint.keep) == ("logistic", 64, 50)
    assert (config.source.commit_ms, config.source.commit_rows, config.topic.partitions) == (50, 20_000, 1)


def test_every_key_of_the_brief_is_read(tmp_path: Path) -> None:
    config = load(
        tmp_path,
        """
name: shop-clicks
source:
  kind: mysql
  url: mysql://streamtrain:${MYSQL_PASSWORD}@127.0.0.1:3306
  include: ["shop.events", "shop.*"]
  snapshot: when_needed
  server_id: 7
topic: {kind: kafka, bootstrap: "a:1,b:2", prefix: shop, format: json, partitions: 3, replication: 2,
        security: {security.protocol: SASL_SSL, sasl.password: "${MYSQL_PASSWORD}", enable.ssl.certificate.verification: false}}
state: {url: "mysql://u:p@db/streamtrain"}
examples:
  from: shop.events
  label: kind
  task: multiclass
  classes: [no, maybe, 2]
  features:
    title: {kind: text, tokenizer: jieba}
    price: numeric
  hash_bits: 12
model: {kind: "shop.models:wide", width: 3, layers: [8, 4]}
train: {slice: 128, max_wait_ms: 50, checkpoint: {every_slices: 3, every_s: 0.5, keep: 9}, seed: 4, threads: 2, device: cpu,
        metrics_window: 100}
retry: {initial_s: 0.1, max_s: 5, deadline_s: 60}
""",
    )
    assert config.source.kind == "mysql"
    assert config.source.include == ["shop.events", "shop.*"]
    assert config.source.server_id == 7
    assert config.topic.kind == "kafka"
    assert {name: value.reveal() for name, value in config.topic.security.items()} == {
        "security.protocol": "SASL_SSL",
        "sasl.password": PASSWORD,
        "enable.ssl.certificate.verification": "false",
    }
    assert config.state.url.database == "streamtrain"
    assert config.examples.table == "shop.events"
    assert config.examples.classes == ["no", "maybe", 2]
    assert config.examples.features != "auto"
    assert {name: (one.kind, one.options) for name, one in config.examples.features.items()} == {
        "price": ("numeric", {}),
        "title": ("text", {"tokenizer": "jieba"}),
    }
    assert (config.model.kind, config.model.options) == ("shop.models:wide", {"layers": [8, 4], "width": 3})
    assert config.train.checkpoint.every_s == 0.5
    assert config.retry.deadline_s == 60


def test_features_and_options_are_sorted_by_name_however_they_are_written(tmp_path: Path) -> None:
    text = SMALLEST.replace(
        "label: clicked", "label: clicked, features: {b: numeric, a: {kind: text, y: {d: 1, c: 2}, x: 1}}"
    )
    features = load(tmp_path, text).examples.features
    assert features != "auto"
    assert list(features) == ["a", "b"]
    assert str(features["a"].options) == "{'x': 1, 'y': {'c': 2, 'd': 1}}"


def test_relative_paths_are_taken_from_the_directory_of_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home, elsewhere = tmp_path / "home", tmp_path / "elsewhere"
    home.mkdir()
    elsewhere.mkdir()
    (home / "streamtrain.yaml").write_text(LOCAL)
    monkeypatch.chdir(elsewhere)
    config = load_config("../home/streamtrain.yaml", {})
    assert isinstance(config.source, SqliteSource)
    assert isinstance(config.topic, FileTopics)
    paths = [config.source.url.path, config.state.url.path, config.topic.directory]
    assert [path.resolve() for path in paths] == [home / "shop.db", home / "streamtrain.db", home / "topics"]
    assert all(path.is_absolute() for path in paths)


def test_absolute_paths_are_left_as_they_are(tmp_path: Path) -> None:
    config = load(tmp_path, LOCAL + "state: {url: 'sqlite:////srv/streamtrain/state.db'}\n")
    assert config.state.url.path == Path("/srv/streamtrain/state.db")


def test_a_link_to_the_file_counts_where_it_stands_and_not_where_it_points(tmp_path: Path) -> None:
    mounted, hidden = tmp_path / "mounted", tmp_path / "..2024_data"
    mounted.mkdir()
    hidden.mkdir()
    (hidden / "streamtrain.yaml").write_text(LOCAL)
    (mounted / "streamtrain.yaml").symlink_to(hidden / "streamtrain.yaml")
    assert load_config(mounted / "streamtrain.yaml", {}).state.url.path == mounted / "streamtrain.db"


def test_a_source_of_none_needs_nothing_else(tmp_path: Path) -> None:
    text = "name: a\nsource: {kind: none}\ntopic: {kind: file, prefix: p}\nexamples: {from: d.t, label: y}\n"
    config = load(tmp_path, text)
    assert config.source.kind == "none"


def test_a_missing_file_says_how_to_get_one(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"there is no such file .*streamtrain init"):
        load_config(tmp_path / "none.yaml", ENVIRON)


def test_a_directory_in_place_of_the_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        load_config(tmp_path, ENVIRON)


def test_a_file_that_is_not_utf8_is_refused_with_the_byte(tmp_path: Path) -> None:
    path = tmp_path / "streamtrain.yaml"
    path.write_bytes(b"name: caf\xe9\n")
    with pytest.raises(ConfigError, match="not UTF-8 at byte 9"):
        load_config(path, ENVIRON)


def test_a_byte_order_mark_is_no_part_of_the_first_key(tmp_path: Path) -> None:
    assert load(tmp_path, "\ufeff" + SMALLEST).name == "shop-clicks"


@pytest.mark.parametrize("text", ["", "# nothing\n", "- a\n- b\n", "just text\n"])
def test_a_file_without_keys_is_refused(tmp_path: Path, text: str) -> None:
    assert "holds no mapping" in failure(tmp_path, text)


def test_all_problems_are_listed_one_a_line_with_file_line_and_key(tmp_path: Path) -> None:
    text = """\
name: shop clicks
source:
  kind: mysql
  url: mysql://u@h
  include: [shop.events, events]
topic: {kind: kafka, prefix: shop}
example: {}
examples: {from: shop.events, label: clicked}
train:
  slice: 0
"""
    assert failure(tmp_path, text).split("\n") == [
        "streamtrain.yaml:1: name: must be 1 to 100 letters, digits, '.', '_' or '-', beginning with a letter or digit",
        "streamtrain.yaml:5: source.include[1]: must be DATABASE.TABLE; shell wildcards may stand in both",
        "streamtrain.yaml:6: topic.bootstrap: is required",
        "streamtrain.yaml:10: train.slice: must be at least 1",
        "streamtrain.yaml:7: example: unknown key; did you mean examples?",
    ]


def test_every_variable_that_is_missing_is_named_with_its_key(tmp_path: Path) -> None:
    text = SMALLEST.replace("prefix: shop", "prefix: '${PREFIX}'")
    assert failure(tmp_path, text, {}).split("\n") == [
        (
            "streamtrain.yaml:2: source.url: environment variable MYSQL_PASSWORD is not set; "
            "set it, or write ${MYSQL_PASSWORD:-default}"
        ),
        "streamtrain.yaml:3: topic.prefix: environment variable PREFIX is not set; set it, or write ${PREFIX:-default}",
    ]
