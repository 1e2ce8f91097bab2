"""What language a document is in, and which of its words are coloured."""

from __future__ import annotations

import re
from pathlib import PurePath

from app.state.editor.changes import units
from app.state.markdown.code import Highlighter, Kind, Span, is_known

MARKDOWN = "markdown"
SECONDS = 0.5  # of the other thread, for what is in view
_MARKDOWN_SUFFIXES = ("md", "markdown", "mdown")
_NAMES = {"makefile": "make", "dockerfile": "docker", "cmakelists.txt": "cmake"}
_PARTS = (
    (re.compile(r"^ {0,3}#{1,6}\s.*$", re.MULTILINE), Kind.NAME),
    (re.compile(r"^ {0,3}>.*$", re.MULTILINE), Kind.COMMENT),
    (re.compile(r"^\s*(?:[-*+]|\d{1,9}[.)])(?=\s)", re.MULTILINE), Kind.KEYWORD),
    (re.compile(r"(?<!`)`[^`\n]+`"), Kind.TEXT),
    (
        re.compile(
            r"\*\*(?=\S)[^*\n]+(?<=\S)\*\*|(?<![_\w])__(?=[^\s_])[^_\n]+(?<=[^\s_])__(?![_\w])"
        ),
        Kind.TYPE,
    ),
    (re.compile(r"\[[^\]\n]{1,500}\]\([^)\s]{1,2000}\)"), Kind.NAME),
)
_FENCE = re.compile(
    r"^ {0,3}(```+|~~~+)[^\n]*\n.*?(?:^ {0,3}\1[ \t]*$|\Z)", re.MULTILINE | re.DOTALL
)


def language_of(name: str) -> str:
    """Of a file, by its name; empty for plain text."""
    path = PurePath(name.lower())
    suffix = path.suffix.removeprefix(".")
    if suffix in _MARKDOWN_SUFFIXES:
        return MARKDOWN
    language = _NAMES.get(path.name, suffix)
    return language if is_known(language) else ""


def is_code(language: str) -> bool:
    """Whether letters should stand below each other."""
    return bool(language) and language != MARKDOWN


def coloured(text: str, language: str) -> tuple[Span, ...]:
    """The parts of `text` that are more than plain, in order, in UTF-16 units."""
    if language == MARKDOWN:
        return _markdown(text)
    return Highlighter(SECONDS).spans(text, language)


def _markdown(text: str) -> tuple[Span, ...]:
    """Only marks that stand where they are; what is in a fence is one text."""
    found: list[tuple[int, int, Kind]] = []
    fences = [(match.start(), match.end(), Kind.TEXT) for match in _FENCE.finditer(text)]
    taken = iter([*fences, (len(text), len(text), Kind.TEXT)])
    at = 0
    for start, end, kind in taken:
        plain = text[at:start]
        for pattern, part in _PARTS:
            found += [(at + m.start(), at + m.end(), part) for m in pattern.finditer(plain)]
        if end > start:
            found.append((start, end, kind))
        at = end
    return tuple(_in_units(text, _apart(sorted(found))))


def _apart(parts: list[tuple[int, int, Kind]]) -> list[tuple[int, int, Kind]]:
    """Of parts that overlap, the one that begins first."""
    kept: list[tuple[int, int, Kind]] = []
    for part in parts:
        if not kept or part[0] >= kept[-1][1]:
            kept.append(part)
    return kept


def _in_units(text: str, parts: list[tuple[int, int, Kind]]) -> list[Span]:
    made: list[Span] = []
    at = place = 0
    for start, end, kind in parts:
        place += units(text[at:start])
        length = units(text[start:end])
        made.append((place, length, kind))
        at, place = end, place + length
    return made
