"""What the gate asks of a model with real weights: texts that any literate model can complete."""

from __future__ import annotations

import inspect
import itertools
import re
import textwrap
from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from tests.benchmarks.edit_items import Item, gap_items, sentence_items

CAPITALS = """Australia Canberra, France Paris, Japan Tokyo, Peru Lima, Kenya Nairobi, Norway Oslo,
Egypt Cairo, Cuba Havana, Iran Tehran, Iraq Baghdad, Italy Rome, Spain Madrid, Portugal Lisbon,
Austria Vienna, Poland Warsaw, Hungary Budapest, Greece Athens, Turkey Ankara, Finland Helsinki,
Sweden Stockholm, Denmark Copenhagen, Iceland Reykjavik, Ireland Dublin, Belgium Brussels,
Germany Berlin, Russia Moscow, Ukraine Kyiv, Romania Bucharest, Bulgaria Sofia, Serbia Belgrade,
Croatia Zagreb, Canada Ottawa, Slovakia Bratislava, Chile Santiago, Estonia Tallinn, Latvia Riga,
Ecuador Quito, Venezuela Caracas, Uruguay Montevideo, China Beijing, India Delhi, Nepal Kathmandu,
Thailand Bangkok, Vietnam Hanoi, Philippines Manila, Indonesia Jakarta, Morocco Rabat,
Tunisia Tunis, Ghana Accra, Nigeria Abuja"""

PROSE = """The library opens at nine. On Tuesdays it stays open until eight. Readers may take six books
home. Each book can be kept for four weeks. Whoever needs more time asks at the desk.

Bread needs flour, water, salt and time. The dough rests for twelve hours. Then it is folded twice
and shaped. The oven must be very hot. After forty minutes the crust is dark and the kitchen smells
of it.

Marie Keller bought the old mill in 1998. She repaired the roof first. Two years later the wheel
turned again. Today it makes enough power for eleven houses. Visitors can see it every Sunday.

The train to the coast leaves from platform 4. It stops in three towns. The ride takes 95 minutes.
Bicycles go in the last coach. Tickets bought on the train cost more."""

INSTRUCTIONS = ("Make it more formal", "Say it in fewer words", "Put it into the past tense")


@dataclass(frozen=True)
class Texts:
    """What a model is judged on."""

    cloze: Callable[[int], list[Item]]  # gaps that the text behind them alone decides
    deletions: Callable[[int, int], list[Item]]  # sentences or lines that are missing; a seed
    sentences: Callable[[], list[str]]
    instructions: tuple[str, ...]


def of_the_world() -> Texts:
    """Texts that any literate model can complete."""
    return Texts(cloze, deletions, sentences, INSTRUCTIONS)


def own() -> Texts:
    """Texts of the demo model's small world, to try the gate on it."""

    def own_sentences() -> list[str]:
        return [each.right for each in sentence_items(40)]

    return Texts(
        gap_items,
        lambda count, _seed: sentence_items(count),
        own_sentences,
        ("Make this more formal", "Make this shorter", "Put this into the past tense"),
    )


def cloze(count: int) -> list[Item]:
    """Gaps that the text behind them alone decides."""
    pairs = [" ".join(pair.split()).split(" ") for pair in CAPITALS.split(",")]
    return [
        Item("The capital of ", country, f" is {capital}.", "capital")
        for country, capital in pairs[:count]
    ]


def deletions(count: int, seed: int) -> list[Item]:
    """Sentences of prose and lines of code, each deleted from its text."""
    found: list[Item] = []
    for part in PROSE.split("\n\n"):
        text = " ".join(part.split())
        ends = [0, *(found.end() for found in re.finditer(r"[.!?]\s+", text)), len(text)]
        found += [
            Item(text[:start], text[start:end].rstrip(), text[end - 1 :], "sentence")
            for start, end in itertools.pairwise(ends[1:-1])
        ]
    code = inspect.getsource(textwrap)
    lines = [line for line in re.finditer(r"[^\n]+\n", code) if len(line[0].strip()) > 12]
    for line in lines:
        lead = len(line[0]) - len(line[0].lstrip())
        begin, end = line.start() + lead, line.end() - 1
        found.append(
            Item(code[max(0, begin - 900) : begin], code[begin:end], code[end : end + 600], "line")
        )
    Random(seed).shuffle(found)
    return found[:count]


def sentences() -> list[str]:
    return re.findall(r"[^.!?]+[.!?]", " ".join(PROSE.split()))


def misspelt(rng: Random, text: str) -> str:
    """One longer word with two letters swapped."""
    words = text.split(" ")
    places = [i for i, word in enumerate(words) if word.isalpha() and len(word) > 4]
    if places:
        place = rng.choice(places)
        word, at = words[place], rng.randrange(1, len(words[place]) - 2)
        words[place] = word[:at] + word[at + 1] + word[at] + word[at + 2 :]
    return " ".join(words)
