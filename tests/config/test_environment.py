from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamtrain.config import Url
from streamtrain.config.environment import expand, expand_all

texts = st.text(st.characters(exclude_categories=["Cs"]))


@given(texts)
def test_text_without_a_reference_stays_as_it_is(text: str) -> None:
    if "${" not in text:
        assert expand(text, {}) == text


@given(texts, texts, texts)
def test_a_value_is_put_in_whole_and_not_searched_again(before: str, value: Any, after: str) -> None:
    before, after = before.replace("$", "").replace("://", ""), after.replace("$", "")
    assert expand(f"{before}${{NAME}}{after}", {"NAME": value}) == before + value + after


@given(texts, texts)
def test_text_with_every_reference_escaped_comes_back(before: str, after: str) -> None:
    text = f"{before}${{{after}"
    if "$$" not in text:
        assert expand(text.replace("${", "$${"), {}) == text


@given(texts.filter(lambda value: value.isprintable()), texts.filter(lambda value: value.isprintable()))
def test_a_whole_user_or_password_of_a_url_may_hold_any_character(user: str, password: str) -> None:
    url = Url(expand("mysql://${USER}:${PASSWORD}@db.example:3306", {"USER": user, "PASSWORD": password}))
    assert (url.user, url.password.reveal()) == (user, password)
    assert (url.host, url.port) == ("db.example", 3306)


def test_elsewhere_in_a_url_a_value_is_put_in_as_it_is() -> None:
    environ = {"HOST": "[::1]", "LOGIN": "me:secret", "FILE": "a b/c.db"}
    assert expand("mysql://me@${HOST}:3306", environ) == "mysql://me@[::1]:3306"
    assert expand("mysql://${HOST}:3306", environ) == "mysql://[::1]:3306"
    assert expand("sqlite:///${FILE}", environ) == "sqlite:///a b/c.db"


@pytest.mark.parametrize(
    ("text", "environ", "expanded"),
    [
        ("${A}-${B}", {"A": "1", "B": "2"}, "1-2"),
        ("${A:-x}", {}, "x"),
        ("${A:-x}", {"A": ""}, "x"),
        ("${A:-}", {}, ""),
        ("${A}", {"A": ""}, ""),
        ("${A:-b:-c}", {}, "b:-c"),
        ("${A}", {"A": "${B}", "B": "no"}, "${B}"),
        ("$${A}", {"A": "1"}, "${A}"),
        ("$A {A} $", {"A": "1"}, "$A {A} $"),
        ("$$A", {"A": "1"}, "$$A"),
    ],
)
def test_references_are_those_of_the_shell(text: str, environ: dict[str, str], expanded: str) -> None:
    assert expand(text, environ) == expanded


def test_a_variable_that_is_not_set_is_named_with_the_way_out() -> None:
    with pytest.raises(
        ValueError, match=r"variable DB_PASSWORD is not set; set it, or write \$\{DB_PASSWORD:-default\}"
    ):
        expand("x${DB_PASSWORD}", {})


@pytest.mark.parametrize("text", ["${}", "${", "a${1A}", "${A", "${A-b}", "${A:b}", "${A B}", "${A:-${B}}", "${A:-{}",
                                  "${file:secret}", "${file:}", "${file:/a"])  # fmt: skip
def test_a_reference_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="begins no reference"):
        expand(text, {"A": "1", "B": "2"})


def test_a_value_that_is_not_utf8_is_refused_without_showing_it() -> None:
    with pytest.raises(ValueError, match=r"^environment variable A is not UTF-8$"):
        expand("${A}", {"A": b"caf\xe9".decode("utf-8", "surrogateescape")})


def test_keys_numbers_and_nulls_are_not_expanded() -> None:
    data = {"${A}": [1, None, True, "${A}", {"b": "${A}"}]}
    assert expand_all(data, {"A": "x"}, []) == {"${A}": [1, None, True, "x", {"b": "x"}]}


def test_a_file_is_put_in_without_the_line_break_at_its_end(tmp_path: Path) -> None:
    secret = tmp_path / "password"
    for content, expanded in ((b"s3/cr\xc3\xa9t\n", "s3/crét"), (b"a\nb\r\n", "a\nb"), (b"", ""), (b"${A}", "${A}")):
        secret.write_bytes(content)
        assert expand(f"<${{file:{secret}}}>", {"A": "no"}) == f"<{expanded}>"


def test_a_file_that_is_the_password_of_a_url_holds_it_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "password").write_text("p@ss/w:rd\n")
    url = Url(expand(f"mysql://me:${{file:{tmp_path}/password}}@db:3306", {}))
    assert (url.user, url.password.reveal(), url.host) == ("me", "p@ss/w:rd", "db")


@pytest.mark.parametrize(
    ("content", "told"),
    [(None, "cannot be read: No such file"), (b"s3cret\xff", "is not UTF-8"), (b"s3cret" * 20_000, "is longer than")],
)
def test_a_file_that_cannot_be_a_value_is_named_without_showing_it(
    tmp_path: Path, content: bytes | None, told: str
) -> None:
    if content is not None:
        (tmp_path / "password").write_bytes(content)
    with pytest.raises(ValueError, match=rf"file {tmp_path}/password {told}") as caught:
        expand(f"${{file:{tmp_path}/password}}", {})
    assert "s3cret" not in f"{caught.value} {caught.value.__cause__}"
