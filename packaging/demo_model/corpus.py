"""The training corpus: an endless, seeded stream of documents with gaps and of conversations."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

import chat
from documents import sentence_document
from examples import Encoder, Example
from functions import function_document
from rewriting import rewriting
from stories import story, story_document
from wording import Document, Split

CODE_SHARE, STORY_SHARE = 0.25, 0.15


def document(rng: Random, split: Split) -> Document:
    draw = rng.random()
    if draw < CODE_SHARE:
        return function_document(rng, split)
    if draw < CODE_SHARE + STORY_SHARE:
        return story_document(rng, split)
    return sentence_document(rng, split)


def conversation(rng: Random, split: Split) -> chat.Conversation:
    make = rng.choices((chat.conversation, story, rewriting), weights=(6, 2, 3))[0]
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


def examples(rng: Random, encoder: Encoder, count: int, document_share: float) -> list[Example]:
    made = []
    for _ in range(count):
        if rng.random() < document_share:
            made.append(encoder.document(document(rng, "train")))
        else:
            talk = conversation(rng, "train")
            made.append(encoder.conversation(rng, talk, thinking=rng.random() < 0.06))
    return made
