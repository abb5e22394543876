import re
import subprocess
import sys
from pathlib import Path

import yaml

from streamtrain.config import starter_config
from streamtrain.config.keys import keys
from streamtrain.config.reference import reference
from tests.config.samples import ENVIRON, PASSWORD, load

ROOT = Path(__file__).parents[2]


def examples() -> list[str]:
    return re.findall(r"```yaml\n(.*?)```", reference(), re.DOTALL)


def test_the_starter_loads_as_it_stands(tmp_path: Path) -> None:
    config = load(tmp_path, starter_config())
    assert config.source.kind == "mysql"
    assert config.source.url.password.reveal() == PASSWORD
    assert config.state.url.path == tmp_path / "streamtrain.db"


def test_the_starter_for_mongodb_needs_one_password_and_keeps_its_files_beside_it(tmp_path: Path) -> None:
    text = starter_config("mongo")
    assert set(re.findall(r"\$\{([A-Z_]+)\}", text)) - {"NAME"} == {"MONGO_PASSWORD"}
    config = load(tmp_path, text, {"MONGO_PASSWORD": PASSWORD})
    assert config.source.kind == "mongo"
    assert config.source.store == tmp_path / "documents.db"
    assert str(config.state.url).startswith("mongodb://streamtrain_state:***@")
    assert config.examples.features != "auto"


def test_the_starter_is_read_alike_by_yaml_1_1() -> None:
    assert yaml.safe_load(starter_config())["train"]["checkpoint"] == {"every_slices": 200, "every_s": 10}


def test_the_starter_needs_the_password_and_no_other_variable() -> None:
    assert set(re.findall(r"\$\{([A-Z_]+)\}", re.sub("#.*", "", starter_config()))) == set(ENVIRON)


def test_the_commented_features_of_the_starter_load_too(tmp_path: Path) -> None:
    text = starter_config().replace("features: auto", "features:      ").replace("#   ", "    ")
    features = load(tmp_path, text).examples.features
    assert features != "auto"
    assert list(features) == ["price", "user_id"]


def test_the_reference_in_docs_is_the_one_that_the_models_give() -> None:
    assert (ROOT / "docs" / "config.md").read_text(encoding="utf-8") == reference()


def test_the_reference_is_printed_as_a_module() -> None:
    command = [sys.executable, "-W", "error", "-m", "streamtrain.config.reference"]
    assert subprocess.run(command, capture_output=True, check=True, cwd=ROOT).stdout.decode() == reference()


def test_the_reference_has_a_row_for_every_key_in_its_section() -> None:
    sections = dict(re.findall(r"^## (.+?)\n(.*?)(?=^## |\Z)", reference(), re.DOTALL | re.MULTILINE))
    for key in keys():
        section = key.path.rpartition(".")[0]
        name = "*any other*" if key.name == "*" else f"`{key.name}`"
        assert f"| {name} |" in sections[f"`{section}`" if section else "Top level"], key.path


def test_every_key_is_described() -> None:
    assert [key.path for key in keys() if not key.field.description] == []


def test_the_examples_of_the_reference_load_and_the_smallest_is_under_twelve_lines(tmp_path: Path) -> None:
    smallest, starter = examples()
    load(tmp_path, smallest)
    load(tmp_path, starter)
    assert len(smallest.splitlines()) < 12
