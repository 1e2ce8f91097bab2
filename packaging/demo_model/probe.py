"""The agreement figure: held-out gaps that only the text behind them decides, filled in one pass."""

from __future__ import annotations

from random import Random

import torch
from documents import sentence_document
from examples import Encoder, Example
from facts import facts_document
from functions import function_document
from network import Network
from vocabulary import PAD

KINDS = ("recurring", "semantic", "code", "facts")


class Probe:
    def __init__(self, encoder: Encoder, count: int, seed: int = 77) -> None:
        rng = Random(seed)
        self.gap_prompt = encoder.gap_prompt
        self.examples: dict[str, list[Example]] = {kind: [] for kind in KINDS}
        while any(len(examples) < count for examples in self.examples.values()):
            make = rng.choice((function_document, sentence_document, facts_document))
            document = make(rng, "held")
            if len(self.examples[document.kind]) < count:
                self.examples[document.kind].append(encoder.document(document))

    @torch.no_grad()
    def measure(self, network: Network) -> dict[str, float]:
        """Percent of marked parts whose every token is the argmax, by kind of document."""
        return {kind: self.share(network, examples) for kind, examples in self.examples.items()}

    def share(self, network: Network, examples: list[Example]) -> float:
        device = network.embed_tokens.weight.device
        length = -(-max(len(example.canvas) for example in examples) // 8) * 8
        generator = torch.Generator().manual_seed(1)
        clean = torch.full((len(examples), length), PAD)
        noisy = torch.randint(network.config.vocab_size, clean.shape, generator=generator)
        hidden = torch.zeros(clean.shape, dtype=torch.bool)
        for row, example in enumerate(examples):
            clean[row, : len(example.canvas)] = torch.tensor(example.canvas)
            start, end = example.marks[0]
            hidden[row, start:end] = True
        noisy = torch.where(hidden, noisy, clean)
        ids = torch.tensor([self.gap_prompt], device=device)
        prompt = network.encode(ids, torch.tensor([ids.shape[1]], device=device))
        states, _ = network.decode(noisy.to(device), prompt)
        right = (network.logits(states).argmax(-1).cpu() == clean) | ~hidden
        return round(100 * float(right.all(dim=1).float().mean()), 1)
