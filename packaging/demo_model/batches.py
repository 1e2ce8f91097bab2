"""Batches: examples of similar length together, with the noise that the sampler will show."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

import numpy as np
import torch
from examples import CANVAS, Example
from torch import Tensor
from vocabulary import PAD, SPECIAL, VOCAB_SIZE

ORDINARY = np.array(sorted(set(range(VOCAB_SIZE)) - set(SPECIAL.values())))


@dataclass(frozen=True, kw_only=True)
class Batch:
    """One step's worth. B canvases of C positions behind prompts of T tokens (one for documents)."""

    prompt: Tensor  # int64 [B or 1, T], padded on the right
    lengths: Tensor  # int64 [B or 1]
    clean: Tensor  # int64 [B, C]
    noisy: Tensor  # int64 [B, C]
    weight: Tensor  # float32 [B, C]: the loss of each position, 0 where none is asked for
    pinned: Tensor  # bool [B, C]: given text, known to the self-conditioning
    document: bool


def gap_noise(rng: np.random.Generator, example: Example, focus: float) -> np.ndarray:
    """Which positions of a document are gaps. bool [C].

    In a share `focus` of the documents the gaps are just parts that other words decide: many of
    them at once, so that a step has much to learn from.
    """
    count = len(example.canvas) - 1
    hidden = np.zeros(len(example.canvas), dtype=bool)
    decided = [*example.marks, *((place, place + 1) for place in example.repeats)]
    if decided and (rng.random() < focus or not example.has_sense):
        share, one = rng.uniform(0.03, 0.3), rng.integers(len(decided))
        for index, (start, end) in enumerate(decided):
            if index == one or rng.random() < share:
                hidden[start:end] = True
        return hidden
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        if example.marks and rng.random() < 0.5:
            start, end = example.marks[rng.integers(len(example.marks))]
            start -= int(rng.integers(3) * (rng.random() < 0.3))
            end += int(rng.integers(3) * (rng.random() < 0.3))
        else:
            size = int(rng.integers(1, 9)) if rng.random() < 0.9 else int(rng.integers(9, 25))
            start = int(rng.integers(0, max(1, count - size + 1)))
            end = start + size
        hidden[max(0, start) : min(end, count)] = True
    return hidden


def estrange(
    rng: np.random.Generator, example: Example, hidden: np.ndarray, words: np.ndarray
) -> np.ndarray:
    """The canvas with some of the words around the gaps exchanged for others. int64 [C].

    A gap that a word elsewhere decides can still be filled then, but not by knowing the sentence.
    """
    canvas = np.array(example.canvas)
    if len(example.repeats) < 2 or not example.has_sense or rng.random() < 0.5:
        return canvas
    free = ~hidden
    free[list(example.repeats)] = False
    for start, end in example.marks:
        free[start:end] = False
    chosen = free & (rng.random(len(canvas)) < rng.uniform(0.05, 0.4))
    return np.where(chosen, rng.choice(words, len(canvas)), canvas)


def scattered_noise(rng: np.random.Generator, length: int, chat: bool) -> np.ndarray:
    """A random share of positions; chat starts from nothing but noise, so that is common."""
    level = 1.0 if chat and rng.random() < 0.4 else rng.uniform(0.02, 1.0)
    return rng.random(length) < level


def noise(
    rng: np.random.Generator, example: Example, length: int, focus: float
) -> tuple[np.ndarray, bool]:
    """bool [length]: what is random, and whether the rest is pinned text of a document."""
    used = len(example.canvas)
    hidden = np.zeros(length, dtype=bool)
    if example.document and (rng.random() < max(0.7, focus) or not example.has_sense):
        hidden[:used] = gap_noise(rng, example, focus)
        return hidden, True
    hidden[:used] = scattered_noise(rng, used, not example.document)
    if rng.random() < 0.6:  # pads are settled first: often they are clean already
        hidden[used:] = scattered_noise(rng, length - used, True)
    return hidden, False


def canvas_length(rng: Random, longest: int, document: bool) -> int:
    """Mostly just enough for the text, at times the whole canvas.

    An answer begins on a whole canvas; a document with gaps is shown on as much as it needs.
    """
    draw = rng.random()
    if draw < (0.02 if document else 0.1):
        return CANVAS
    roomy = 0.1 if document else 0.4
    extra = rng.randrange(8, 33) if draw > 1 - roomy else rng.randrange(1, 5)
    return min(CANVAS, -(-(longest + extra) // 8) * 8)


def collate(
    rng: Random, examples: list[Example], vocab_size: int, tokens: int, focus: float
) -> Batch:
    draws = np.random.default_rng(rng.getrandbits(64))
    document = examples[0].document
    length = canvas_length(rng, max(len(example.canvas) for example in examples), document)
    examples = rng.sample(examples, min(len(examples), max(1, tokens // length)))
    rows = len(examples)
    clean = np.full((rows, length), PAD, dtype=np.int64)
    hidden = np.zeros((rows, length), dtype=bool)
    weight = np.zeros((rows, length), dtype=np.float32)
    pinned = np.zeros((rows, length), dtype=bool)
    for row, example in enumerate(examples):
        used = len(example.canvas)
        clean[row, :used] = example.canvas
        hidden[row], pin = noise(draws, example, length, focus)
        if pin:
            clean[row, :used] = estrange(draws, example, hidden[row, :used], ORDINARY)
        pinned[row] = ~hidden[row] if pin else False
        weight[row] = np.where(hidden[row], 1.0, 0.0)
        # Little on clean positions and on pads, drawn rarely at a higher weight: cheaper. Nothing on
        # given text: to repeat what stands there is easy, and the opposite of filling a gap.
        if not pin:
            weight[row, :used] += ~hidden[row, :used] * (draws.random(used) < 0.1) * 0.3
        weight[row, used + 1 :] *= (draws.random(max(0, length - used - 1)) < 0.15) * 0.5
    noisy = np.where(hidden, draws.integers(0, vocab_size, clean.shape), clean)
    prompts = [examples[0].prompt] if document else [example.prompt for example in examples]
    prompt = np.full((len(prompts), max(map(len, prompts))), PAD, dtype=np.int64)
    for row, ids in enumerate(prompts):
        prompt[row, : len(ids)] = ids
    return Batch(
        prompt=torch.from_numpy(prompt),
        lengths=torch.tensor([len(ids) for ids in prompts]),
        clean=torch.from_numpy(clean),
        noisy=torch.from_numpy(noisy),
        weight=torch.from_numpy(weight),
        pinned=torch.from_numpy(pinned),
        document=document,
    )


def group(rng: Random, examples: list[Example], tokens: int, most: int) -> list[list[Example]]:
    """Lists of similar examples of about `tokens` canvas and prompt tokens, in random order."""
    groups: list[list[Example]] = []
    for document in (True, False):
        kind = [example for example in examples if example.document == document]
        # Roughly by length: batches of one template alone would pull the weights to and fro.
        kind.sort(
            key=lambda e: len(e.canvas) + (0 if document else len(e.prompt)) + 12 * rng.random()
        )
        current: list[Example] = []
        for example in kind:
            size = len(example.canvas) + (0 if document else len(example.prompt))
            if current and (len(current) >= most or (len(current) + 1) * size > tokens):
                groups.append(current)
                current = []
            current.append(example)
        if current:
            groups.append(current)
    rng.shuffle(groups)
    return groups
