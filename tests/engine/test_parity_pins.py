"""Pinned canvases against transformers: its own loop, with a logits processor that allows one id at
a pinned position, and a starting canvas that holds the pins."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor
from transformers import LogitsProcessor, LogitsProcessorList
from transformers.models.diffusion_gemma.generation_diffusion_gemma import EntropyBoundSamplerConfig

from engine.denoise import FREE, Constraints
from engine.generate import steps
from engine.load import load_model
from tests.engine.tiny import Case, cases, random_reference, save

STEPS = 8
VOCABULARY = 193
NEVER = 1e-9  # no canvas is ever so sure: the reference's mean is over pinned positions too


class Pinned(LogitsProcessor):
    """Leaves one id at pinned positions and no barred one elsewhere; remembers every argmax."""

    def __init__(self, pins: Tensor, barred: Tensor) -> None:
        self.pins, self.barred = pins, barred
        self.seen: list[Tensor] = []

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        free = self.pins == FREE
        scores = scores.clone()
        scores[:, free] = scores[:, free].masked_fill(self.barred, -torch.inf)
        scores[:, ~free] = -torch.inf
        scores[:, ~free, self.pins[~free]] = 0.0
        self.seen.append(scores.argmax(dim=-1)[0])
        return scores


@pytest.mark.parametrize("case", cases(8), ids=lambda case: case.name)
def test_every_step_of_a_pinned_canvas_is_the_references(case: Case, tmp_path: Path) -> None:
    reference = random_reference(case.config(), case.seed)
    model = load_model(save(reference, tmp_path))
    draw = torch.Generator().manual_seed(case.seed)
    prompt = torch.randint(VOCABULARY, (case.prompt,), generator=draw)
    pins = torch.randint(VOCABULARY, (case.canvas,), generator=draw)
    pins[torch.rand(case.canvas, generator=draw) < 0.4] = FREE
    pins[0] = FREE
    barred = torch.rand(VOCABULARY, generator=draw) < 0.3

    torch.manual_seed(case.seed)
    noise = torch.randint(0, VOCABULARY, (1, case.canvas))
    processor = Pinned(pins, barred)
    torch.manual_seed(case.seed)
    theirs = reference.generate(
        prompt[None],
        decoder_input_ids=torch.where(pins == FREE, noise, pins),
        logits_processor=LogitsProcessorList([processor]),
        max_new_tokens=case.canvas,
        eos_token_id=[VOCABULARY - 1],
        pad_token_id=0,
        max_denoising_steps=STEPS,
        sampler_config=EntropyBoundSamplerConfig(entropy_bound=case.entropy_bound),
        confidence_threshold=NEVER,
        stability_threshold=1,
        t_min=0.4,
        t_max=0.8,
    )
    ours = list(
        steps(
            model,
            prompt,
            max_new_tokens=case.canvas,
            seed=case.seed,
            noise="reference",
            sampling={
                "max_denoising_steps": STEPS,
                "entropy_bound": case.entropy_bound,
                "confidence_threshold": NEVER,
                "stability_threshold": 1,
                "stop_ids": (),
            },
            pins=pins,
            constraints=Constraints(
                barred=barred[None], rules=torch.zeros(1, case.canvas, dtype=torch.int64)
            ),
        )
    )
    assert len(ours) == len(processor.seen) == STEPS
    for our, their in zip(ours, processor.seen, strict=True):
        assert torch.equal(our.argmax[0], their)
    found = theirs.sequences[0, case.prompt :]
    assert torch.equal(ours[-1].argmax[0][: len(found)], found)
