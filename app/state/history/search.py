"""Full-text search: what is indexed, how a query is read, and where its words are in a text.

Words match whole, and if that does not fill the list, the last one also as the beginning of a word,
so that results come while typing. Accents and case do not matter. Scripts written without spaces are indexed a character
a word and searched as phrases, so any part of a Chinese or Japanese sentence is found, from one
character on; an index of trigrams would need three, and three times the room.

The newest matches come first and the search ends with them. An order by relevance would have to
look at every message that says "the". Beginnings of two to four letters have an index of their own,
because so many words begin with them.
"""

from __future__ import annotations

import re
import sqlite3
import unicodedata
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from app.state.text import visible

HITS_PER_CHAT = 3  # so that one chat cannot crowd out the others
SCANNED = 10_000  # matches looked at, at most
QUERY_CHARACTERS = 200
QUERY_WORDS = 12
BEFORE, AROUND = 30, 160  # characters of a snippet before its first match, and in all
SEARCHED_CHARACTERS = 200_000  # of a message, for its snippet

# Thai, Lao, Myanmar, Khmer, kana, Han, Hangul: fixed, because the index remembers them
_SPACELESS = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3005-\u3007\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf"
    "\u4e00-\u9fff\uac00-\ud7a3\uf900-\ufaff\uff66-\uff9d\U00020000-\U0003ffff"
)
_ONE_SPACELESS = re.compile(f"([{_SPACELESS}])")
_MARKS = "[\u0300-\u036f]*"  # accents after their letter
# what a word is made of: letters, digits, and the vowel signs of Hebrew, Arabic and India
_LETTER = (
    f"(?:[^\\W_{_SPACELESS}\u0300-\u036f]"
    "|[\u0591-\u05bd\u0610-\u061a\u064b-\u065f\u0900-\u0963\u0966-\u0dff])"
)


_LETTERS = re.compile(_LETTER)


@dataclass(frozen=True, kw_only=True)
class Hit:
    """A message that matches, or a title where `message_id` is None.

    `ranges` are the matches in `snippet`: starts and ends in characters (code points).
    """

    chat_id: str
    message_id: str | None
    title: str
    snippet: str
    ranges: tuple[tuple[int, int], ...]


def words_of(text: str) -> str:
    """The text as it is indexed."""
    return text if text.isascii() else _ONE_SPACELESS.sub(r" \1 ", text)


def index(connection: sqlite3.Connection, table: str, number: int, text: str) -> None:
    connection.execute(
        f"INSERT INTO {table} (rowid, words) VALUES (?, ?)", (number, words_of(text))
    )


def unindex(connection: sqlite3.Connection, table: str, number: int, text: str) -> None:
    """`text` must be what was indexed: the index keeps no copy."""
    connection.execute(
        f"INSERT INTO {table} ({table}, rowid, words) VALUES ('delete', ?, ?)",
        (number, words_of(text)),
    )


def search(connection: sqlite3.Connection, query: str, limit: int) -> tuple[Hit, ...]:
    """Titles first, then messages, each newest first. Any text is a query; none can fail."""
    pieces = _pieces(query)
    if not pieces or limit <= 0:
        return ()
    look = _Look(_pattern(pieces), _Folded())
    phrases = _phrases(pieces)
    matches = [" AND ".join(phrases)]
    if _is_begun(pieces[-1]):
        matches.append(matches[0] + " *")
    hits = _titles(connection, matches[-1], look, (limit + 1) // 2)  # leaves room for messages
    found: dict[int, int] = {}
    for match in matches:
        _add_messages(connection, match, limit - len(hits), found)
    return (*hits, *(_message_hit(connection, number, look) for number in found))


def _titles(connection: sqlite3.Connection, match: str, look: _Look, limit: int) -> list[Hit]:
    rows = connection.execute(
        "SELECT id, title FROM chats WHERE NOT is_deleted AND number IN"
        " (SELECT rowid FROM title_words WHERE title_words MATCH ?) ORDER BY recency DESC LIMIT ?",
        (match, limit),
    )
    return [_hit(chat_id, None, title, title, look) for chat_id, title in rows]


def _add_messages(
    connection: sqlite3.Connection, match: str, limit: int, found: dict[int, int]
) -> None:
    """Adds messages to `found`, newest first: their numbers, and those of their chats."""
    if len(found) >= limit:
        return
    # CROSS JOIN keeps SQLite from sorting: rows come newest first as they are asked for
    rows = connection.execute(
        "SELECT messages.number, messages.chat FROM message_words"
        " CROSS JOIN messages ON messages.number = message_words.rowid"
        " CROSS JOIN chats ON chats.number = messages.chat"
        " WHERE message_words MATCH ? AND NOT chats.is_deleted"
        " ORDER BY message_words.rowid DESC LIMIT ?",
        (match, SCANNED),
    )
    taken = Counter(found.values())
    for number, chat in rows:
        if number not in found and taken[chat] < HITS_PER_CHAT:
            taken[chat] += 1
            found[number] = chat
            if len(found) == limit:
                break
    rows.close()


def _message_hit(connection: sqlite3.Connection, number: int, look: _Look) -> Hit:
    chat_id, message_id, title, text = connection.execute(
        "SELECT chats.id, messages.id, title, text FROM messages"
        " JOIN chats ON chats.number = chat WHERE messages.number = ?",
        (number,),
    ).fetchone()
    return _hit(chat_id, message_id, title, text, look)


def _pieces(query: str) -> list[str]:
    """The parts between spaces that have a letter or a digit; each is one phrase."""
    parts = query[:QUERY_CHARACTERS].replace("\0", " ").split()
    pieces = [part for part in parts if any(map(str.isalnum, part))][:QUERY_WORDS]
    if len(pieces) > 1 and len(pieces[-1]) == 1 and not _is_spaceless(pieces[-1]):
        pieces.pop()  # a word just begun
    return pieces


def _phrases(pieces: list[str]) -> list[str]:
    return ['"' + words_of(piece).replace('"', '""') + '"' for piece in pieces]


def _is_spaceless(character: str) -> bool:
    return _ONE_SPACELESS.match(character) is not None


def _is_begun(piece: str) -> bool:
    """Whether more of the last word may come. One letter alone would match a tenth of all words."""
    letters = [each for each in piece if each.isalnum()]
    return len(letters) > 1 and not _is_spaceless(letters[-1])


class _Folded(dict[int, str]):
    """Characters without case and accents, one for one, so that positions stay."""

    def __missing__(self, code: int) -> str:
        character = chr(code)
        base = unicodedata.normalize("NFD", character)[0] if not _is_spaceless(character) else ""
        folded = (base or character).lower()
        self[code] = folded if len(folded) == 1 else character
        return self[code]


@dataclass(frozen=True)
class _Look:
    """How the words of one query look in folded text."""

    pattern: re.Pattern[str]
    folded: _Folded


def _pattern(pieces: list[str]) -> re.Pattern[str]:
    """Finds the pieces in folded text. Between words of a piece may be whatever is no word.

    It does not look whether a word begins there: to look behind first makes it ten times slower.
    """
    folded = _Folded()
    choices = []
    for number, piece in enumerate(pieces):
        words = re.findall(f"[{_SPACELESS}]|{_LETTER}+", piece.translate(folded))
        if not words:
            continue
        spelled = [_MARKS.join(map(re.escape, word)) + _MARKS for word in words]
        choice = r"[\W_]*".join(spelled)
        is_begun = number == len(pieces) - 1 and _is_begun(piece)
        if not is_begun and not _is_spaceless(words[-1]):
            choice += f"(?!{_LETTER})"
        choices.append(choice)
    return re.compile("|".join(choices) or "(?!)")


def _matches(
    pattern: re.Pattern[str], folded: str, start: int, end: int
) -> Iterator[tuple[int, int]]:
    for match in pattern.finditer(folded, start, end):
        first, last = match.span()
        if first == 0 or _is_spaceless(folded[first]) or not _LETTERS.match(folded[first - 1]):
            yield first, last


def _hit(chat_id: str, message_id: str | None, title: str, text: str, look: _Look) -> Hit:
    snippet, ranges = snippet_of(text, look)
    return Hit(chat_id=chat_id, message_id=message_id, title=title, snippet=snippet, ranges=ranges)


def snippet_of(text: str, look: _Look) -> tuple[str, tuple[tuple[int, int], ...]]:
    """One line of the text around the first match, and where the matches are in it."""
    text = text[:SEARCHED_CHARACTERS]
    folded = text.lower() if text.isascii() else text.translate(look.folded)
    first, _ = next(_matches(look.pattern, folded, 0, len(text)), (0, 0))
    start = max(0, first - BEFORE)
    if start:
        space = text.find(" ", start, start + BEFORE)
        start = space + 1 if space >= 0 else start
    end = min(len(text), start + AROUND)
    lead, trail = "…" if start else "", "…" if end < len(text) else ""
    snippet = lead + visible(text[start:end]).replace("\n", " ").replace("\t", " ") + trail
    shift = len(lead) - start
    ranges = ((a + shift, b + shift) for a, b in _matches(look.pattern, folded, start, end))
    return snippet, tuple(ranges)
