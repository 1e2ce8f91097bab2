"""The engine in bfloat16 on a GPU against transformers there, on the small random geometries."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from transformers import DynamicCache

from engine.generate import generate
from engine.load import load_model
from tests.engine.tiny import Case, cases, random_reference, save

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device"),
]


@pytest.fixture(params=cases(8), ids=lambda case: case.name)
def case(request: pytest.FixtureRequest) -> Case:
    return request.param


@torch.no_grad()
def logits(reference, prompt: torch.Tensor, canvas: torch.Tensor) -> torch.Tensor:
    cache = DynamicCache(config=reference.config.get_text_config(decoder=True))
    reference.model.encoder(input_ids=prompt[None], past_key_values=cache)
    return reference(decoder_input_ids=canvas, past_key_values=cache).logits


def test_logits_are_as_near_to_float32_as_transformers_own(case: Case, tmp_path: Path) -> None:
    # Checkpoints are bfloat16; both precisions start from the same rounded values.
    reference = random_reference(case.config(), case.seed).to(torch.bfloat16)
    save(reference, tmp_path)
    generator = torch.Generator().manual_seed(case.seed)
    prompt = torch.randint(193, (case.prompt,), generator=generator)
    canvas = torch.randint(193, (1, case.canvas), generator=generator)
    exact = logits(reference.float(), prompt, canvas)
    theirs = logits(reference.to("cuda", torch.bfloat16), prompt.cuda(), canvas.cuda()).cpu()

    model = load_model(tmp_path, device="cuda", dtype="bfloat16")
    cache = model.new_cache(case.prompt)
    model.prefill(prompt.cuda(), cache)
    ours = model.denoise(canvas.cuda(), cache, None).cpu()
    rounding = (theirs - exact).abs()
    assert (ours - exact).abs().mean() <= 1.5 * rounding.mean()
    assert (ours - exact).abs().max() <= 4 * rounding.max()


def test_equal_seeds_give_equal_tokens(case: Case, tmp_path: Path) -> None:
    save(random_reference(case.config(), case.seed).to(torch.bfloat16), tmp_path)
    model = load_model(tmp_path, device="cuda", dtype="bfloat16")
    prompt = torch.arange(3, 20).cuda()
    options = {"max_new_tokens": 2 * case.canvas, "sampling": {"max_denoising_steps": 8}}
    first = generate(model, prompt, seed=1, **options)
    assert first == generate(model, prompt, seed=1, **options)
    assert first != generate(model, prompt, seed=2, **options)
