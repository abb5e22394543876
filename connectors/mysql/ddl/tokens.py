"""A statement's tokens, and a cursor over them.

Lexical structure: https://dev.mysql.com/doc/refman/9.4/en/language-structure.html, and for comments that are code
https://mariadb.com/kb/en/comment-syntax/
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum, auto


class NotUnderstood(ValueError):
    """A statement, or a part of it, whose meaning is not known here."""


class TokenKind(Enum):
    """What a token is."""

    WORD = auto()
    """A keyword or a name without quotes; numbers too, with the point that follows their digits and what follows it."""
    NAME = auto()
    """Between backticks."""
    DOUBLE = auto()
    """Between double quotes: a name or a string, as the place where it stands wants it."""
    STRING = auto()
    SYMBOL = auto()


@dataclass(frozen=True, slots=True)
class Token:
    """``text`` is without quotes and escapes; ``word`` is it in upper case if it is a plain word, else empty."""

    kind: TokenKind
    text: str
    word: str = ""


_PATTERN = r"""(?P<skip>\s+|\#[^\n]*|--(?=\s|$)[^\n]*|/\*(?!M?!).*?\*/|\*/)
      |(?P<code>/\*(?P<maria>M?)!(?P<version>\d*))
      |`(?P<backtick>(?:[^`]|``)*)`
      |"(?P<double>{double})"
      |'(?P<single>{single})'
      |(?P<word>(?<!\.)[0-9]+\.[0-9]*(?:[eE][-+]?[0-9]+)?|[0-9A-Za-z_$\u0080-\U0010ffff]+)
      |(?P<other>.)"""
_ESCAPING = re.compile(
    _PATTERN.format(double=r'(?:[^"\\]|\\.|"")*', single=r"(?:[^'\\]|\\.|'')*"), re.VERBOSE | re.DOTALL
)
_LITERAL = re.compile(_PATTERN.format(double='(?:[^"]|"")*', single="(?:[^']|'')*"), re.VERBOSE | re.DOTALL)
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_ESCAPES = {"0": "\0", "b": "\b", "n": "\n", "r": "\r", "t": "\t", "Z": "\x1a", "%": "\\%", "_": "\\_"}
# Between these MariaDB takes a version for one of MySQL's, whose code it leaves out.
_FOREIGN_VERSIONS = range(50_700, 100_000)


@dataclass(frozen=True, slots=True)
class Dialect:
    """Whose statements they are: what a comment with code in it means, and how types are shown, depends on it."""

    mariadb: bool
    version: tuple[int, int, int]

    def runs(self, marked: str, *, for_mariadb: bool) -> bool:
        """Whether code in a comment marked ``/*!marked`` or ``/*M!marked`` is run."""
        if for_mariadb and not self.mariadb:
            return False
        needed = int(marked or 0)
        if self.mariadb and not for_mariadb and needed in _FOREIGN_VERSIONS:
            return False
        major, minor, patch = self.version
        return needed <= major * 10_000 + minor * 100 + patch

    @property
    def shows_widths(self) -> bool:
        """Whether integer types are shown with their width."""
        return self.mariadb or self.version < (8, 0, 19)


def tokenize(sql: str, dialect: Dialect, *, backslash_escapes: bool = True) -> list[Token]:
    """The tokens of ``sql``, without blanks and comments. Code in comments that this server runs is part of it."""
    return list(_tokens(sql, dialect, escapes=backslash_escapes))


def _tokens(sql: str, dialect: Dialect, *, escapes: bool) -> Iterator[Token]:
    pattern = _ESCAPING if escapes else _LITERAL
    at = 0
    while at < len(sql):
        match = pattern.match(sql, at)
        if match is None:
            raise NotUnderstood("it cannot be taken apart")
        at = match.end()
        group = match.lastgroup
        if match["code"] is not None:
            if not dialect.runs(match["version"], for_mariadb=bool(match["maria"])):
                end = sql.find("*/", at)
                at = len(sql) if end < 0 else end
        elif group == "word":
            yield Token(TokenKind.WORD, match["word"], match["word"].upper())
        elif group == "other":
            yield Token(TokenKind.SYMBOL, match["other"])
        elif group == "backtick":
            yield Token(TokenKind.NAME, match["backtick"].replace("``", "`"))
        elif group == "double":
            yield Token(TokenKind.DOUBLE, _unquoted(match["double"], '"', escapes=escapes))
        elif group == "single":
            yield Token(TokenKind.STRING, _unquoted(match["single"], "'", escapes=escapes))


def _unquoted(text: str, quote: str, *, escapes: bool) -> str:
    text = text.replace(quote * 2, quote)
    if not escapes:
        return text
    return _ESCAPE.sub(lambda match: _ESCAPES.get(match[1], match[1]), text)


_NAMES = {TokenKind.WORD, TokenKind.NAME, TokenKind.DOUBLE}
_STRINGS = {TokenKind.STRING, TokenKind.DOUBLE}


class Cursor:
    """Reads tokens from left to right. What is not where it is expected raises NotUnderstood."""

    def __init__(self, tokens: list[Token]) -> None:
        self._tokens = tokens
        self._at = 0

    @property
    def at_end(self) -> bool:
        return self._at >= len(self._tokens)

    def word(self, ahead: int = 0) -> str:
        """The plain word here, or ``ahead`` tokens further, in upper case; empty if there is none."""
        at = self._at + ahead
        return self._tokens[at].word if at < len(self._tokens) else ""

    def is_symbol(self, symbol: str, ahead: int = 0) -> bool:
        at = self._at + ahead
        if at >= len(self._tokens):
            return False
        token = self._tokens[at]
        return token.kind is TokenKind.SYMBOL and token.text == symbol

    def at_string(self, ahead: int = 0) -> bool:
        at = self._at + ahead
        return at < len(self._tokens) and self._tokens[at].kind in _STRINGS

    def next(self) -> Token:
        if self.at_end:
            raise NotUnderstood("it ends too early")
        token = self._tokens[self._at]
        self._at += 1
        return token

    def accept(self, *words: str) -> bool:
        """Pass these words if they stand here, one after the other."""
        if all(self.word(ahead) == word for ahead, word in enumerate(words)):
            self._at += len(words)
            return True
        return False

    def accept_any(self, *words: str) -> str:
        """Pass one of these words if it stands here: that word, else nothing."""
        found = self.word()
        if found and found in words:
            self._at += 1
            return found
        return ""

    def accept_symbol(self, symbol: str) -> bool:
        if self.is_symbol(symbol):
            self._at += 1
            return True
        return False

    def expect(self, *words: str) -> None:
        if not self.accept(*words):
            raise NotUnderstood(f"{self.near()}, where {' '.join(words)} was expected")

    def expect_symbol(self, symbol: str) -> None:
        if not self.accept_symbol(symbol):
            raise NotUnderstood(f"{self.near()}, where {symbol} was expected")

    def name(self) -> str:
        """A name, quoted or not."""
        token = self.next()
        if token.kind not in _NAMES:
            self._at -= 1
            raise NotUnderstood(f"{self.near()}, where a name was expected")
        return token.text

    def string(self) -> str:
        """A string, of several pieces perhaps."""
        if not self.at_string():
            raise NotUnderstood(f"{self.near()}, where a string was expected")
        pieces = []
        while self.at_string():
            pieces.append(self.next().text)
        return "".join(pieces)

    def number(self) -> int:
        """A whole number without a sign."""
        text = self.next().text
        if not text.isascii() or not text.isdecimal():
            self._at -= 1
            raise NotUnderstood(f"{self.near()}, where a number was expected")
        return int(text)

    def table(self, database: str) -> tuple[str, str]:
        """The table named here, as (database, name)."""
        if self.accept_symbol("."):  # an old way to name a table of the default database
            return database, self.name()
        first = self.name()
        return (first, self.name()) if self.accept_symbol(".") else (database, first)

    def skip_parentheses(self) -> bool:
        """Pass all between an opening parenthesis here and the one that closes it; whether there is one."""
        if not self.accept_symbol("("):
            return False
        depth = 1
        while depth:
            token = self.next()
            if token.kind is TokenKind.SYMBOL:
                depth += (token.text == "(") - (token.text == ")")
        return True

    def skip_to_comma(self) -> None:
        """Pass all up to a comma that is in no parentheses, or to the end."""
        while not self.at_end and not self.is_symbol(",") and not self.is_symbol(")"):
            if not self.skip_parentheses():
                self._at += 1

    def skip_rest(self) -> None:
        self._at = len(self._tokens)

    def near(self) -> str:
        """What stands here, for a message."""
        if self.at_end:
            return "its end"
        around = " ".join(token.text for token in self._tokens[self._at : self._at + 3])
        return f"'{around[:60]}'"
