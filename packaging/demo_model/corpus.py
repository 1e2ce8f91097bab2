"""The training corpus: an endless, seeded stream of documents with gaps and of conversations."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from random import Random

import chat
from batches import ORDINARY
from copies import copies, echo
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
    echoes: float
    chat: float
    rewriting: float


def mixture(progress: float) -> Mixture:
    """What to learn when: first to copy, then gaps in texts, then to talk and to rewrite.

    `progress` is 0 to 1.
    """
    return Mixture(
        copies=0.8 - 0.76 * _ramp(progress, 0.06, 0.26),
        echoes=0.06 * _ramp(progress, 0.2, 0.3),
        chat=0.22 * _ramp(progress, 0.25, 0.55),
        rewriting=0.28 * _ramp(progress, 0.5, 0.65),
    )


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
    make = rng.choices((chat.conversation, story), weights=(2, 1))[0]
    return make(rng, split)


def texts(rng: Random, count: int) -> Iterator[str]:
    """Texts for the tokenizer, markup words included."""
    for _ in range(count):
        yield document(rng, "train").text
        for talk in (conversation(rng, "train"), rewriting(rng, "train")):
            for role, text in talk.turns:
                yield f"{role}\n{text}"
            yield f"model\n{talk.answer}"
            yield f"thought\n{talk.thought}"


def examples(rng: Random, encoder: Encoder, count: int, shares: Mixture) -> list[Example]:
    words = ORDINARY.tolist()

    def said(talk: chat.Conversation) -> Example:
        return encoder.conversation(rng, talk, thinking=rng.random() < 0.06)

    makers: dict[Callable[[], Example], float] = {
        lambda: copies(rng, words, encoder.gap_prompt): shares.copies,
        lambda: echo(rng, words, encoder.echo_frame): shares.echoes,
        lambda: said(conversation(rng, "train")): shares.chat,
        lambda: said(rewriting(rng, "train")): shares.rewriting,
        lambda: encoder.document(document(rng, "train")): 1 - sum(vars(shares).values()),
    }
    return [make() for make in rng.choices(list(makers), list(makers.values()), k=count)]
