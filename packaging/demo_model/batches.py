"""Batches: examples of similar length together, with the noise that the sampler will show."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

import numpy as np
import torch
from examples import CANVAS, Example
from torch import Tensor
from vocabulary import PAD


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

    In a share `focus` of the documents the gap is just one part that later words decide.
    """
    count = len(example.canvas) - 1
    hidden = np.zeros(len(example.canvas), dtype=bool)
    decided = [*example.marks, *((place, place + 1) for place in example.repeats)]
    if decided and rng.random() < focus:
        # Up to three gaps at once, each decided by what is left of the text.
        for choice in rng.permutation(len(decided))[: rng.choice((1, 1, 2, 3))]:
            start, end = decided[choice]
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
    if example.document and rng.random() < max(0.7, focus):
        hidden[:used] = gap_noise(rng, example, focus)
        return hidden, True
    hidden[:used] = scattered_noise(rng, used, not example.document)
    if rng.random() < 0.6:  # pads are settled first: often they are clean already
        hidden[used:] = scattered_noise(rng, length - used, True)
    return hidden, False


def canvas_length(rng: Random, longest: int) -> int:
    """Mostly a little longer than the text, at times the whole canvas, as at run time."""
    draw = rng.random()
    if draw < 0.08:
        return CANVAS
    extra = rng.randrange(1, 9) if draw < 0.6 else rng.randrange(8, 33)
    return min(CANVAS, -(-(longest + extra) // 8) * 8)


def collate(
    rng: Random, examples: list[Example], vocab_size: int, tokens: int, focus: float
) -> Batch:
    draws = np.random.default_rng(rng.getrandbits(64))
    length = canvas_length(rng, max(len(example.canvas) for example in examples))
    examples = rng.sample(examples, min(len(examples), max(1, tokens // length)))
    document = examples[0].document
    rows = len(examples)
    clean = np.full((rows, length), PAD, dtype=np.int64)
    hidden = np.zeros((rows, length), dtype=bool)
    weight = np.zeros((rows, length), dtype=np.float32)
    pinned = np.zeros((rows, length), dtype=bool)
    for row, example in enumerate(examples):
        used = len(example.canvas)
        clean[row, :used] = example.canvas
        hidden[row], pin = noise(draws, example, length, focus)
        pinned[row] = ~hidden[row] if pin else False
        weight[row] = np.where(hidden[row], 1.0, 0.0)
        # Little on clean positions and on pads, drawn rarely at a higher weight: cheaper.
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
