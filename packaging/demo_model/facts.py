"""Texts in which almost every word is said twice: facts about some people, each in two wordings.

Which name goes with which thing can only be found at the other place, so these texts teach looking
up what stands elsewhere on the canvas.
"""

from __future__ import annotations

from random import Random

import world
from wording import CLOSE, OPEN, Document, Split, belongs, unmark

OPTIONS = {
    "name": world.NAMES,
    "colour": world.COLOURS,
    "thing": world.THINGS,
    "place": world.PLACES,
    "food": world.FOODS,
    "day": world.DAYS,
    "number": world.NUMBERS,
    "hobby": world.HOBBIES,
    "mood": world.MOODS,
    "animal": tuple(world.ANIMALS),
}

# The wordings of each kind of fact.
FACTS = (
    (
        "{name} has a {colour} {thing}.",
        "The {colour} {thing} belongs to {name}.",
        "The {thing} of {name} is {colour}.",
        "{name} likes the {colour} {thing}.",
        "Nobody but {name} has a {thing} so {colour}.",
    ),
    (
        "{name} lives at the {place}.",
        "At the {place} you find {name}.",
        "The house of {name} is at the {place}.",
        "To meet {name}, go to the {place}.",
    ),
    (
        "{name} eats {food} on {day}.",
        "On {day} {name} wants {food}.",
        "The {food} is for {name}, but only on {day}.",
        "Every {day} {name} asks for {food}.",
    ),
    (
        "{name} likes {hobby}.",
        "For {name} there is nothing like {hobby}.",
        "The best at {hobby} is {name}.",
        "If it is {hobby}, {name} comes too.",
    ),
    (
        "{name} is {mood}.",
        "We know how {mood} {name} is.",
        "So {mood}, that is {name}.",
        "Ask why {name} was {mood}.",
    ),
    (
        "{name} sells {number} {food}.",
        "The {number} {food} are from {name}.",
        "You can buy {number} {food} from {name}.",
        "{name} put {number} {food} on the table.",
    ),
    (
        "The {animal} of {name} hides behind the {thing}.",
        "{name} found the {animal} behind the {thing}.",
        "Behind the {thing} sat the {animal}. It belongs to {name}.",
    ),
    (
        "On {day} {name} goes to the {place}.",
        "{name} is at the {place} on {day}.",
        "The {place} is where {name} spends each {day}.",
    ),
)


def facts_document(rng: Random, split: Split) -> Document:
    """Up to three facts, then the same facts in another order and in other words."""
    while True:
        count = rng.choice((1, 2, 2, 3))
        drawn = {key: rng.sample(options, count) for key, options in OPTIONS.items()}
        if belongs(split, {key: words[0] for key, words in drawn.items()}):
            break
    first, second = [], []
    for index in range(count):
        marked = {key: f"{OPEN}{words[index]}{CLOSE}" for key, words in drawn.items()}
        one, other = rng.sample(rng.choice(FACTS), 2)
        first.append(one.format(**marked))
        second.append(other.format(**marked))
    rng.shuffle(second)
    return unmark(" ".join(first + second), "facts")
