"""One change of a document, in UTF-16 units as Qt counts, and ranges that move with changes."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Change:
    """At `at`, `removed` units went and `added` came."""

    at: int
    removed: int
    added: str

    @property
    def added_units(self) -> int:
        return units(self.added)


@dataclass(frozen=True, kw_only=True)
class Range:
    """A place in a document, `end` exclusive. An empty one is a caret."""

    start: int
    end: int

    def after(self, change: Change) -> Range | None:
        """Where the same text is after the change; None if the change was inside of it.

        What is typed at one of its borders stays outside.
        """
        gone = change.at + change.removed
        if change.at >= self.end:
            return self
        if gone <= self.start:
            by = change.added_units - change.removed
            return Range(start=self.start + by, end=self.end + by)
        return None

    def touches(self, other: Range) -> bool:
        """Whether they share a letter, or one is a caret on the other."""
        if self.start == self.end or other.start == other.end:
            return self.start <= other.end and other.start <= self.end
        return self.start < other.end and other.start < self.end


def units(text: str) -> int:
    """The length of `text` in UTF-16 units."""
    if text.isascii() or max(text) <= "\uffff":
        return len(text)
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def points(text: str, at: int) -> int:
    """How many code points of `text` lie before the UTF-16 unit `at`."""
    if text.isascii() or max(text) <= "\uffff":
        return at
    return len(text.encode("utf-16-le", "surrogatepass")[: 2 * at].decode("utf-16-le", "replace"))


def common_start(one: str, other: str) -> int:
    """How many letters both begin with, found by halving."""
    low, high = 0, min(len(one), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        if one[low:middle] == other[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low


def replay(text: str, changes: list[Change]) -> str:
    """The text after all changes, in order."""
    data = bytearray(text.encode("utf-16-le", "surrogatepass"))
    for change in changes:
        begin = 2 * change.at
        data[begin : begin + 2 * change.removed] = change.added.encode("utf-16-le", "surrogatepass")
    return data.decode("utf-16-le", "surrogatepass")
