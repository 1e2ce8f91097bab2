"""Which words of a program are keywords, names, texts and so on.

Only languages of this list are looked at, with the library's own grammars: a grammar that takes very
long on hostile text must not come in by its name.
"""

from __future__ import annotations

import time
from enum import IntEnum

from pygments.lexer import Lexer  # type: ignore[import-untyped]
from pygments.lexers import find_lexer_class  # type: ignore[import-untyped]
from pygments.token import Token, _TokenType  # type: ignore[import-untyped]

SECONDS = 0.08  # for one answer; what is left then stays plain
LONGEST_LINE = 2_000  # characters


class Kind(IntEnum):
    KEYWORD = 0
    NAME = 1  # of a function, a class, a tag
    TYPE = 2  # and what the language brings along
    TEXT = 3
    NUMBER = 4
    COMMENT = 5
    ADDED = 6
    REMOVED = 7


Span = tuple[int, int, Kind]  # start and length in UTF-16 units

_GRAMMARS = {  # what people write behind the three ticks: the name that Pygments knows
    "bash sh shell zsh": "Bash",
    "bat batch cmd": "Batchfile",
    "c h": "C",
    "c# cs csharp": "C#",
    "c++ cc cpp hpp cxx": "C++",
    "cmake": "CMake",
    "css": "CSS",
    "dart": "Dart",
    "diff patch": "Diff",
    "docker dockerfile": "Docker",
    "go golang": "Go",
    "haskell hs": "Haskell",
    "html": "HTML",
    "ini cfg": "INI",
    "java": "Java",
    "javascript js jsx mjs": "JavaScript",
    "json jsonc": "JSON",
    "julia jl": "Julia",
    "kotlin kt": "Kotlin",
    "latex tex": "TeX",
    "lua": "Lua",
    "make makefile": "Makefile",
    "perl pl": "Perl",
    "php": "PHP",
    "powershell ps1 pwsh": "PowerShell",
    "py py3 python python3": "Python",
    "r": "S",
    "rb ruby": "Ruby",
    "rs rust": "Rust",
    "scala": "Scala",
    "scss": "SCSS",
    "sql sqlite postgresql mysql": "SQL",
    "swift": "Swift",
    "toml": "TOML",
    "ts tsx typescript": "TypeScript",
    "xml svg": "XML",
    "yaml yml": "YAML",
}
_BY_ALIAS = {alias: name for aliases, name in _GRAMMARS.items() for alias in aliases.split()}
_SHOWN_NAMES = {"S": "R"}

_KINDS = (
    (Token.Comment.Preproc, Kind.TYPE),
    (Token.Comment, Kind.COMMENT),
    (Token.Keyword.Type, Kind.TYPE),
    (Token.Keyword, Kind.KEYWORD),
    (Token.Operator.Word, Kind.KEYWORD),
    (Token.Name.Builtin, Kind.TYPE),
    (Token.Name.Function, Kind.NAME),
    (Token.Name.Class, Kind.NAME),
    (Token.Name.Decorator, Kind.TYPE),
    (Token.Name.Tag, Kind.KEYWORD),
    (Token.Name.Attribute, Kind.TYPE),
    (Token.Name.Exception, Kind.TYPE),
    (Token.Literal.String, Kind.TEXT),
    (Token.Literal.Number, Kind.NUMBER),
    (Token.Generic.Inserted, Kind.ADDED),
    (Token.Generic.Deleted, Kind.REMOVED),
    (Token.Generic.Heading, Kind.COMMENT),
    (Token.Generic.Subheading, Kind.COMMENT),
)


def language_name(info: str) -> str:
    """How to call what stands behind the three ticks: "Python" for `py`; else as written."""
    info = info.strip()
    name = _BY_ALIAS.get(info.lower(), info)
    return _SHOWN_NAMES.get(name, name)


def is_known(alias: str) -> bool:
    """Whether there is a grammar of this name."""
    return alias in _BY_ALIAS


class Highlighter:
    """Colours the code of one answer within `seconds` of time of this thread, in all."""

    def __init__(self, seconds: float = SECONDS) -> None:
        self._end = time.thread_time() + seconds
        self._lexers: dict[str, Lexer] = {}

    def spans(self, code: str, info: str) -> tuple[Span, ...]:
        """The parts of `code` that are more than plain, in order. None for a foreign language."""
        words = info.lower().split()
        name = _BY_ALIAS.get(words[0]) if words else None
        if name is None or max(map(len, code.split("\n"))) > LONGEST_LINE:
            return ()
        is_narrow = max(code, default="") <= "\uffff"
        found: list[Span] = []
        position = 0
        for what, text in self._lexer(name).get_tokens(code):
            length = len(text) if is_narrow else len(text.encode("utf-16-le")) // 2
            kind = _kind(what)
            if kind is not None:
                _add(found, position, length, kind)
            position += length
            if time.thread_time() > self._end:
                break
        return tuple(found)

    def _lexer(self, name: str) -> Lexer:
        if name not in self._lexers:
            # told to keep every line end: else the positions are not those of the code
            self._lexers[name] = find_lexer_class(name)(stripnl=False, ensurenl=False)
        return self._lexers[name]


def _kind(what: _TokenType) -> Kind | None:
    for each, kind in _KINDS:
        if what in each:
            return kind
    return None


def _add(found: list[Span], start: int, length: int, kind: Kind) -> None:
    """Joins a part to the one before where it can: fewer are drawn faster."""
    if found:
        last_start, last_length, last_kind = found[-1]
        if last_kind is kind and last_start + last_length == start:
            found[-1] = (last_start, last_length + length, kind)
            return
    found.append((start, length, kind))
