"""What an edit offers: one text for each of its places, as hunks to accept or reject."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from enum import Enum

from app.state.editor.diff import Hunk, hunks_of


class Choice(Enum):
    OPEN = "open"
    ACCEPTED = "accepted"
    REJECTED = "rejected"


@dataclass(frozen=True, kw_only=True)
class Offer:
    """`originals` are the texts as they stand in the document, one a place.

    `hunks` of all places in order, `places` says whose each of them is.
    """

    originals: tuple[str, ...]
    texts: tuple[str, ...]
    hunks: tuple[Hunk, ...]
    places: tuple[int, ...]
    choices: tuple[Choice, ...]

    @property
    def is_decided(self) -> bool:
        return Choice.OPEN not in self.choices

    def choosing(self, hunk: int, choice: Choice) -> Offer:
        made = list(self.choices)
        made[hunk] = choice
        return replace(self, choices=tuple(made))

    def choosing_open(self, choice: Choice) -> Offer:
        """For every hunk that nobody has decided yet."""
        made = tuple(choice if each is Choice.OPEN else each for each in self.choices)
        return replace(self, choices=made)

    def next_open(self, hunk: int) -> int:
        """The first undecided hunk from there on, round about; the same one if there is none."""
        count = len(self.hunks)
        order = [(hunk + step) % count for step in range(count)] if count else []
        return next((each for each in order if self.choices[each] is Choice.OPEN), hunk)

    def of(self, place: int) -> list[int]:
        """The numbers of the hunks of one place."""
        return [number for number, whose in enumerate(self.places) if whose == place]

    def result(self) -> tuple[str, ...]:
        """The text of each place, with what is accepted and without everything else."""
        return tuple(self._result_of(place) for place in range(len(self.originals)))

    def _result_of(self, place: int) -> str:
        original, at = self.originals[place], 0
        parts: list[str] = []
        for number in self.of(place):
            hunk = self.hunks[number]
            is_taken = self.choices[number] is Choice.ACCEPTED
            parts += [original[at : hunk.start], hunk.new if is_taken else hunk.old]
            at = hunk.end
        return "".join((*parts, original[at:]))


def make_offer(originals: Sequence[str], texts: Sequence[str], *, in_words: bool) -> Offer:
    """`in_words` compares word by word; else each place is one hunk, as a filled gap is."""
    hunks: list[Hunk] = []
    places: list[int] = []
    for place, (old, new) in enumerate(zip(originals, texts, strict=True)):
        found = hunks_of(old, new) if in_words else tuple(_whole(old, new))
        hunks += found
        places += [place] * len(found)
    return Offer(
        originals=tuple(originals),
        texts=tuple(texts),
        hunks=tuple(hunks),
        places=tuple(places),
        choices=(Choice.OPEN,) * len(hunks),
    )


def _whole(old: str, new: str) -> Iterator[Hunk]:
    if old != new:
        yield Hunk(start=0, end=len(old), old=old, new=new)
