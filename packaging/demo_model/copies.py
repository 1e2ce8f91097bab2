"""Random tokens that stand twice: on a canvas, at any distance, or in a question and its answer.

No text, and no sense in it: only the other place tells what belongs into a gap. A network learns to
look there within some hundred steps, and keeps the skill when words with sense follow; with those
alone it took the easier way for thousands of steps, to guess from the words next to the gap.
"""

from __future__ import annotations

from random import Random

from examples import Example
from vocabulary import TURN_END

LONGEST = 64  # tokens on the canvas


def copies(rng: Random, words: list[int], prompt: tuple[int, ...]) -> Example:
    """A run of tokens, two to five times, with or without other tokens between.

    `words` are the ids to draw from.
    """
    run = rng.choices(words, k=rng.randrange(3, 13))
    times = rng.choice((2, 2, 3, 4, 5))
    apart = rng.choice((0, 0, 1, 2, rng.randrange(9)))
    canvas = rng.choices(words, k=rng.choice((0, 0, 1, 2, rng.randrange(9))))
    places: list[int] = []
    for _ in range(times):
        if places and len(canvas) + len(run) > LONGEST:
            break
        places += range(len(canvas), len(canvas) + len(run))
        canvas += [*run, *rng.choices(words, k=apart)]
    return Example(
        prompt=prompt,
        canvas=tuple(canvas[:LONGEST]),
        ends=False,
        marks=(),
        repeats=tuple(place for place in places if place < LONGEST),
        document=True,
        has_sense=False,
    )


def echo(rng: Random, words: list[int], frame: tuple[tuple[int, ...], tuple[int, ...]]) -> Example:
    """A question of random tokens and the same ones as the answer: whoever rewrites a text must know
    where he is in it.

    frame: the ids before and behind the user's words.
    """
    run = rng.choices(words, k=rng.randrange(2, 25))
    return Example(
        prompt=(*frame[0], *run, *frame[1]),
        canvas=(*run, TURN_END),
        ends=True,
        marks=(),
        repeats=(),
        document=False,
    )
