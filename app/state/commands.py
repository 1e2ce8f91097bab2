"""Everything one can do, by name; and which of it someone means who types a few letters."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass


def _always() -> bool:
    return True


@dataclass(frozen=True, kw_only=True)
class Command:
    """`title` is what people read, also foreign text such as a chat's title. `id` stays the same
    in every language.
    """

    id: str
    title: str
    run: Callable[[], object]
    shortcut: str = ""  # as people read it: "Ctrl+N"
    group: str = ""  # a quiet word on the kind: "Chat"
    is_enabled: Callable[[], bool] = _always


def matching(query: str, commands: Iterable[Command], recent: Sequence[str]) -> list[Command]:
    """The commands that fit, the best first; without a query all, the recently used first.

    Each word of the query has to be found. Of two that fit alike, the one used later is first,
    then the one that comes first in `commands`.
    """
    places = {command_id: place for place, command_id in enumerate(recent)}
    words = _plain(query).split()
    found = []
    for order, command in enumerate(commands):
        scores = [_score(word, command) for word in words]
        if all(scores):
            place = places.get(command.id, len(places))
            found.append((-sum(scores), place, order, command))
    return [command for *_, command in sorted(found, key=lambda item: item[:3])]


def _score(word: str, command: Command) -> int:
    """0 for no match. A word's start beats initials, those beat its middle, that beats scattered
    letters; the title beats the group."""
    title = _plain(command.title)
    words = title.split()
    if title == word:
        return 70
    if title.startswith(word):
        return 60
    if any(each.startswith(word) for each in words):
        return 50
    if "".join(each[0] for each in words).startswith(word):
        return 40
    if word in title:
        return 30
    if any(each.startswith(word) for each in _plain(command.group).split()):
        return 20
    return 10 if len(word) > 1 and _is_scattered(word, title) else 0


def _is_scattered(word: str, title: str) -> bool:
    """Whether the letters come in this order, the first one at a word's start."""
    starts = [i for i, letter in enumerate(title) if letter == word[0] and title[i - 1 : i] in " "]
    for start in starts:
        rest = iter(title[start:])
        if all(letter in rest for letter in word):
            return True
    return False


def _plain(text: str) -> str:
    """Without case and accents; what is neither letter nor digit parts words."""
    letters = unicodedata.normalize("NFKD", text.casefold())
    kept = (letter for letter in letters if not unicodedata.combining(letter))
    return " ".join("".join(letter if letter.isalnum() else " " for letter in kept).split())
