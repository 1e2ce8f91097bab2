"""The training corpus: an endless, seeded stream of documents with gaps and of conversations."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

import chat
from batches import ORDINARY
from copies import copies
from documents import sentence_document
from examples import Encoder, Example
from facts import facts_document
from functions import function_document
from rewriting import rewriting
from stories import story, story_document
from wording import Document, Split

CODE_SHARE, STORY_SHARE, FACTS_SHARE = 0.25, 0.05, 0.05


@dataclass(frozen=True, kw_only=True)
class Mixture:
    """Shares of the examples; the rest are documents with gaps."""

    copies: float
    chat: float


def mixture(progress: float) -> Mixture:
    """What to learn when: first to copy, then gaps in texts, then to talk. `progress` is 0 to 1."""
    copying = 0.8 - 0.75 * _ramp(progress, 0.06, 0.26)
    talking = 0.45 * _ramp(progress, 0.25, 0.55) + 0.2 * _ramp(progress, 0.65, 0.75)
    return Mixture(copies=copying, chat=talking)


def _ramp(progress: float, start: float, end: float) -> float:
    """0 before `start`, 1 from `end` on, straight between them."""
    return min(1.0, max(0.0, (progress - start) / (end - start)))


def document(rng: Random, split: Split) -> Document:
    draw = rng.random()
    if draw < CODE_SHARE:
        return function_document(rng, split)
    if draw < CODE_SHARE + STORY_SHARE:
        return story_document(rng, split)
    if draw < CODE_SHARE + STORY_SHARE + FACTS_SHARE:
        return facts_document(rng, split)
    return sentence_document(rng, split)


def conversation(rng: Random, split: Split) -> chat.Conversation:
    make = rng.choices((chat.conversation, story, rewriting), weights=(6, 3, 2))[0]
    return make(rng, split)


def texts(rng: Random, count: int) -> Iterator[str]:
    """Texts for the tokenizer, markup words included."""
    for _ in range(count):
        yield document(rng, "train").text
        talk = conversation(rng, "train")
        for role, text in talk.turns:
            yield f"{role}\n{text}"
        yield f"model\n{talk.answer}"
        yield f"thought\n{talk.thought}"


def examples(rng: Random, encoder: Encoder, count: int, shares: Mixture) -> list[Example]:
    made = []
    words = ORDINARY.tolist()
    for _ in range(count):
        draw = rng.random()
        if draw < shares.copies:
            made.append(copies(rng, words, encoder.gap_prompt))
        elif draw < shares.copies + shares.chat:
            talk = conversation(rng, "train")
            made.append(encoder.conversation(rng, talk, thinking=rng.random() < 0.06))
        else:
            made.append(encoder.document(document(rng, "train")))
    return made
