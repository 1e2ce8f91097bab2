"""The engine against transformers on the same checkpoints, in float32 on the CPU."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from transformers import DiffusionGemmaForBlockDiffusion, DynamicCache
from transformers.models.diffusion_gemma.generation_diffusion_gemma import EntropyBoundSamplerConfig

from engine.generate import generate, steps
from engine.load import load_model
from engine.model.network import Model
from tests.engine.kernels.network import fused, merged
from tests.engine.tiny import Case, cases, random_reference, save

CASES = cases(32)


@pytest.fixture(scope="module", params=CASES, ids=lambda case: case.name)
def both(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Case, DiffusionGemmaForBlockDiffusion, Model, torch.Tensor]:
    case: Case = request.param
    folder: Path = tmp_path_factory.mktemp("tiny")
    reference = random_reference(case.config(), case.seed)
    save(reference, folder)
    prompt = torch.randint(
        0, 193, (case.prompt,), generator=torch.Generator().manual_seed(case.seed)
    )
    return case, reference, load_model(folder), prompt


@torch.no_grad()
def reference_logits(
    model: DiffusionGemmaForBlockDiffusion,
    prompt: torch.Tensor,
    canvas: torch.Tensor,
    previous: torch.Tensor | None,
) -> torch.Tensor:
    cache = DynamicCache(config=model.config.get_text_config(decoder=True))
    model.model.encoder(input_ids=prompt.expand(len(canvas), -1), past_key_values=cache)
    return model(
        decoder_input_ids=canvas, past_key_values=cache, self_conditioning_logits=previous
    ).logits


def bound(exact: torch.Tensor, reference: torch.Tensor) -> float:
    """1e-4, or four times what float32 costs the reference itself."""
    return max(1e-4, 4 * float((exact - reference.double()).abs().max()))


def test_logits(both) -> None:
    case, reference, model, prompt = both
    canvas = torch.randint(0, 193, (3, case.canvas))
    cache = model.new_cache(case.prompt)
    model.prefill(prompt, cache)
    exact = random_reference(case.config(), case.seed).double()
    exact.set_experts_implementation("eager")  # the grouped one has no float64

    previous = None
    for _ in range(3):
        theirs = reference_logits(reference, prompt, canvas, previous)
        ours = model.denoise(canvas, cache, previous)
        double = reference_logits(
            exact, prompt, canvas, None if previous is None else previous.double()
        )
        assert ours.shape == theirs.shape
        assert (ours - theirs).abs().max() <= bound(double, theirs)
        previous = theirs / 0.7
        canvas = theirs.argmax(dim=-1)


def test_a_canvas_is_encoded_in_the_pass_of_the_next_ones_first_step(both) -> None:
    """By fused layers of plain operations, twice: the second time over what the first has written."""
    case, reference, model, prompt = both
    own, cache = fused(model, (), bits=16), model.new_cache(case.prompt + 2 * case.canvas)
    model.prefill(prompt, cache)
    for _ in range(2):
        settled, canvas = torch.randint(0, 193, (2, case.canvas))
        ours = model.logits(merged(own, cache, settled, canvas))
        theirs = reference_logits(reference, torch.tensor(cache.ids), canvas[None], None)
        assert (ours - theirs[0]).abs().max() <= 1e-4


def test_whole_generations_are_token_identical(both) -> None:
    case, reference, model, prompt = both
    count = case.canvases * case.canvas
    torch.manual_seed(case.seed)
    theirs = reference.generate(
        prompt[None],
        max_new_tokens=count,
        eos_token_id=list(case.stop_ids),
        pad_token_id=0,
        max_denoising_steps=10,
        sampler_config=EntropyBoundSamplerConfig(entropy_bound=case.entropy_bound),
        confidence_threshold=case.confidence_threshold,
        stability_threshold=case.stability_threshold,
        t_min=0.4,
        t_max=0.8,
    )
    ours = generate(
        model,
        prompt,
        max_new_tokens=count,
        seed=case.seed,
        noise="reference",
        sampling={
            "stop_ids": case.stop_ids,
            "max_denoising_steps": 10,
            "entropy_bound": case.entropy_bound,
            "confidence_threshold": case.confidence_threshold,
            "stability_threshold": case.stability_threshold,
        },
    )
    new = theirs.sequences[0, case.prompt :].tolist()
    end = next((at for at, token in enumerate(new) if token in case.stop_ids), None)
    assert list(ours.token_ids) == new[:end]
    assert ours.stopped == (end is not None)
    assert ours.canvases * case.canvas == len(new)
    # The reference counts valid tokens a decoder pass: pad is 0, the stop id counts.
    valid = sum(token != 0 for token in new)
    assert ours.steps == pytest.approx(valid / float(theirs.tokens_per_forward[0]))


def test_chunked_prefill_and_prefix_reuse(both) -> None:
    case, _, model, prompt = both
    canvas = torch.randint(0, 193, (case.canvas,))
    single = model.new_cache(case.prompt)
    model.prefill(prompt, single)
    expected = model.denoise(canvas, single, None)

    chunked = model.new_cache(case.prompt)
    model.prefill(prompt, chunked, chunk=5)
    assert (model.denoise(canvas, chunked, None) - expected).abs().max() <= 1e-4

    other = torch.cat((prompt[: case.prompt // 2], torch.randint(0, 193, (40,))))
    reused = model.new_cache(case.prompt + 40)
    model.prefill(other, reused)
    shared = reused.keep_prefix(prompt.tolist())
    assert shared >= case.prompt // 2
    model.prefill(prompt[shared:], reused)
    assert (model.denoise(canvas, reused, None) - expected).abs().max() <= 1e-4

    options = {"max_new_tokens": case.canvas, "seed": 3, "sampling": {"max_denoising_steps": 6}}
    cache = model.new_cache(case.prompt + 40 + case.canvas)
    for _ in steps(model, other, cache=cache, **options):
        pass
    fresh = [result.argmax for result in steps(model, prompt, **options)]
    again = [result.argmax for result in steps(model, prompt, cache=cache, **options)]
    assert len(fresh) == len(again)
    assert all(torch.equal(one, two) for one, two in zip(fresh, again, strict=True))


@torch.no_grad()
def test_score_is_the_encoders_likelihood(both) -> None:
    case, reference, model, prompt = both
    ids = torch.randint(0, 193, (21,))
    text = torch.cat((prompt, ids))
    hidden = reference.model.encoder(
        input_ids=text[None],
        past_key_values=DynamicCache(config=reference.config.get_text_config(decoder=True)),
    ).last_hidden_state
    logits = 30 * (reference.lm_head(hidden)[0].float() / 30).tanh()
    expected = logits.log_softmax(-1)[case.prompt - 1 : -1].gather(1, ids[:, None])[:, 0]

    cache = model.new_cache(case.prompt)
    model.prefill(prompt, cache)
    before = [tensor.clone() for tensor in cache.read(0)]
    found = model.score(ids, cache)
    assert (found - expected).abs().max() <= 2e-4
    assert cache.ids == prompt.tolist()
    assert all(torch.equal(a, b) for a, b in zip(before, cache.read(0), strict=True))
