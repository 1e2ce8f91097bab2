"""The rules of one denoising step, each against a second way of computing it."""

from __future__ import annotations

import pytest
import torch
from transformers.models.diffusion_gemma.generation_diffusion_gemma import (
    EntropyBoundSampler,
    EntropyBoundSamplerConfig,
    LinearTemperatureScheduleLogitsProcessor,
)

from engine.config import SamplingConfig
from engine.kernels.vocabulary import vocabulary_statistics
from engine.messages import EngineFault, Sampling
from engine.sampler import NativeNoise, accept, confident, make_noise, temperature

CPU = torch.device("cpu")
SAMPLING = SamplingConfig(
    max_denoising_steps=48,
    t_min=0.4,
    t_max=0.8,
    entropy_bound=0.1,
    stability_threshold=1,
    confidence_threshold=0.005,
    stop_ids=(1,),
)


def test_temperature_is_the_references() -> None:
    theirs = LinearTemperatureScheduleLogitsProcessor(0.4, 0.8, 48)
    scores = torch.randn(3, 5)
    for remaining in range(1, 49):
        expected = theirs(None, scores, cur_step=torch.tensor(remaining, dtype=torch.int32))
        assert torch.equal(scores / temperature(SAMPLING, remaining, CPU), expected)


@pytest.mark.parametrize("bound", [1e-6, 0.1, 1.0, 50.0])
def test_acceptance_is_the_references(bound: float) -> None:
    torch.manual_seed(1)
    logits = torch.randn(4, 32, 50) * torch.rand(4, 32, 1) * 9
    theirs = EntropyBoundSampler(EntropyBoundSamplerConfig(entropy_bound=bound), 32, 50, 48)
    theirs.accept_canvas(torch.zeros(4, 32).long(), torch.ones(4, 32).long(), logits, 1)
    entropy = torch.distributions.Categorical(logits=logits).entropy()
    ours = accept(entropy, torch.ones(4, 32, dtype=torch.bool), bound)
    assert torch.equal(ours, theirs.accepted_token_mask)
    assert ours.any(dim=-1).all()


def test_pinned_positions_neither_count_nor_are_accepted() -> None:
    torch.manual_seed(2)
    entropy = torch.rand(5, 40) * 0.2
    free = torch.rand(5, 40) < 0.3
    free[4] = False
    found = accept(entropy, free, 0.1)
    assert not (found & ~free).any()
    for row in range(4):
        alone = accept(
            entropy[row][free[row]][None], torch.ones(1, int(free[row].sum())).bool(), 0.1
        )
        assert torch.equal(found[row][free[row]], alone[0])
    entropy[0, ~free[0]] = 100.0
    mean = entropy[0][free[0]].mean()
    assert bool(confident(entropy, free, float(mean) + 1e-4)[0])
    assert not bool(confident(entropy, free, float(mean) - 1e-4)[0])


def test_native_sampling_follows_the_distribution() -> None:
    chance = torch.tensor([0.0, 0.5, 0.0, 0.3, 0.19, 0.01, 0.0]).expand(20_000, -1)
    noise = NativeNoise(3, 7, CPU)
    noise.begin_step(torch.ones(1, 20_000, dtype=torch.bool))
    found = noise.sample(chance, slice(0, 20_000))
    counts = found.bincount(minlength=7) / 20_000
    assert not counts[[0, 2, 6]].any()
    # Five standard deviations of a binomial share.
    spread = 5 * (chance[0] * (1 - chance[0]) / 20_000).sqrt()
    assert ((counts - chance[0]).abs() <= spread).all()


def test_statistics_do_not_depend_on_the_block_size(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(4)
    hidden, embedding = torch.randn(30, 16), torch.randn(80, 16)
    options = {"softcap": 30.0, "temperature": torch.tensor(0.7)}

    def run():
        noise = NativeNoise(9, 80, CPU)
        noise.begin_step(torch.ones(1, 30, dtype=torch.bool))
        return vocabulary_statistics(hidden, embedding, draw=noise.sample, **options)

    whole = run()
    monkeypatch.setattr("engine.kernels.vocabulary._BLOCK", {"cpu": 80 * 7})
    monkeypatch.setattr("engine.kernels.vocabulary._MIN_ROWS", 1)
    blocks = run()
    assert torch.equal(whole.argmax, blocks.argmax)
    assert torch.equal(whole.sampled, blocks.sampled)
    assert torch.allclose(whole.entropy, blocks.entropy, atol=1e-6)
    assert torch.allclose(whole.soft, blocks.soft, atol=1e-5)

    logits = 30 * ((hidden @ embedding.T).double() / 30).tanh() / 0.7
    assert torch.allclose(
        whole.entropy.double(), torch.distributions.Categorical(logits=logits).entropy(), atol=1e-5
    )
    assert torch.allclose(whole.soft.double(), logits.softmax(-1) @ embedding.double(), atol=1e-4)


def test_unknown_noise_and_bad_settings_are_refused() -> None:
    with pytest.raises(ValueError, match="noise"):
        make_noise("pink", 0, 10, CPU)
    for change in (
        {"max_denoising_steps": 0},
        {"t_min": 0.9},
        {"entropy_bound": 0.0},
        {"confidence_threshold": -1.0},
        {"stability_threshold": -1},
    ):
        with pytest.raises(EngineFault):
            SAMPLING.merged(change)
    merged = SAMPLING.merged(Sampling(entropy_bound=0.3))
    assert merged.entropy_bound == 0.3
    assert merged.t_max == SAMPLING.t_max
